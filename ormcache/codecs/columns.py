"""
What does a whole column look like on the wire?

A column of one type (and None) is written so that MessagePack decodes it into that type in one
pass. What does not fit such a *kind* (mixed types, ints beyond 64 bits, a repeated hour) is of
kind `ANY`, where each value says what it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from .foreign import ASYNCPG_UUID, FOREIGN, foreign_class
from .values import INT_BITS, dump_view, load_view, to_wire

__all__ = ["KINDS", "Kind", "pack"]

ANY = "a"
NULLS = "n"
INT = "i"
UUID = "u"
UUID_OF_ASYNCPG = "U"
TIME = "t"
NAIVE = "T"
AWARE = "z"

_PLAIN: dict[type, str] = {
    bool: "b",
    float: "f",
    str: "s",
    bytes: "y",
    bytearray: "Y",
    Decimal: "d",
    date: "D",
    timedelta: "l",
}
"""
Types of which the encoder writes every value so that it reads the same value back.
"""

_VIEWS = {"B": "v", "c": "V"}
"""
By the format of the views in a column.
"""

_combine = datetime.combine
_clock = datetime.time
_fold = attrgetter("fold")
_zone = attrgetter("tzinfo")
_is_safe = attrgetter("is_safe")


class Kind(NamedTuple):
    """
    How one kind of column is decoded: into which types, and what is left to do after that.
    """

    wire: Any
    unpack: Callable[[Any], Iterable[Any]] | None = None


def pack(column: Sequence[Any]) -> tuple[str, Any]:
    """
    Return the kind of *column* and what the encoder is to write for it.

    Raises:
        Unstorable: a value cannot be stored exactly.
    """
    types = set(map(type, column))
    nulls = type(None) in types
    types.discard(type(None))
    if not types:
        return NULLS, column
    if len(types) == 1:
        cls = types.pop()
        if cls in _PLAIN:
            return _PLAIN[cls], column
        if cls in _PACKERS:
            present = [value for value in column if value is not None] if nulls else column
            packed = _PACKERS[cls](column, present)
            if packed is not None:
                return packed
        elif foreign_class(cls) == ASYNCPG_UUID:
            return UUID_OF_ASYNCPG, [value if value is None else value.bytes for value in column]
    return ANY, [to_wire(value) for value in column]


def _pack_int(column: Sequence[Any], present: Sequence[int]) -> tuple[str, Any] | None:
    return (INT, column) if max(map(int.bit_length, present)) <= INT_BITS else None


def _pack_uuid(column: Sequence[Any], present: Sequence[uuid.UUID]) -> tuple[str, Any] | None:
    unmarked = list(map(_is_safe, present)).count(uuid.SafeUUID.unknown)
    return (UUID, column) if unmarked == len(present) else None


def _unpack_asyncpg_uuids(values: list[bytes | None]) -> list[Any]:
    cls = FOREIGN[ASYNCPG_UUID].find()
    return [None if value is None else cls(value) for value in values]


def _pack_time(column: Sequence[Any], present: Sequence[time]) -> tuple[str, Any] | None:
    if any(map(_fold, present)) or any(value.tzinfo is not None for value in present):
        return None
    return TIME, column


def _pack_view(column: Sequence[Any], present: Sequence[memoryview]) -> tuple[str, Any] | None:
    dumped = [None if value is None else dump_view(value) for value in column]
    formats = {value.format for value in present}
    if len(formats) > 1:
        return None
    return _VIEWS[formats.pop()], [parts and parts[1] for parts in dumped]


def _unpack_views(view_format: str, values: list[bytes | None]) -> list[memoryview | None]:
    return [None if value is None else load_view([view_format, value]) for value in values]


def _pack_datetime(column: Sequence[Any], present: Sequence[datetime]) -> tuple[str, Any] | None:
    # The wire has no place for the second pass through a repeated hour.
    if any(map(_fold, present)):
        return None
    zones = list(map(_zone, present))
    # By identity: time zones of different names or kinds may be equal to each other.
    distinct = dict(zip(map(id, zones), zones, strict=True))
    if id(None) not in distinct:
        return AWARE, _zoned(column, present, distinct)
    return (NAIVE, column) if len(distinct) == 1 else None


def _zoned(
    column: Sequence[Any], present: Sequence[datetime], distinct: dict[int, Any]
) -> list[Any]:
    """
    Return the zones, which of them each value has (nothing if all have one), and wall times.
    """
    keys = {number: _zone_key(zone) for number, zone in distinct.items()}
    zones = {keys[number]: zone for number, zone in distinct.items()}
    wire_zones = [to_wire(zone) for zone in zones.values()]
    if len(zones) == 1 and len(present) == len(column):
        return [wire_zones, [], list(map(_combine, present, map(_clock, present)))]
    position = {key: place for place, key in enumerate(zones)}
    which = [0 if value is None else position[keys[id(value.tzinfo)]] for value in column]
    wall = [None if value is None else _combine(value, _clock(value)) for value in column]
    return [wire_zones, which, wall]


def _zone_key(zone: Any) -> Any:
    # psycopg2 makes an object for each value.
    return (zone.utcoffset(None), zone.tzname(None)) if type(zone) is timezone else id(zone)


def _unpack_aware(
    packed: tuple[list[timezone | ZoneInfo], list[int], list[datetime | None]],
) -> Iterable[datetime | None]:
    zones, which, wall = packed
    if not which and len(zones) == 1:
        # Attaching a zone with `replace` takes several times as long.
        return map(_combine, wall, map(_clock, wall), repeat(zones[0]))  # type: ignore[arg-type]
    return [
        None if value is None else _combine(value, _clock(value), zones[place])
        for value, place in zip(wall, which, strict=True)
    ]


_PACKERS: dict[type, Callable[[Sequence[Any], Sequence[Any]], tuple[str, Any] | None]] = {
    int: _pack_int,
    uuid.UUID: _pack_uuid,
    time: _pack_time,
    datetime: _pack_datetime,
    memoryview: _pack_view,
}
"""
Types of which some values do not fit their kind: they answer `None` for a column with such a value.
"""

KINDS: dict[str, Kind] = {
    ANY: Kind(list[Any]),
    NULLS: Kind(list[None]),
    INT: Kind(list[int | None]),
    UUID: Kind(list[uuid.UUID | None]),
    UUID_OF_ASYNCPG: Kind(list[bytes | None], _unpack_asyncpg_uuids),
    TIME: Kind(list[time | None]),
    NAIVE: Kind(list[datetime | None]),
    AWARE: Kind(tuple[list[Any], list[int], list[datetime | None]], _unpack_aware),
    **{
        letter: Kind(list[bytes | None], partial(_unpack_views, view_format))
        for view_format, letter in _VIEWS.items()
    },
    **{code: Kind(list[cls | None]) for cls, code in _PLAIN.items()},  # type: ignore[valid-type]
}
"""
By the letter written into entries, which must never be given to another kind.
"""
