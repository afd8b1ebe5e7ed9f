"""
On which slices of its tables does an execution depend, and which does it change?

A *slice* is the rows of a table with one value in a column: the primary key, or a column that the
table's policy names. A read whose every mention of a table is pinned (see `pins`) depends on slices
of it instead of the whole; a write touches the whole table, and besides

- `#column=value` for every sliced column by which it can place its rows: for the values before
  *and* after, where both are known;
- `#bulk-but-<those columns>`, on which every read by any other column depends; with no column at
  all it is `#bulk`, on which all of them do.

So a writer that cannot tell a row's value in some column, or has never heard that the column is
sliced, ends every read by it.

Where may the value before come from? Not from memory: a row that was loaded may have been changed
and committed by somebody else since, and is in another slice by now. What places a row is the
statement itself: its WHERE holds for the row as it is when the database changes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, product
from typing import Any, Final

from ormcache.model import Scope, bulk_scope, slice_scope

from .catalog_model import Exact, RowNames, Uuid, Whole
from .pins import Change, Operand, Parameter, Pins, pinned_change, pinned_reads

__all__ = ["Placed", "SlicedTable", "Slicing", "read_scopes"]

_MOST_VALUES: Final = 16
_MOST_ROWS: Final = 256


@dataclass(frozen=True)
class SlicedTable:
    """
    A table whose changes are told apart, and the columns by which: the primary key comes first.
    """

    scope: Scope
    rows: RowNames
    extra: tuple[str, ...]

    @cached_property
    def slices(self) -> dict[str, tuple[str, ...]]:
        """
        The columns of each slice, by its name.
        """
        key = {",".join(self.rows.key): self.rows.key} if self.rows.key else {}
        return key | {column: (column,) for column in self.extra if column in self.rows.columns}

    @cached_property
    def ended_by(self) -> dict[str, tuple[Scope, ...]]:
        """
        What a read by a slice depends on besides its values, by the slice's name.
        """
        return {name: self._bulk_but(name) for name in self.slices}

    def _bulk_but(self, name: str) -> tuple[Scope, ...]:
        others = [each for each in self.slices if each != name]
        sizes = range(len(others) + 1)
        subsets = chain.from_iterable(combinations(others, size) for size in sizes)
        return tuple(bulk_scope(self.scope, subset) for subset in subsets)

    def values(self, name: str, pins: Mapping[str, Collection[Any]]) -> set[str] | None:
        """
        Return the values of a slice that the *pins* leave, each as one text; None: too many, or
        they cannot be told.
        """
        found: list[list[str]] = []
        for column in self.slices[name]:
            kind = self.rows.columns[column]
            texts = [_text(value, kind) for value in pins.get(column, ())]
            known = [text for text in texts if text is not None]
            if not known or len(known) != len(texts) or len(known) > _MOST_VALUES:
                return None
            found.append(known)
        together = {",".join(parts) for parts in product(*found)}
        return together if len(together) <= _MOST_VALUES else None

    def of(self, name: str, values: Iterable[str]) -> Iterator[Scope]:
        """
        Yield the scopes of some values of a slice.
        """
        return (slice_scope(self.scope, name, value) for value in values)


def read_scopes(
    whole: tuple[Scope, ...],
    tables: Mapping[Any, SlicedTable],
    places: Mapping[Any, tuple[Pins, ...]],
    parameters: Any,
) -> tuple[Scope, ...]:
    """
    Return what a read depends on: as *whole* says, or slices instead of *tables* that are pinned.
    """
    narrowed: dict[Scope, list[Scope]] = {}
    for name, table in tables.items():
        found = _of_places(table, places.get(name, ()), parameters)
        if found is not None:
            narrowed[table.scope] = found
    if not narrowed:
        return whole
    return tuple(
        dict.fromkeys(chain.from_iterable(narrowed.get(scope, (scope,)) for scope in whole))
    )


def _of_places(table: SlicedTable, places: tuple[Pins, ...], parameters: Any) -> list[Scope] | None:
    found: list[Scope] = []
    for pins in places:
        here = _of_place(table, pins, parameters) if pins else None
        if here is None:
            return None
        found += here
    return found or None


def _of_place(table: SlicedTable, pins: Pins, parameters: Any) -> list[Scope] | None:
    for name, columns in table.slices.items():
        if not pins.keys() >= set(columns):
            continue
        given = {column: _given(pins[column], parameters) for column in columns}
        values = table.values(name, given)
        if values is not None:
            return [*table.ended_by[name], *sorted(table.of(name, values))]
    return None


@dataclass(frozen=True, slots=True)
class Placed:
    """
    The rows of one table that an execution changes, as far as they can be told.
    """

    table: SlicedTable
    by: Mapping[str, frozenset[str]]
    """By slice, the values that the rows have, before or after."""
    generated: int = 0
    """How many rows are going to get a primary key that the database makes."""

    @property
    def bulk(self) -> Scope:
        """
        What ends the reads by all other slices.
        """
        return bulk_scope(self.table.scope, self.by)

    @property
    def scopes(self) -> frozenset[Scope]:
        """
        All that is touched besides the whole table.
        """
        named = (self.table.of(name, values) for name, values in self.by.items())
        return frozenset((self.bulk, *chain.from_iterable(named)))

    @property
    def counted(self) -> bool:
        """
        Whether the number that the driver tells of a new row is its primary key.
        """
        kinds = [self.table.rows.columns[column] for column in self.table.rows.key]
        return len(kinds) == 1 and isinstance(kinds[0], Whole) and kinds[0].counted

    def with_keys(self, keys: Sequence[Mapping[str, Any]]) -> Placed:
        """
        Return the same with the primary keys that were made; itself where these cannot be used.
        """
        name = next(iter(self.table.slices))
        values = [
            self.table.values(name, {column: (value,) for column, value in key.items()})
            for key in keys
        ]
        known = [each for each in values if each is not None]
        if len(known) != len(values) or len(known) != self.generated:
            return self
        return Placed(self.table, {**self.by, name: frozenset(chain.from_iterable(known))})


@dataclass(frozen=True, slots=True)
class Slicing:
    """
    What is known of the slices of one statement on one database, before its parameters.
    """

    reads: Mapping[Any, SlicedTable]
    """The tables that it reads and that may be sliced, by the name they have in it."""
    changed: tuple[Any, SlicedTable] | None
    """The one table that it changes itself, if its rows can be told, with its name."""
    bulk: frozenset[Scope]
    """What ends every slice of all other tables that it may change."""
    unsliced: tuple[str, ...] = ()
    """The columns, as `table.column`, that a policy names in vain."""

    def depends_on(
        self, whole: tuple[Scope, ...], sql: str, dialect: str, paramstyle: str, parameters: Any
    ) -> tuple[Scope, ...]:
        """
        Return what one execution of a read depends on.
        """
        if not self.reads:
            return whole
        return read_scopes(whole, self.reads, pinned_reads(sql, dialect, paramstyle), parameters)

    def touches(
        self, sql: str | None, dialect: str, paramstyle: str, parameters: Sequence[Any]
    ) -> Placed | None:
        """
        Return which rows of the changed table one execution changes; None where it has none.

        *sql* is None where the text is not the one that the parameters are for.
        """
        if self.changed is None:
            return None
        name, table = self.changed
        change = None if sql is None else pinned_change(sql, dialect, paramstyle)
        if change is None or change.table != name or not 0 < len(parameters) <= _MOST_ROWS:
            return Placed(table, {})
        return _place(table, change, parameters)


def _place(table: SlicedTable, change: Change, parameters: Sequence[Any]) -> Placed:
    by: dict[str, frozenset[str]] = {}
    for name, columns in table.slices.items():
        values = _changed(table, name, columns, change, parameters)
        if values is not None:
            by[name] = frozenset(values)
    new = 0 if change.where is not None else len(change.values) * len(parameters)
    without_key = bool(table.rows.key) and next(iter(table.slices)) not in by
    return Placed(table, by, generated=new if without_key else 0)


def _changed(
    table: SlicedTable,
    name: str,
    columns: tuple[str, ...],
    change: Change,
    parameters: Sequence[Any],
) -> set[str] | None:
    """
    Return every value in a slice's *columns* that a changed row has before or after.
    """
    found: set[str] = set()
    for given in parameters:
        for pins in _before_and_after(columns, change):
            said = {column: _given(pins.get(column, ()), given) for column in columns}
            values = table.values(name, said)
            if values is None or (
                change.where is None and any(0 in each for each in said.values())
            ):
                return None  # to MySQL, 0 in a new row asks for the next number
            found |= values
    return found


def _before_and_after(columns: tuple[str, ...], change: Change) -> Iterator[Pins]:
    before = change.where or {}
    if change.where is not None:
        yield before
    for row in change.values:
        if change.where is None or not row.keys().isdisjoint(columns):
            # A column that is not set keeps its value.
            yield {column: _after(column, row, before) for column in columns}


def _after(column: str, row: Mapping[str, Operand | None], before: Pins) -> tuple[Operand, ...]:
    if column not in row:
        return before.get(column, ())
    operand = row[column]
    return () if operand is None else (operand,)


def _given(operands: Iterable[Operand], parameters: Any) -> list[Any]:
    return [
        _lookup(each.key, parameters) if isinstance(each, Parameter) else each for each in operands
    ]


def _lookup(key: str | int, parameters: Any) -> Any:
    try:
        return parameters[key]
    except (LookupError, TypeError):
        return None


def _text(value: Any, kind: Exact) -> str | None:
    """
    Return the one text for a value that a driver is given, or None where it may mean another.
    """
    if isinstance(kind, Uuid):
        return _uuid(value)
    # Not bool, nor a float or text that the database would convert by rules of its own.
    return str(value) if type(value) is int and kind.low <= value <= kind.high else None


def _uuid(value: Any) -> str | None:
    if isinstance(value, uuid.UUID):
        return value.hex
    try:
        return uuid.UUID(value).hex if type(value) is str else None
    except ValueError:
        return None
