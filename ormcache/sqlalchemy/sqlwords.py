"""
What does a statement do that is neither a query nor a data change?

These are recognised by their first word; sqlglot is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .facts import NOTHING, Kind, SqlFacts, TableName
from .functions import words
from .sqlscan import Statement

Inner = Callable[[Statement, str], SqlFacts]
"""Answers for a statement inside another: `EXPLAIN ANALYZE <statement>`."""

_Handler = Callable[[str, Statement, str, Inner], SqlFacts]

ANYTHING: Final = SqlFacts(
    Kind.UNKNOWN,
    writes=None,
    uncacheable="not parsable",
    implicit_commit=True,
    changes_session=True,
)
_NOT_A_READ: Final = "not a read"
_PART: Final = r'(?:[\w$]+|"(?:[^"]|"")+"|`(?:[^`]|``)+`)'
_NAME: Final = rf"(?P<name>{_PART}(?:\s*\.\s*{_PART})*)"


def by_first_word(word: str, statement: Statement, dialect: str, inner: Inner) -> SqlFacts | None:
    """The facts of a statement that begins with this word; None when a parser must tell."""
    handler = _HANDLERS.get(word)
    return handler(word, statement, dialect, inner) if handler else None


def _matched(pattern: str, text: str) -> re.Match[str] | None:
    return re.match(pattern, text, re.IGNORECASE | re.DOTALL)


def _says(pattern: str, statement: Statement) -> bool:
    return re.search(rf"\b(?:{pattern})\b", statement.masked, re.IGNORECASE) is not None


def _table(name: str) -> TableName:
    parts = [part.strip('"`').casefold() for part in re.findall(_PART, name)]
    return TableName(parts[-2] if len(parts) > 1 else None, parts[-1])


def _behind(pattern: str, statement: Statement) -> Statement | None:
    """The statement without a beginning that has no literals in it."""
    text, masked = _matched(pattern, statement.text), _matched(pattern, statement.masked)
    if text is None or masked is None:
        return None
    return Statement(statement.text[text.end() :], statement.masked[masked.end() :])


# --- the transaction and the session ----------------------------------------------------------


def _begin(_: str, statement: Statement, dialect: str, __: Inner) -> SqlFacts:
    return SqlFacts(
        Kind.TRANSACTION,
        uncacheable=_NOT_A_READ,
        implicit_commit=dialect == "mysql",
        changes_session=_says("isolation|read|deferrable|consistent", statement),
    )


def _transaction(word: str, statement: Statement, _: str, __: Inner) -> SqlFacts:
    commits = word in ("commit", "end") or (word == "xa" and _says("commit|prepare", statement))
    return SqlFacts(Kind.TRANSACTION, uncacheable=_NOT_A_READ, implicit_commit=commits)


def _prepare(_: str, statement: Statement, __: str, ___: Inner) -> SqlFacts:
    if _matched(r"prepare\s+transaction\b", statement.masked):
        return SqlFacts(Kind.TRANSACTION, uncacheable=_NOT_A_READ, implicit_commit=True)
    return SqlFacts(Kind.SESSION, uncacheable=_NOT_A_READ)


def _lock(_: str, __: Statement, dialect: str, ___: Inner) -> SqlFacts:
    return SqlFacts(Kind.TRANSACTION, uncacheable=_NOT_A_READ, implicit_commit=dialect == "mysql")


def _set(_: str, statement: Statement, dialect: str, __: Inner) -> SqlFacts:
    # MySQL evaluates any expression here, also calls and subqueries.
    calls = dialect == "mysql" and "(" in statement.masked
    return SqlFacts(
        Kind.SESSION,
        writes=None if calls else NOTHING,
        uncacheable=_NOT_A_READ,
        implicit_commit=dialect == "mysql" and _says("autocommit|password", statement),
        changes_session=True,
    )


def _session(word: str, _: Statement, dialect: str, __: Inner) -> SqlFacts:
    return SqlFacts(
        Kind.SESSION,
        uncacheable=_NOT_A_READ,
        implicit_commit=dialect == "mysql" and word == "reset",
        changes_session=True,
    )


def _quiet(_: str, __: Statement, ___: str, ____: Inner) -> SqlFacts:
    return SqlFacts(Kind.SESSION, uncacheable=_NOT_A_READ)


_READING_PRAGMAS: Final = words("""
    collation_list compile_options database_list foreign_key_check foreign_key_list function_list
    index_info index_list index_xinfo integrity_check module_list pragma_list quick_check stats
    table_info table_list table_xinfo
    """)


def _pragma(_: str, statement: Statement, __: str, ___: Inner) -> SqlFacts:
    found = _matched(
        rf"pragma\s+(?:{_PART}\s*\.\s*)?(?P<name>\w+)\s*(?P<value>[=(])?", statement.masked
    )
    name = found["name"].lower() if found else ""
    if found and (not found["value"] or name in _READING_PRAGMAS):
        return SqlFacts(Kind.READ, uncacheable="PRAGMA")
    return SqlFacts(Kind.SESSION, uncacheable=_NOT_A_READ, changes_session=True)


# --- definitions and maintenance --------------------------------------------------------------


def _ddl(word: str, statement: Statement, dialect: str, _: Inner) -> SqlFacts:
    temporary = (
        word in ("create", "drop")
        and _matched(
            r"(?:create|drop)\s+(?:or\s+replace\s+)?(?:local\s+|global\s+)?temp(?:orary)?\b"
            r"|create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?\"?pg_temp",
            statement.masked,
        )
        is not None
    )
    alone = temporary and not _says("as|select", statement)
    return SqlFacts(
        Kind.DDL,
        writes=NOTHING if alone else None,
        uncacheable=_NOT_A_READ,
        implicit_commit=dialect == "mysql" and not temporary,
        changes_session=temporary,
    )


def _maintenance(word: str, statement: Statement, dialect: str, inner: Inner) -> SqlFacts:
    if word == "analyze" and (facts := _explained(word, statement, dialect, inner)):
        return facts
    return SqlFacts(
        Kind.DDL,
        # SQLite's VACUUM gives rows new rowids.
        writes=None if (word, dialect) == ("vacuum", "sqlite") else NOTHING,
        uncacheable=_NOT_A_READ,
        implicit_commit=dialect == "mysql" or word != "analyze",
    )


# --- what reads or writes after all -----------------------------------------------------------

_STATEMENT: Final = (
    r"(?=\(*\s*(?:select|with|values|table|insert|replace|update|delete|merge|create|refresh"
    r"|execute|declare|call)\b)"
)
_EXPLAIN: Final = (
    r"(?:explain|analyze|describe|desc)\b\s*"
    r"(?P<options>(?:\((?!\s*(?:select|with|values|table)\b)[^()]*\)\s*)?"
    r"(?:(?:analyze|verbose|extended|partitions|query\s+plan|format\s*=\s*\w+)\b\s*)*)" + _STATEMENT
)


def _explained(word: str, statement: Statement, dialect: str, inner: Inner) -> SqlFacts | None:
    """`EXPLAIN ANALYZE x` and MariaDB's `ANALYZE x` carry x out."""
    options = _matched(_EXPLAIN, statement.masked)
    rest = _behind(_EXPLAIN, statement)
    if options is None or rest is None:
        return None
    if word == "analyze":
        carried_out = not _matched(r"table\b", rest.masked)
    else:
        carried_out = re.search(r"\banalyze\b", options["options"], re.IGNORECASE) is not None
    if not carried_out:
        return None
    facts = inner(rest, dialect)
    return replace(facts, uncacheable="EXPLAIN", ordered=False)


def _explain(word: str, statement: Statement, dialect: str, inner: Inner) -> SqlFacts:
    facts = _explained(word, statement, dialect, inner)
    return facts or SqlFacts(Kind.READ, uncacheable="EXPLAIN")


def _show(word: str, _: Statement, __: str, ___: Inner) -> SqlFacts:
    return SqlFacts(Kind.READ, uncacheable=word.upper())


def _call(_: str, __: Statement, ___: str, ____: Inner) -> SqlFacts:
    # A procedure, and a DO block, may commit on its own.
    return SqlFacts(Kind.CALL, writes=None, uncacheable=_NOT_A_READ, implicit_commit=True)


def _execute(_: str, __: Statement, dialect: str, ___: Inner) -> SqlFacts:
    # What was prepared under this name is not in the text.
    free = dialect == "mysql"
    return replace(ANYTHING, uncacheable="EXECUTE", implicit_commit=free, changes_session=free)


def _declare(_: str, statement: Statement, dialect: str, inner: Inner) -> SqlFacts:
    query = _behind(rf"declare\s+{_PART}\s[\w\s]*?\bcursor\b[\w\s]*?\bfor\b\s*", statement)
    if query is None:
        return ANYTHING
    return replace(inner(query, dialect), uncacheable="cursor", ordered=False)


def _cursor(_: str, __: Statement, ___: str, ____: Inner) -> SqlFacts:
    return SqlFacts(Kind.READ, uncacheable="cursor")


def _copy(_: str, statement: Statement, dialect: str, inner: Inner) -> SqlFacts:
    if (query := _behind(r"copy\s*(?=\()", statement)) is not None:
        end = query.masked.rfind(")", 0, query.masked.lower().rfind(" to ") + 1)
        inside = Statement(
            query.text[1 : query.text.rfind(")", 0, query.text.lower().rfind(" to ") + 1)],
            query.masked[1:end],
        )
        return replace(inner(inside, dialect), uncacheable="COPY", ordered=False)
    found = _matched(
        rf"copy\s+(?:binary\s+)?{_NAME}\s*(?:\([^()]*\)\s*)?(?P<way>from|to)\b", statement.text
    )
    if found is None:
        return ANYTHING
    table = frozenset({_table(found["name"])})
    if found["way"].lower() == "to":
        return SqlFacts(Kind.READ, reads=table, uncacheable="COPY")
    return SqlFacts(Kind.WRITE, writes=table, uncacheable=_NOT_A_READ)


def _load(word: str, statement: Statement, dialect: str, inner: Inner) -> SqlFacts:
    if dialect != "mysql":
        return _session(word, statement, dialect, inner)
    if _matched(r"load\s+index\b", statement.masked):
        return _maintenance(word, statement, dialect, inner)
    found = _matched(rf".*?\binto\s+table\s+{_NAME}", statement.masked)
    if found is None or _says("set", statement):
        return replace(ANYTHING, kind=Kind.WRITE, changes_session=False)
    table = frozenset({_table(found["name"])})
    return SqlFacts(Kind.WRITE, writes=table, uncacheable=_NOT_A_READ)


def _refresh(_: str, statement: Statement, __: str, ___: Inner) -> SqlFacts:
    found = _matched(
        rf"refresh\s+materialized\s+view\s+(?:concurrently\s+)?{_NAME}", statement.text
    )
    writes = frozenset({_table(found["name"])}) if found else None
    return SqlFacts(Kind.WRITE, writes=writes, uncacheable=_NOT_A_READ)


_BY_HANDLER: Final[dict[_Handler, str]] = {
    _begin: "begin start",
    _transaction: "commit end rollback abort savepoint release xa",
    _prepare: "prepare",
    _lock: "lock unlock",
    _set: "set",
    _session: "reset use attach detach discard",
    _quiet: "listen notify unlisten close deallocate",
    _pragma: "pragma",
    _ddl: "create alter drop rename comment grant revoke security import reassign install "
    "uninstall",
    _maintenance: "analyze vacuum checkpoint reindex cluster optimize flush cache check",
    _explain: "explain describe desc",
    _show: "show checksum help kill",
    _call: "call do",
    _execute: "execute",
    _declare: "declare",
    _cursor: "fetch move",
    _copy: "copy",
    _load: "load",
    _refresh: "refresh",
}
_HANDLERS: Final = {
    word: handler for handler, listed in _BY_HANDLER.items() for word in listed.split()
}
