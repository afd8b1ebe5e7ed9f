"""
What does a SQLite database know about its tables?

Attached and temporary databases count as one with the main one: names cannot be told apart.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from .catalog_model import Catalog, Query, Whole, gathered, row_names, table_name
from .facts import TableName
from .functions import words
from .sqltext import SqlFacts, analyze

_ACTING: Final = words("cascade set")
_NAME: Final = r'(?:"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|\'[^\']*\'|[\w$]+)'
_VIEW: Final = re.compile(
    rf"\s*create\s+(?:temp(?:orary)?\s+)?view\s+(?:if\s+not\s+exists\s+)?{_NAME}(?:\s*\.\s*{_NAME})?"
    rf"\s*(?:\(\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\)\s*)?as\b",
    re.IGNORECASE,
)
_VIRTUAL: Final = re.compile(
    r"\s*create\s+virtual\s+table\b.*?\busing\s+(?P<module>\w+)", re.IGNORECASE | re.DOTALL
)
_SELF_CONTAINED: Final = words("fts3 fts4 fts5 rtree rtree_i32 geopoly")


def load(query: Query) -> Catalog:
    """The catalog of a connection's databases."""
    databases = [str(row[1]) for row in query("PRAGMA database_list")]
    things = [row for database in databases for row in query(_things_in(database))]
    tables = {_main(name): sql or "" for kind, name, _, sql in things if kind == "table"}
    views = {
        _main(name): analyze(_VIEW.sub("", sql, count=1), "sqlite", "")
        for kind, name, _, sql in things
        if kind == "view"
    }
    counts = Counter(_main(name) for kind, name, _, _ in things if kind in ("table", "view"))
    twice = {name for name, count in counts.items() if count > 1}
    triggered = frozenset(_main(table) for kind, _, table, _ in things if kind == "trigger")
    keys = [row for database in databases for row in query(_keys_in(database))]
    return Catalog(
        dialect="sqlite",
        search_path=("main",),
        tables=frozenset(tables) | frozenset(views),
        triggered=triggered,
        view_sources={
            view: frozenset(_main(each.name) for each in facts.reads)
            for view, facts in views.items()
        },
        unreadable={name: why for name, sql in tables.items() if (why := _virtual(name, sql))}
        | {name: why for name, facts in views.items() if (why := _hidden(name, facts))},
        # Followed whether `PRAGMA foreign_keys` is on or not: another connection may have it on.
        cascades=gathered(
            (_main(referenced), _main(table))
            for table, referenced, *actions in keys
            if any(str(action).lower().split()[0] in _ACTING for action in actions)
        ),
        row_names=row_names(
            (_main(table), name, _exact(kind, hidden, in_key), bool(in_key))
            for database in databases
            for table, name, kind, in_key, hidden in query(_columns_in(database))
            if _main(table) not in twice
        ),
        # A view is written by its INSTEAD OF trigger, which may do anything.
        unplaceable=triggered & frozenset(views),
    )


def _things_in(database: str) -> str:
    return f"SELECT type, name, tbl_name, sql FROM {_quoted(database)}.sqlite_master"  # noqa: S608 - quoted


def _keys_in(database: str) -> str:
    literal = "'" + database.replace("'", "''") + "'"
    return f"""
        SELECT m.name, f."table", f.on_delete, f.on_update
        FROM {_quoted(database)}.sqlite_master AS m, pragma_foreign_key_list(m.name, {literal}) AS f
        WHERE m.type = 'table'
    """  # noqa: S608 - quoted


def _columns_in(database: str) -> str:
    literal = "'" + database.replace("'", "''") + "'"
    return f"""
        SELECT m.name, c.name, c.type, c.pk, c.hidden
        FROM {_quoted(database)}.sqlite_master AS m, pragma_table_xinfo(m.name, {literal}) AS c
        WHERE m.type = 'table'
    """  # noqa: S608 - quoted


def _exact(kind: str, hidden: int, in_key: int) -> Whole | None:
    # By SQLite's own rule, a column whose type has INT in its name turns what it can into integers.
    # A key of the very type INTEGER is the number of the row.
    counted = bool(in_key) and kind.upper() == "INTEGER"
    exact = "INT" in kind.upper() and not hidden
    return Whole(-(2**63), 2**63 - 1, counted) if exact else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _main(name: str) -> TableName:
    return table_name("main", name)


def _virtual(name: TableName, sql: str) -> str | None:
    """Why a virtual table shows more than what is written to it, or None."""
    found = _VIRTUAL.match(sql)
    if found is None:
        return None
    elsewhere = re.search(r"\bcontent\s*=\s*['\"]?\s*\w", sql, re.IGNORECASE)
    if found["module"].lower() in _SELF_CONTAINED and not elsewhere:
        return None
    return f"virtual table {name.name}"


def _hidden(name: TableName, facts: SqlFacts) -> str | None:
    return f"view {name.name}: {facts.uncacheable}" if facts.uncacheable else None
