"""
What does this SQL text read, write and call?

`analyze` answers for any text that goes to the driver, and errs on the safe side: it may name too
many tables, or None for "any", but never too few.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from .facts import NOTHING, Kind, SqlFacts, TableName
from .functions import DETERMINISTIC, names_relative_time, words
from .sqlscan import NotScannable, Statement, scan
from .sqltree import facts_of, parse
from .sqlwords import ANYTHING, by_first_word

__all__ = ["Kind", "SqlFacts", "TableName", "analyze", "names_relative_time"]

_SHAPES: Final = 4096
_FAMILIES: Final = {
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}


_NUMBER = re.compile(r"(?<![\w.$])\d+(?:\.\d+)?\b")


@lru_cache(maxsize=_SHAPES)
def analyze(sql: str, dialect: str, paramstyle: str) -> SqlFacts:
    """
    The facts of a SQL text of one or more statements; never raises.

    Args:
        sql: The text as the driver gets it, or as a user wrote it.
        dialect: SQLAlchemy's `dialect.name`.
        paramstyle: The driver's; anything else ("", say) for a text without placeholders.
    """
    family = _FAMILIES.get(dialect)
    if family is None:
        return replace(ANYTHING, uncacheable=f"dialect {dialect}")
    try:
        statements = scan(sql, family, paramstyle)
        if len(statements) > 1 and _WITH_BODY.match(statements[0].masked):
            return _with_body(statements, family)
        facts = [_of_statement(each, family) for each in statements]
    except NotScannable:
        return ANYTHING
    return facts[0] if len(facts) == 1 else _together(facts)


@lru_cache(maxsize=1024)
def without_values(sql: str, dialect: str, paramstyle: str) -> str:
    """
    Return the text without any literal in it, fit for a log.
    """
    try:
        masked = "; ".join(
            statement.masked
            for statement in scan(sql, _FAMILIES.get(dialect, "postgresql"), paramstyle)
        )
    except NotScannable:
        return sql.split(None, 1)[0][:20] if sql.strip() else ""
    return _NUMBER.sub("0", masked)


def _of_statement(statement: Statement, dialect: str) -> SqlFacts:
    word = _first_word(statement.masked)
    facts = by_first_word(word, statement, dialect, _of_statement)
    return facts or _query(statement, dialect)


def _first_word(masked: str) -> str:
    found = re.match(r"[\s(]*([^\W\d]\w*)", masked)
    return found.group(1).lower() if found else ""


# A routine's body has semicolons of its own.
_WITH_BODY: Final = re.compile(
    r"\s*(?:begin\s+not\s+atomic\b"
    r"|(?:create|alter)(?:\s+or\s+replace)?(?:\s+definer\s*=\s*\S+)?"
    r"(?:\s+(?:aggregate|constraint|temp|temporary))*"
    r"\s+(?:function|procedure|trigger|event|package)\b)",
    re.IGNORECASE,
)


def _with_body(statements: list[Statement], dialect: str) -> SqlFacts:
    """The facts of a routine cut at its semicolons, and of what may follow: its end is unknown."""
    masked = " ".join(each.masked for each in statements)
    session = re.search(r"\b(?:set|set_config|temp|temporary)\b", masked, re.IGNORECASE)
    commit = re.search(r"\bcommit\b", masked, re.IGNORECASE)
    return SqlFacts(
        Kind.DDL,
        writes=None,
        uncacheable="not a read",
        implicit_commit=dialect == "mysql" or commit is not None,
        changes_session=session is not None,
    )


_GRAVEST: Final = (
    Kind.UNKNOWN,
    Kind.CALL,
    Kind.DDL,
    Kind.WRITE,
    Kind.TRANSACTION,
    Kind.SESSION,
    Kind.READ,
)


def _together(facts: list[SqlFacts]) -> SqlFacts:
    writes: frozenset[TableName] | None = NOTHING
    for each in facts:
        writes = None if writes is None or each.writes is None else writes | each.writes
    return SqlFacts(
        kind=min((each.kind for each in facts), key=_GRAVEST.index, default=Kind.READ),
        reads=NOTHING.union(*(each.reads for each in facts)),
        writes=writes,
        functions=frozenset[str]().union(*(each.functions for each in facts)),
        uncacheable="several statements" if facts else "empty",
        implicit_commit=any(each.implicit_commit for each in facts),
        changes_session=any(each.changes_session for each in facts),
    )


# --- queries and data changes -----------------------------------------------------------------

# Words that sqlglot does not know, and that change nothing we ask for.
_MODIFIERS: Final = re.compile(
    r"(?P<verb>insert|replace|update|delete)"
    r"(?:\s+(?:low_priority|delayed|high_priority|quick|ignore"
    r"|or\s+(?:rollback|abort|replace|fail|ignore)))+\b",
    re.IGNORECASE,
)
_REPLACE: Final = re.compile(r"replace(?:\s+into)?\b", re.IGNORECASE)


def _query(statement: Statement, dialect: str) -> SqlFacts:
    text = _MODIFIERS.sub(r"\g<verb>", statement.text, count=1)
    text = _REPLACE.sub("INSERT INTO", text) if _REPLACE.match(text) else text
    try:
        return facts_of(parse(text, dialect), dialect)
    except Exception:  # noqa: BLE001 - what the parser stumbles over, the database may accept
        return _by_words(statement, dialect)


_QUERIES: Final = frozenset({"select", "table", "values", "with"})
_CHANGES: Final = frozenset({"insert", "update", "delete", "merge", "replace", "truncate"})
_MAY_CHANGE: Final = re.compile(
    r"\b(?:insert|update|delete|merge|replace|into|call|truncate|do|execute|create|drop|alter)\b",
    re.IGNORECASE,
)
_CALL: Final = re.compile(
    r'((?:[\w$]+|"[^"]+"|`[^`]+`)(?:\s*\.\s*(?:[\w$]+|"[^"]+"|`[^`]+`))*)\s*\('
)
_NOT_CALLS: Final = words("""
    all and any array as between by case cube distinct else except exists filter from grouping
    having ilike in intersect interval is join lateral like limit materialized not of offset on or
    over partition rollup row select sets some then union using values when where with within
    bigint binary bit char character dec decimal double float int integer nchar numeric nvarchar
    precision real smallint text time timestamp timestamptz tinyint varbinary varchar varying
    index key
    """)


def _by_words(statement: Statement, dialect: str) -> SqlFacts:
    """What can be said of a statement that the parser does not understand."""
    word = _first_word(statement.masked)
    settings = "set_config" in statement.masked.lower()
    if word in _QUERIES and not _MAY_CHANGE.search(statement.masked):
        called = {_unquoted(each) for each in _CALL.findall(statement.masked)}
        return SqlFacts(
            Kind.READ,
            functions=frozenset(called - _NOT_CALLS - DETERMINISTIC[dialect]),
            uncacheable="not parsable",
            changes_session=settings,
        )
    if word in _QUERIES | _CHANGES:
        kind = Kind.WRITE if word in _CHANGES else Kind.UNKNOWN
        return replace(ANYTHING, kind=kind, implicit_commit=False, changes_session=settings)
    return ANYTHING


def _unquoted(name: str) -> str:
    return re.sub(r'[\s"`]', "", name).lower()
