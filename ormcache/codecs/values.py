"""
How does a single value of any storable type travel inside MessagePack?

What MessagePack keeps exactly (None, bool, 64-bit int, float, str, bytes, list, dict with str keys)
travels as it is; everything else as an extension value: a number from a closed list, and the parts
the value is rebuilt from. The type decides, exactly: a subclass is not its base class, since it
would come back as something else.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import msgpack

from ormcache.errors import Unstorable

from .foreign import FOREIGN, foreign_class

__all__ = [
    "INT_BITS",
    "VIEW_FORMATS",
    "dump_view",
    "encoder",
    "load_extension",
    "load_view",
    "to_wire",
    "type_name",
]

INT_BITS = 63
"""
An int of at most this many bits, without its sign, travels as a MessagePack integer.
"""

VIEW_FORMATS = ("B", "c")
"""
How a view may show its bytes: as numbers, or each as a `bytes` of one, as psycopg2 has it.
"""

encoder = msgpack.Encoder(uuid_format="bytes")

_AS_IS = frozenset({type(None), bool, float, str, bytes})

# No dots: `ZoneInfo` would look a key up as a file and as a resource of the package tzdata.
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


class _Extension(NamedTuple):
    """
    How values of one class come apart and are put together.
    """

    cls: type
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


def type_name(cls: type) -> str:
    """
    Return the name of *cls* as a person would look it up.
    """
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def to_wire(value: Any) -> Any:
    """
    Return *value* as something `encoder` writes exactly, or raise `Unstorable`.
    """
    cls = type(value)
    if cls in _AS_IS:
        return value
    if cls is int and value.bit_length() <= INT_BITS:
        return value
    if cls is list:
        return [to_wire(item) for item in value]
    if cls is dict:
        return _dict_to_wire(value)
    return _extension(cls, value)


def _dict_to_wire(value: dict[Any, Any]) -> dict[str, Any]:
    for key in value:
        if type(key) is not str:
            raise Unstorable(f"dict with {type_name(type(key))} keys")
    return {key: to_wire(item) for key, item in value.items()}


def _extension(cls: type, value: Any) -> msgpack.Ext:
    code = _CODES.get(cls)
    dump: Callable[[Any], Any]
    if code is not None:
        dump = _EXTENSIONS[code].dump
    else:
        code = foreign_class(cls)
        if code is None:
            raise Unstorable(type_name(cls))
        dump = FOREIGN[code].dump
    return msgpack.Ext(code, encoder.encode(to_wire(dump(value))))


def load_extension(code: int, data: memoryview) -> Any:
    """
    Return the value behind an extension; raises whatever its parts are wrong for.
    """
    load = _EXTENSIONS[code].load if code in _EXTENSIONS else FOREIGN[code].load
    return load(_parts.decode(data))


_parts = msgpack.Decoder(ext_hook=load_extension)


def _dump_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _load_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _load_decimal(text: str) -> Decimal:
    # Not from an int: that conversion takes time in the square of its length.
    if type(text) is not str:
        raise TypeError("not a decimal's text")
    return Decimal(text)


def _load_bytearray(data: bytes) -> bytearray:
    # `bytearray(10**12)` would be a terabyte of zeros; a view refuses a number.
    return bytearray(memoryview(data))


def dump_view(value: memoryview) -> list[Any]:
    """
    Return the format of *value* and its bytes, or raise `Unstorable` if that is not all of it.
    """
    # A released view has no properties left; a writable or shaped one would come back plainer.
    try:
        plain = value.readonly and value.ndim == 1 and value.format in VIEW_FORMATS
    except ValueError:
        plain = False
    if not plain:
        raise Unstorable("memoryview that is not of plain, read-only bytes")
    return [value.format, value.tobytes()]


def load_view(parts: list[Any]) -> memoryview:
    """
    Return a read-only view from its format and bytes.
    """
    view_format, data = parts
    return memoryview(data).cast(view_format)


def _dump_uuid(value: uuid.UUID) -> bytes:
    if value.is_safe is not uuid.SafeUUID.unknown:
        raise Unstorable("uuid.UUID with is_safe")
    return value.bytes


def _load_uuid(data: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=data)


def _dump_datetime(value: datetime) -> list[Any]:
    day = [value.year, value.month, value.day]
    clock = [value.hour, value.minute, value.second, value.microsecond]
    return [*day, *clock, value.tzinfo, value.fold]


def _load_datetime(parts: list[Any]) -> datetime:
    year, month, day, hour, minute, second, microsecond, zone, fold = parts
    return datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _dump_time(value: time) -> list[Any]:
    clock = [value.hour, value.minute, value.second, value.microsecond]
    return [*clock, value.tzinfo, value.fold]


def _load_time(parts: list[Any]) -> time:
    hour, minute, second, microsecond, zone, fold = parts
    return time(hour, minute, second, microsecond, zone, fold=fold)


def _dump_timedelta(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _load_timedelta(parts: list[int]) -> timedelta:
    return timedelta(*parts)


def _dump_timezone(value: timezone) -> list[Any]:
    offset, name = value.utcoffset(None), value.tzname(None)
    return [offset] if timezone(offset).tzname(None) == name else [offset, name]


def _load_timezone(parts: list[Any]) -> tzinfo:
    return timezone(*parts)


def _dump_zone(value: ZoneInfo) -> str:
    # A zone read from an open file has no key to find it by again: `None`, whatever its type says.
    if not _ZONE_KEY.fullmatch(value.key or ""):
        raise Unstorable("zoneinfo.ZoneInfo without a plain key")
    return value.key


def _load_zone(key: str) -> ZoneInfo:
    if not _ZONE_KEY.fullmatch(key):
        raise ValueError("not a zone's key")
    return ZoneInfo(key)


_EXTENSIONS: dict[int, _Extension] = {
    1: _Extension(int, _dump_int, _load_int),
    2: _Extension(Decimal, str, _load_decimal),
    3: _Extension(bytearray, bytes, _load_bytearray),
    4: _Extension(memoryview, dump_view, load_view),
    5: _Extension(uuid.UUID, _dump_uuid, _load_uuid),
    6: _Extension(datetime, _dump_datetime, _load_datetime),
    7: _Extension(date, date.toordinal, date.fromordinal),
    8: _Extension(time, _dump_time, _load_time),
    9: _Extension(timedelta, _dump_timedelta, _load_timedelta),
    10: _Extension(timezone, _dump_timezone, _load_timezone),
    11: _Extension(ZoneInfo, _dump_zone, _load_zone),
    12: _Extension(tuple, list, tuple),
    13: _Extension(set, list, set),
    14: _Extension(frozenset, list, frozenset),
    15: _Extension(IPv4Address, str, IPv4Address),
    16: _Extension(IPv6Address, str, IPv6Address),
    17: _Extension(IPv4Network, str, IPv4Network),
    18: _Extension(IPv6Network, str, IPv6Network),
    19: _Extension(IPv4Interface, str, IPv4Interface),
    20: _Extension(IPv6Interface, str, IPv6Interface),
}
"""
By the number written into entries, which must never be given to another class.
"""

_CODES = {extension.cls: code for code, extension in _EXTENSIONS.items()}
