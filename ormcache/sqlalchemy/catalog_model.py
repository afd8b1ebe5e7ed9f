"""
What follows from a table being read or changed, by rules that only the database keeps?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from .facts import TableName

Query = Callable[[str], Sequence[tuple[Any, ...]]]
"""Runs one SQL text without parameters and returns its rows."""

Effect = Literal["unknown", "reads", "writes", "builtin"]
"""
What calling a function may do: anything, read tables it does not name, change tables it does not
name, or neither because it came with the database.
"""

Names = Mapping[TableName, frozenset[TableName]]


@dataclass(frozen=True, slots=True)
class Whole:
    """
    A column of whole numbers from *low* to *high*.

    *counted*: where a new row has none, the database takes the next number and tells the driver.
    """

    low: int
    high: int
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Uuid:
    """
    A column of the database's own UUID type.
    """


Exact = Whole | Uuid
"""
A type whose values are equal exactly when they are the same value, written in whatever way.

Texts are none: what a collation, a length or trailing spaces make equal is a matter of its own.
"""


@dataclass(frozen=True, slots=True)
class RowNames:
    """
    By which columns the rows of a table can be told apart.

    Attributes:
        columns: The columns with an exact type that no expression computes.
        key: The primary key, where all of its columns are among them; else empty.
    """

    columns: Mapping[str, Exact]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadWidening:
    """
    What a read of some tables depends on.

    Attributes:
        tables: Those tables and views, and every table behind the views.
        unresolvable: Why this cannot be told, or is not all, so that nothing may be stored.
    """

    tables: frozenset[TableName]
    unresolvable: str | None = None


def _no_names() -> Names:
    return {}


@dataclass(frozen=True)
class Catalog:
    """
    What the database itself knows that no SQL text shows. Names are casefolded and qualified.

    Attributes:
        dialect: SQLAlchemy's name of it; "mysql" for MariaDB, too.
        search_path: Schemas in which a name without one is looked for, in this order.
        tables: All tables and views that can be seen.
        nontransactional: Tables where a write is final at once, without a commit.
        triggered: Tables with triggers; what those change is known to the user only.
        view_sources: The tables and views in the definition of each view.
        policy_sources: Those that the row-level security of each table asks. Where it does not bind
            us, it may bind a role that a session becomes.
        unreadable: Why a read of this table or view must not be stored.
        unreadable_in_views: As `unreadable`, for reads that come through a view.
        cascades: Tables with rows that the database itself changes or deletes with the key's.
        parents: Tables that show the rows of the key, too: partitions and inheritance.
        unplaceable: Tables and views where a write may become a write to anything.
        row_names: By which columns the rows of a table can be told apart.
        functions: The worst effect of each function, by name and by "schema.name".
    """

    dialect: str
    search_path: tuple[str, ...] = ()
    tables: frozenset[TableName] = frozenset()
    nontransactional: frozenset[TableName] = frozenset()
    triggered: frozenset[TableName] = frozenset()
    view_sources: Names = field(default_factory=_no_names)
    policy_sources: Names = field(default_factory=_no_names)
    unreadable: Mapping[TableName, str] = field(default_factory=dict)
    unreadable_in_views: Mapping[TableName, str] = field(default_factory=dict)
    cascades: Names = field(default_factory=_no_names)
    parents: Names = field(default_factory=_no_names)
    unplaceable: frozenset[TableName] = frozenset()
    row_names: Mapping[TableName, RowNames] = field(default_factory=dict)
    functions: Mapping[str, Effect] = field(default_factory=dict)

    def resolve(self, table: TableName) -> frozenset[TableName]:
        """
        Every table that a name may mean: one for each schema of the search path if it names none.
        """
        if self.dialect == "sqlite":
            return frozenset({TableName("main", table.name)})
        if table.schema is not None or not self.search_path:
            return frozenset({table})
        return frozenset(TableName(schema, table.name) for schema in self.search_path)

    def reads(self, tables: Iterable[TableName]) -> ReadWidening:
        """
        What a read of these tables and views depends on. Materialized views stay themselves.
        """
        named = frozenset[TableName]().union(*map(self.resolve, tables))
        behind = _closure(self._read_sources, named) - named
        # A partition may be a foreign table although its parent is not.
        parts = _closure(self._children, named | behind)
        reasons = [self.unreadable[each] for each in sorted(parts) if each in self.unreadable]
        hidden = self.unreadable_in_views
        reasons += [hidden[each] for each in sorted(behind) if each in hidden]
        return ReadWidening(named | behind, reasons[0] if reasons else None)

    def writes(self, tables: Iterable[TableName]) -> frozenset[TableName] | None:
        """
        What a write to these tables may change; None when that may be anything.

        Whatever the verb: a REPLACE deletes, an upsert updates, so every cascade is assumed.
        """
        touched = frozenset[TableName]().union(*map(self.resolve, tables))
        while True:
            # A write through a parent reaches its partitions; a row of a partition shows in all
            # its parents, but not in their other partitions.
            rows = _closure(self._children, _closure(self.view_sources, touched))
            seen = _closure(self.parents, rows)
            cascaded = frozenset[TableName]().union(*(self.cascades.get(t, ()) for t in seen))
            if cascaded <= touched:
                return None if seen & self.unplaceable else seen
            touched |= cascaded

    def rows_of(self, table: TableName) -> RowNames | None:
        """
        By which columns the rows of *table* can be told apart, in what is read and changed; None
        where a change to one row may change others, or itself, out of sight.
        """
        known = self.row_names.get(table)
        if known is None or table in self.triggered | self.unplaceable:
            return None
        if table in self.parents or table in self._children or table in self.view_sources:
            return None
        return None if table in self._cascading_to_themselves else known

    @cached_property
    def _cascading_to_themselves(self) -> frozenset[TableName]:
        return frozenset(
            table
            for table, direct in self.cascades.items()
            if table in _closure(self.cascades, direct)
        )

    def function_effect(self, name: str) -> Effect:
        """
        The worst a function of this name may do, with its schema or without.
        """
        found = self.functions.get(name.lower())
        if found is not None:
            return found
        if self.dialect == "sqlite":
            return "reads"  # written in the host language: no statement of its own
        return "builtin" if self.dialect == "mysql" and "." not in name else "unknown"

    @cached_property
    def _read_sources(self) -> Names:
        both = (self.view_sources, self.policy_sources)
        return gathered((one, other) for names in both for one in names for other in names[one])

    @cached_property
    def _children(self) -> Names:
        return inverted(self.parents)


def _closure(edges: Names, start: frozenset[TableName]) -> frozenset[TableName]:
    reached, fresh = start, start
    while fresh:
        fresh = frozenset[TableName]().union(*(edges.get(each, ()) for each in fresh)) - reached
        reached |= fresh
    return reached


def row_names(
    columns: Iterable[tuple[TableName, str, Exact | None, bool]],
) -> Mapping[TableName, RowNames]:
    """
    The row names of tables, by their columns: table, name, exact type, in the primary key.

    Every column of a primary key must be among them, and all others that have an exact type.
    """
    seen: dict[TableName, list[tuple[str, Exact | None, bool]]] = {}
    for table, name, kind, in_key in columns:
        seen.setdefault(table, []).append((name.casefold(), kind, in_key))
    return {table: _row_names(listed) for table, listed in seen.items()}


def _row_names(listed: list[tuple[str, Exact | None, bool]]) -> RowNames:
    names = [name for name, _, _ in listed]
    # Of two that differ by their case only, nobody here can tell which is meant.
    exact = {name: kind for name, kind, _ in listed if kind and names.count(name) == 1}
    key = tuple(sorted(name for name, _, in_key in listed if in_key))
    return RowNames(exact, key if exact.keys() >= set(key) else ())


def gathered(pairs: Iterable[tuple[TableName, TableName]]) -> Names:
    """The second names of the pairs, by their first."""
    found: dict[TableName, set[TableName]] = {}
    for one, other in pairs:
        found.setdefault(one, set()).add(other)
    return {one: frozenset(others) for one, others in found.items()}


def inverted(names: Names) -> Names:
    """The same pairs by their second name."""
    return gathered((other, one) for one, others in names.items() for other in others)


def table_name(schema: str, name: str) -> TableName:
    """A name as the database spells it, casefolded."""
    return TableName(schema.casefold(), name.casefold())
