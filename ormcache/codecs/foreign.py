"""
Which classes of the database drivers may be stored, and how are they rebuilt?

A closed registry: a class is looked up by the number written into the entry, never by a name found
there. No driver is imported here; a process that stores a driver's value has imported it already,
and one that reads such a value imports it then.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

__all__ = ["ASYNCPG_UUID", "FOREIGN", "ForeignClass", "foreign_class"]


# The public properties hide the bounds of a range without a lower or upper end, and psycopg2
# compares by them.
_ends_and_bounds = attrgetter("_lower", "_upper", "_bounds")


def _range_parts(value: Any) -> list[Any]:
    return [] if value.isempty else list(_ends_and_bounds(value))


def _range(cls: Callable[..., Any], parts: list[Any]) -> Any:
    return cls(*parts) if parts else cls(empty=True)


def _multirange(cls: Callable[..., Any], parts: list[Any]) -> Any:
    return cls(parts)


_asyncpg_ends = attrgetter("lower", "upper", "lower_inc", "upper_inc")


def _asyncpg_range_parts(value: Any) -> list[Any]:
    return [] if value.isempty else list(_asyncpg_ends(value))


def _asyncpg_range(cls: Callable[..., Any], parts: list[Any]) -> Any:
    if not parts:
        return cls(empty=True)
    lower, upper, lower_inc, upper_inc = parts
    return cls(lower, upper, lower_inc=lower_inc, upper_inc=upper_inc)


def _bits(cls: Any, parts: list[Any]) -> Any:
    data, length = parts
    # `frombytes(None, 10**12)` would be a great many zeros; a view refuses anything but bytes.
    return cls.frombytes(bytes(memoryview(data)), length)


def _path(cls: Callable[..., Any], parts: list[Any]) -> Any:
    *points, is_closed = parts
    return cls(*points, is_closed=is_closed)


_pg8000_range_parts = attrgetter("lower", "upper", "bounds", "is_empty")
_interval_parts = attrgetter(
    *("millennia", "centuries", "decades", "years", "months", "weeks", "days"),
    *("hours", "minutes", "seconds", "microseconds"),
)


def _from_parts(cls: Callable[..., Any], parts: list[Any]) -> Any:
    return cls(*parts)


class ForeignClass(NamedTuple):
    """
    A driver's class: where it lives, how it comes apart and how it is put together.
    """

    module: str
    name: str
    dump: Callable[[Any], Sequence[Any]]
    build: Callable[[Callable[..., Any], list[Any]], Any]

    def load(self, parts: list[Any]) -> Any:
        """
        Return the value made of *parts*; `ImportError` if the driver is not installed here.
        """
        return self.build(self.find(), parts)

    def find(self) -> Callable[..., Any]:
        """
        Return the class itself, imported if need be.
        """
        found: Callable[..., Any] = getattr(importlib.import_module(self.module), self.name)
        return found


_PGPROTO, _PGTYPES = "asyncpg.pgproto.pgproto", "asyncpg.pgproto.types"

ASYNCPG_UUID = 70
"""
Whole columns of these are common: keys.
"""

FOREIGN: dict[int, ForeignClass] = {
    64: ForeignClass("psycopg.types.range", "Range", _range_parts, _range),
    65: ForeignClass("psycopg.types.multirange", "Multirange", list, _multirange),
    66: ForeignClass("psycopg2.extras", "NumericRange", _range_parts, _range),
    67: ForeignClass("psycopg2.extras", "DateRange", _range_parts, _range),
    68: ForeignClass("psycopg2.extras", "DateTimeRange", _range_parts, _range),
    69: ForeignClass("psycopg2.extras", "DateTimeTZRange", _range_parts, _range),
    ASYNCPG_UUID: ForeignClass(_PGPROTO, "UUID", lambda value: [value.bytes], _from_parts),
    71: ForeignClass("asyncpg.types", "Range", _asyncpg_range_parts, _asyncpg_range),
    72: ForeignClass(_PGTYPES, "BitString", lambda value: [value.bytes, len(value)], _bits),
    73: ForeignClass(_PGTYPES, "Point", list, _from_parts),
    74: ForeignClass(_PGTYPES, "Line", list, _from_parts),
    75: ForeignClass(_PGTYPES, "LineSegment", list, _from_parts),
    76: ForeignClass(_PGTYPES, "Box", list, _from_parts),
    77: ForeignClass(_PGTYPES, "Path", lambda value: [*value.points, value.is_closed], _path),
    78: ForeignClass(_PGTYPES, "Polygon", lambda value: list(value.points), _from_parts),
    79: ForeignClass(_PGTYPES, "Circle", list, _from_parts),
    80: ForeignClass("pg8000.types", "Range", _pg8000_range_parts, _from_parts),
    81: ForeignClass("pg8000.types", "PGInterval", _interval_parts, _from_parts),
}
"""
By the number written into entries, which must never be given to another class.
"""

_CODES = {(entry.module.partition(".")[0], entry.name): code for code, entry in FOREIGN.items()}


def foreign_class(cls: type) -> int | None:
    """
    Return the number of *cls* in the registry, or `None` if it is not exactly a class of it.
    """
    code = _CODES.get((cls.__module__.partition(".")[0], cls.__name__))
    if code is None:
        return None
    module = sys.modules.get(FOREIGN[code].module)
    # A class of the same name elsewhere in the driver, or a stranger's, is not the registered one.
    return code if getattr(module, FOREIGN[code].name, None) is cls else None
