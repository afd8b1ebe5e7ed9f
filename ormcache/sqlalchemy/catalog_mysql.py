"""
What does a MySQL or MariaDB server know about its tables?

`information_schema` shows each user what they may use, and never refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from .catalog_model import Catalog, Query, Uuid, Whole, gathered, row_names, table_name
from .facts import TableName
from .functions import words
from .sqltext import SqlFacts, analyze

_TABLES: Final = """
    SELECT t.table_schema, t.table_name, t.table_type, t.engine, e.transactions
    FROM information_schema.tables t
    LEFT JOIN information_schema.engines e ON e.engine = t.engine
"""
_VIEWS: Final = """
    SELECT table_schema, table_name, view_definition FROM information_schema.views
"""
_CASCADES: Final = """
    SELECT unique_constraint_schema, referenced_table_name, constraint_schema, table_name
    FROM information_schema.referential_constraints
    WHERE delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
        OR update_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')
"""
_TRIGGERS: Final = """
    SELECT DISTINCT event_object_schema, event_object_table FROM information_schema.triggers
"""
_COLUMNS: Final = """
    SELECT table_schema, table_name, column_name, data_type, column_type, column_key, extra
    FROM information_schema.columns
    WHERE column_key = 'PRI'
        OR data_type IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'uuid')
"""
_BYTES: Final = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
_ROUTINES: Final = """
    SELECT routine_schema, routine_name FROM information_schema.routines
"""
_SYSTEM: Final = words("information_schema mysql performance_schema sys")

# The engines whose tables hold their own rows, and show no others.
_PLAIN: Final = words("archive aria columnstore innodb memory myisam ndbcluster rocksdb tokudb")


def load(query: Query) -> Catalog:
    """The catalog of all databases on the server, as the user sees them."""
    tables = [_Table(row) for row in _users(query(_TABLES))]
    views = {
        table_name(_text(schema), _text(name)): analyze(_text(definition), "mysql", "")
        for schema, name, definition in _users(query(_VIEWS))
    }
    routines = [(_text(schema), _text(name)) for schema, name in _users(query(_ROUTINES))]
    odd = {each.name: each.oddity for each in tables if each.oddity}
    return Catalog(
        dialect="mysql",
        search_path=tuple(_text(name).casefold() for (name,) in query("SELECT DATABASE()") if name),
        tables=frozenset(each.name for each in tables) | frozenset(views),
        nontransactional=frozenset(each.name for each in tables if not each.transactional),
        triggered=frozenset(_named(row) for row in _users(query(_TRIGGERS))),
        view_sources={name: facts.reads for name, facts in views.items()},
        unreadable=odd | {view: why for view, facts in views.items() if (why := _why(view, facts))},
        cascades=gathered((_named(row[:2]), _named(row[2:])) for row in query(_CASCADES)),
        unplaceable=frozenset(odd) | frozenset(v for v, facts in views.items() if not facts.reads),
        row_names=row_names(_column(row) for row in _users(query(_COLUMNS))),
        functions={
            key.lower(): "writes" for schema, name in routines for key in (name, f"{schema}.{name}")
        },
    )


def _users(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows about other schemas than the server's own."""
    return (row for row in rows if _text(row[0]).casefold() not in _SYSTEM)


class _Table:
    """One row of the tables, by names."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        schema, name, kind, engine, transactions = map(_text, row)
        self.name: TableName = table_name(schema, name)
        is_view = kind.casefold().endswith("view")
        self.transactional = is_view or transactions.casefold() == "yes"
        self.oddity: str | None = None
        if kind.casefold() == "sequence":
            self.oddity = f"sequence {name}"
        elif not is_view and engine.casefold() not in _PLAIN:
            self.oddity = f"table {name} of the engine {engine or 'unknown'}"


def _column(row: tuple[Any, ...]) -> tuple[TableName, str, Uuid | Whole | None, bool]:
    schema, table, name, kind, full, key, extra = map(_text, row)
    computed = "generated" in extra.casefold() and "default_generated" not in extra.casefold()
    counted = "auto_increment" in extra.casefold()
    exact = None if computed else _exact(kind.casefold(), full.casefold(), counted=counted)
    return table_name(schema, table), name, exact, key.casefold() == "pri"


def _exact(kind: str, full: str, *, counted: bool) -> Uuid | Whole | None:
    if kind == "uuid":
        return Uuid()
    if (size := _BYTES.get(kind)) is None:
        return None
    # A number out of range may be stored as the nearest that fits.
    if "unsigned" in full:
        return Whole(0, 2 ** (8 * size) - 1, counted)
    return Whole(-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1, counted)


def _why(view: TableName, facts: SqlFacts) -> str | None:
    if facts.uncacheable == "empty":
        return f"view {view.name}: this user may not see its definition"
    return f"view {view.name}: {facts.uncacheable}" if facts.uncacheable else None


def _named(row: tuple[Any, ...]) -> TableName:
    return table_name(*map(_text, row))


def _text(value: Any) -> str:
    # Some drivers return the texts of information_schema as bytes.
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value or "")
