"""
Which values are exact one by one, and which are refused?
"""

import enum
import io
import uuid
from collections import OrderedDict
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal
from ipaddress import IPv4Interface, IPv4Network, IPv6Address
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ormcache.codecs.rows import RowCodec
from ormcache.codecs.values import load_extension
from ormcache.errors import Unstorable
from ormcache.model import Column, Rows
from ormcache.testing.codec_contract import identical

PARIS = ZoneInfo("Europe/Paris")


def column_of(*values):
    return Rows((Column("c", 23),), [(value,) for value in values])


def there_and_back(rows):
    return RowCodec().decode(RowCodec().encode(rows))


def extension(code, parts):
    return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(parts))


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Money(Decimal):
    pass


class Moment(datetime):
    pass


class FarAway(tzinfo):
    __hash__ = None

    def utcoffset(self, _):
        return timedelta(hours=1)


def released():
    view = memoryview(b"x")
    view.release()
    return view


def zone_without_key():
    # The smallest file of a zone: one kind of local time, "UTC", and no transitions.
    counts = b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
    file = b"TZif" + bytes(16) + counts + bytes(6) + b"UTC\0"
    return datetime(2024, 1, 1, tzinfo=ZoneInfo.from_file(io.BytesIO(file)))


class Pair(NamedTuple):
    left: int
    right: int


REFUSED = [
    (Colour.RED, "Colour"),
    (Level.LOW, "Level"),
    (Money(1), "Money"),
    (Moment(2024, 1, 1), "Moment"),
    (Pair(1, 2), "Pair"),
    (OrderedDict(a=1), "OrderedDict"),
    (object(), "object"),
    (int, "type"),
    (1j, "complex"),
    (datetime(2024, 1, 1, tzinfo=FarAway()), "FarAway"),
    (time(1, tzinfo=FarAway()), "FarAway"),
    (zone_without_key(), "zoneinfo.ZoneInfo without"),
    (uuid.UUID(int=1, is_safe=uuid.SafeUUID.safe), "uuid.UUID with is_safe"),
    (memoryview(bytearray(b"x")), "memoryview"),
    (memoryview(b"abcd").cast("I"), "memoryview"),
    (released(), "memoryview"),
    ("\ud800", "surrogate"),
    (["\udfff"], "surrogate"),
    ({"\ud800": 1}, "surrogate"),
    ({1: 2}, "dict with int keys"),
    ({"a": {None: 1}}, "dict with NoneType keys"),
    ([Level.LOW], "Level"),
    ({"a": (Colour.RED,)}, "Colour"),
]


@pytest.mark.parametrize(("value", "name"), REFUSED, ids=[name for _, name in REFUSED])
def test_what_would_come_back_different_is_refused_by_type(value, name):
    for rows in (column_of(value), column_of(None, value), column_of(1, value)):
        with pytest.raises(Unstorable) as refusal:
            RowCodec().encode(rows)
        assert name in refusal.value.type_name


def test_a_list_that_contains_itself_is_refused():
    value = []
    value.append(value)

    with pytest.raises(Unstorable, match="nested"):
        RowCodec().encode(column_of(value))


def test_special_addresses_keep_their_parts():
    rows = column_of(
        IPv6Address("fe80::1%eth0"), IPv4Interface("192.0.2.7/24"), IPv4Network("192.0.2.0/24")
    )

    assert there_and_back(rows).rows[0][0].scope_id == "eth0"
    assert identical(there_and_back(rows), rows)


def load_zone(key):
    decoder = msgspec.msgpack.Decoder(ext_hook=load_extension)
    return decoder.decode(msgspec.msgpack.encode(extension(11, key)))


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/localtime", "a/../UTC", "a.b", "", "a/"])
def test_a_zone_is_not_looked_up_by_what_could_be_another_file(key):
    with pytest.raises(ValueError, match="not a zone's key"):
        load_zone(key)


def test_a_zone_that_is_not_installed_here_is_an_error():
    with pytest.raises(KeyError):
        load_zone("No/Such")
