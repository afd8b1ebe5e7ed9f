"""
Which classes of the database drivers may be stored, and how are they rebuilt?

A closed registry: a class is looked up by the number written into the entry, never by a name found
there. No driver is imported here; a process that stores a driver's value has imported it already,
and one that reads such a value imports it then.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

__all__ = ["FOREIGN", "ForeignClass", "foreign_class"]


# The public properties hide the bounds of a range without a lower or upper end, and psycopg2
# compares by them.
_ends_and_bounds = attrgetter("_lower", "_upper", "_bounds")


def _range_parts(value: Any) -> list[Any]:
    return [] if value.isempty else list(_ends_and_bounds(value))


def _range(cls: Callable[..., Any], parts: list[Any]) -> Any:
    return cls(*parts) if parts else cls(empty=True)


def _multirange(cls: Callable[..., Any], parts: list[Any]) -> Any:
    return cls(parts)


class ForeignClass(NamedTuple):
    """
    A driver's class: where it lives, how it comes apart and how it is put together.
    """

    module: str
    name: str
    dump: Callable[[Any], list[Any]]
    build: Callable[[Callable[..., Any], list[Any]], Any]

    def load(self, parts: list[Any]) -> Any:
        """
        Return the value made of *parts*; `ImportError` if the driver is not installed here.
        """
        return self.build(getattr(importlib.import_module(self.module), self.name), parts)


FOREIGN: dict[int, ForeignClass] = {
    64: ForeignClass("psycopg.types.range", "Range", _range_parts, _range),
    65: ForeignClass("psycopg.types.multirange", "Multirange", list, _multirange),
    66: ForeignClass("psycopg2.extras", "NumericRange", _range_parts, _range),
    67: ForeignClass("psycopg2.extras", "DateRange", _range_parts, _range),
    68: ForeignClass("psycopg2.extras", "DateTimeRange", _range_parts, _range),
    69: ForeignClass("psycopg2.extras", "DateTimeTZRange", _range_parts, _range),
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
