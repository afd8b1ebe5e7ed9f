"""
Do two reads share a fingerprint exactly when they are the same read?
"""

import copy
import datetime as dt
import decimal
import enum
import io
import itertools
import subprocess
import sys
import uuid
import zoneinfo
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ormcache.fingerprint import NoIdentityError, canonical, digest
from ormcache.testing.codec_contract import identical

PARIS = zoneinfo.ZoneInfo("Europe/Paris")

texts = st.text(st.characters())  # with lone surrogates
zones = st.none() | st.just(dt.UTC) | st.just(PARIS)
zones |= st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-9), dt.timedelta(hours=9)))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.binary()
    | st.decimals()
    | st.uuids()
    | st.dates()
    | st.times(timezones=zones)
    | st.datetimes(timezones=zones, allow_imaginary=True)
    | st.timedeltas()
    | st.binary().map(bytearray)
    | st.binary().map(memoryview)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)

LIKE_ONE_ANOTHER = [
    *(None, True, False, 0, 1, -1, 10, "", "0", "1", "None", "True", "1.0", "(1,)"),
    *(0.0, -0.0, 1.0, float("nan"), float("inf"), b"", b"1", bytearray(b"1"), memoryview(b"1")),
    *(decimal.Decimal(text) for text in ("0", "-0", "1", "1.0", "1E+1", "10", "NaN", "sNaN")),
    *(uuid.UUID(int=1), str(uuid.UUID(int=1)), "UUID('1')", "Decimal('1')"),
    *(dt.date(2024, 1, 1), dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, fold=1)),
    *(dt.datetime(2024, 1, 1, tzinfo=zone) for zone in (dt.UTC, PARIS, zoneinfo.ZoneInfo("UTC"))),
    *(dt.time(1), dt.time(1, fold=1), dt.time(1, tzinfo=dt.UTC), dt.timedelta(0), "0:00:00"),
    *((), [], {}, (1,), [1], (1, 2), ((1,), 2), (1, (2,)), ("1,2",), ("1", "2"), ((), ()), ([],)),
    *({"a": 1}, {"a": "1"}, {"a": [1]}, {"a": (1,)}, {"a": 1, "b": 2}, {"a": {"b": 2}}, {1: 1}),
    *({"a:1": 2}, {"a": {1: 2}}, [{}], [None], [[None]], ["a", ["b"]], [["a"], "b"]),
]


@given(values)
def test_equal_values_have_one_text(value: Any):
    assert canonical(value) == canonical(_copy(value))


def _copy(value: Any) -> Any:
    if isinstance(value, memoryview):
        return memoryview(bytes(value))
    if isinstance(value, list | tuple):
        return type(value)(map(_copy, value))
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return copy.deepcopy(value)


@given(values, values)
def test_different_values_have_different_texts(one: Any, other: Any):
    assert (canonical(one) == canonical(other)) == identical(one, other)


def test_values_that_look_alike_are_told_apart():
    for one, other in itertools.combinations(LIKE_ONE_ANOTHER, 2):
        assert (canonical(one) == canonical(other)) == identical(one, other), (one, other)


class Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return "'innocent'"


class Color(enum.StrEnum):
    RED = "red"


class Moment(dt.datetime):
    pass


class Zone(dt.tzinfo):
    def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(0)


def nested(depth: int) -> list[Any]:
    whole: list[Any] = []
    for _ in range(depth):
        whole = [whole]
    return whole


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Text("x"),
        Color.RED,
        Moment(2024, 1, 1),
        dt.datetime(2024, 1, 1, tzinfo=Zone()),
        dt.time(1, tzinfo=Zone()),
        {1, 2},
        1j,
        OrderedDict(a=1),
        namedtuple("Point", "x")(1),  # noqa: PYI024
        int,
        10**5000,
        nested(100_000),
        {Text("x"): 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_an_exact_text_has_no_identity(value: Any):
    for inside in (value, [value], {"a": value}, (1, {"a": [value]})):
        with pytest.raises(NoIdentityError):
            canonical(inside)


def test_a_zone_that_only_a_file_names_has_no_identity():
    # The smallest time zone file: version 1, one type, UTC.
    counts = b"".join(n.to_bytes(4, "big") for n in (0, 0, 0, 0, 1, 4))
    file = b"TZif" + b"\0" * 16 + counts + b"\0" * 6 + b"UTC\0"
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(file))
    with pytest.raises(NoIdentityError):
        canonical(dt.datetime(2024, 1, 1, tzinfo=zone))


def test_no_value_is_in_the_error():
    with pytest.raises(NoIdentityError) as raised:
        canonical(Text("secret"))
    assert "secret" not in str(raised.value)
    assert "Text" in str(raised.value)


@given(st.lists(texts), st.lists(texts))
def test_digests_are_equal_for_equal_parts_only(one: list[str], other: list[str]):
    assert (digest(one) == digest(other)) == (one == other)
    assert digest(iter(one)) == digest(one)


@given(st.lists(texts, min_size=1))
def test_where_a_part_ends_matters(parts: list[str]):
    assert digest(parts) != digest([*parts, ""])
    assert len(parts) == 1 or digest(parts) != digest(["".join(parts)])


def test_a_digest_is_32_hexadecimal_digits():
    assert len(digest(["secret"])) == 32
    int(digest(["secret"]), 16)


def test_another_process_finds_the_same_digest():
    code = "from ormcache.fingerprint import *; print(digest(['a', canonical({'k': 1.5})]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == digest(["a", canonical({"k": 1.5})])
