"""
Does every value that a driver returns come back the same, in value and type, whatever its column?
"""

import ipaddress
import zoneinfo
from datetime import timedelta, timezone

import asyncpg
import psycopg2.extras as pg2
from asyncpg.pgproto import pgproto
from hypothesis import given, settings, strategies as st
from pg8000 import types as pg8
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from ormcache.codecs.rows import RowCodec
from ormcache.errors import Undecodable
from ormcache.model import Column, Rows
from ormcache.testing.codec_contract import identical

BOUNDS = st.sampled_from(["[)", "(]", "()", "[]"])

text = st.text(st.characters(exclude_categories=["Cs"]))
offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
fixed_zones = st.builds(timezone, offsets) | st.builds(timezone, offsets, text)
named_zones = st.sampled_from(
    ["UTC", "Etc/UTC", "Europe/Paris", "America/St_Johns", "Asia/Kolkata"]
)
zones = st.one_of(fixed_zones, named_zones.map(zoneinfo.ZoneInfo))

integers = st.one_of(st.integers(), st.integers(-(2**66), 2**66), st.integers(-(10**100), 10**100))
decimals = st.decimals(allow_nan=True, allow_infinity=True)
naive_datetimes = st.datetimes()
aware_datetimes = st.datetimes(timezones=zones)
folded_datetimes = st.builds(
    lambda value, fold: value.replace(fold=fold), aware_datetimes, st.integers(0, 1)
)


def ranges(cls, ends):
    ends = st.none() | ends
    return st.builds(cls, ends, ends, BOUNDS) | st.just(cls(empty=True))


json_values = st.recursive(
    st.none() | st.booleans() | integers | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=10,
)
points = st.builds(asyncpg.Point, st.floats(), st.floats())
psycopg_ranges = ranges(Range, integers | decimals | st.dates() | aware_datetimes)

SCALARS = {
    "bool": st.booleans(),
    "int": integers,
    "float": st.floats(),
    "Decimal": decimals,
    "str": text,
    "bytes": st.binary(),
    "bytearray": st.binary().map(bytearray),
    "memoryview": st.binary().map(memoryview),
    "memoryview of psycopg2": st.binary().map(lambda data: memoryview(data).cast("c")),
    "naive datetime": naive_datetimes,
    "aware datetime": aware_datetimes,
    "repeated hour": folded_datetimes,
    "date": st.dates(),
    "time": st.times(),
    "aware time": st.times(timezones=fixed_zones),
    "timedelta": st.timedeltas(),
    "UUID": st.uuids(),
    "IPv4Address": st.ip_addresses(v=4),
    "IPv6Address": st.ip_addresses(v=6),
    "IPv4Network": st.builds(
        lambda ip, bits: ipaddress.IPv4Network((ip, bits), strict=False),
        st.ip_addresses(v=4),
        st.integers(0, 32),
    ),
    "IPv6Network": st.builds(
        lambda ip, bits: ipaddress.IPv6Network((ip, bits), strict=False),
        st.ip_addresses(v=6),
        st.integers(0, 128),
    ),
    "IPv4Interface": st.builds(
        lambda ip, bits: ipaddress.IPv4Interface((ip, bits)),
        st.ip_addresses(v=4),
        st.integers(0, 32),
    ),
    "IPv6Interface": st.builds(
        lambda ip, bits: ipaddress.IPv6Interface((ip, bits)),
        st.ip_addresses(v=6),
        st.integers(0, 128),
    ),
    "range": psycopg_ranges,
    "multirange": st.lists(psycopg_ranges, max_size=3).map(Multirange),
    "NumericRange": ranges(pg2.NumericRange, integers | decimals),
    "DateRange": ranges(pg2.DateRange, st.dates()),
    "DateTimeRange": ranges(pg2.DateTimeRange, naive_datetimes),
    "DateTimeTZRange": ranges(pg2.DateTimeTZRange, aware_datetimes),
    "UUID of asyncpg": st.uuids().map(lambda value: pgproto.UUID(value.bytes)),
    "range of asyncpg": st.builds(
        asyncpg.Range,
        st.none() | integers | aware_datetimes,
        st.none() | integers | aware_datetimes,
        lower_inc=st.booleans(),
        upper_inc=st.booleans(),
        empty=st.booleans(),
    ),
    "bit string of asyncpg": st.text("01").map(asyncpg.BitString),
    "point of asyncpg": points,
    "path of asyncpg": st.builds(
        lambda ends, closed: asyncpg.Path(*ends, is_closed=closed),
        st.lists(points, max_size=3),
        st.booleans(),
    ),
    "circle of asyncpg": st.builds(asyncpg.Circle, points.map(tuple), st.floats()),
    "range of pg8000": st.builds(
        pg8.Range, st.none() | decimals, st.none() | st.dates(), BOUNDS, st.booleans()
    ),
    "interval of pg8000": st.builds(
        pg8.PGInterval, years=st.none() | integers, seconds=st.none() | st.floats()
    ),
}
scalars = st.one_of(*SCALARS.values())
hashable = st.booleans() | integers | text | st.dates()
CONTAINERS = {
    "JSON": json_values,
    "hstore": st.dictionaries(text, st.none() | text),
    "array": st.recursive(
        st.lists(st.none() | scalars, max_size=3), lambda a: st.lists(a, max_size=3), max_leaves=4
    ),
    "record": st.lists(scalars, max_size=3).map(tuple),
    "set": st.sets(hashable),
    "frozenset": st.frozensets(hashable),
}
kinds = [*SCALARS.values(), *CONTAINERS.values()]
columns_of_one_kind = st.sampled_from(kinds)
columns_with_nulls = st.sampled_from([st.none() | kind for kind in kinds])
mixed_columns = st.lists(st.sampled_from(kinds), min_size=2, max_size=3).map(st.one_of)
any_column = columns_of_one_kind | columns_with_nulls | mixed_columns | st.just(st.none())


@st.composite
def results(draw):
    """
    Give rows as a driver would return them: each column of its own kind.
    """
    cells = draw(st.lists(any_column, max_size=5))
    type_codes = st.none() | st.integers(-(2**31), 2**31 - 1)
    columns = tuple(Column(draw(text), draw(type_codes)) for _ in cells)
    return Rows(columns, draw(st.lists(st.tuples(*cells), max_size=6)))


@settings(deadline=None)
@given(results())
def test_rows_come_back_exactly(rows):
    codec = RowCodec()

    assert identical(codec.decode(codec.encode(rows)), rows)


@settings(deadline=None)
@given(st.data())
def test_each_listed_type_comes_back_exactly_in_each_kind_of_column(data):
    # Every type in every example, so that none is left to chance.
    for values in (*SCALARS.values(), *CONTAINERS.values()):
        value = data.draw(values)
        for column in ([value], [value, None], [value, data.draw(values)], ["other", value]):
            rows = Rows((Column("c", None),), [(item,) for item in column])
            assert identical(RowCodec().decode(RowCodec().encode(rows)), rows)


@settings(deadline=None)
@given(results(), st.data())
def test_altered_bytes_are_undecodable_or_rows(rows, data):
    payload = bytearray(RowCodec().encode(rows))
    places = st.integers(0, len(payload) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)):
        payload[place] = byte
    end = data.draw(st.just(len(payload)) | places)

    assert_harmless(bytes(payload[:end]))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_undecodable_or_rows(noise):
    assert_harmless(noise)


def assert_harmless(payload):
    try:
        rows = RowCodec().decode(payload)
    except Undecodable:
        return
    assert {len(row) for row in rows.rows} <= {len(rows.columns)}
