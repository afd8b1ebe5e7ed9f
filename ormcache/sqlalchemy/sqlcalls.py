"""
Does the result of a parsed query hang on more than the rows of its tables?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sqlglot import exp

from .facts import TableName
from .functions import (
    BARE,
    DETERMINISTIC,
    LEAST_ARGUMENTS,
    SEQUENCES,
    SQLITE_DATES,
    SYNTAX,
    VOLATILE,
    names_relative_time,
)

_CATALOGS: Final = {
    "postgresql": frozenset({"pg_catalog", "information_schema", "pg_toast"}),
    "mysql": frozenset({"mysql", "information_schema", "performance_schema", "sys"}),
    "sqlite": frozenset({"information_schema"}),
}
_CATALOG_PREFIX: Final = {"postgresql": "pg_", "sqlite": "sqlite_"}
_SYSTEM_COLUMNS: Final = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
_REASONS: Final[dict[type[exp.Expr], str]] = {
    exp.Lock: "locking read",
    exp.TableSample: "TABLESAMPLE",
    exp.SessionParameter: "system variable",
    exp.PropertyEQ: "user variable",
    exp.ObjectIdentifier: "system catalog",
}


def called_in(nodes: Iterable[exp.Expr], dialect: str) -> Iterator[str]:
    """Every function called that is not a deterministic builtin, with its schema if written."""
    for node in nodes:
        if isinstance(node, exp.Func):
            name = _function_name(node)
            if name is not None and not _is_deterministic(name, node, dialect):
                yield name
        elif isinstance(node, exp.Column) and not node.table:
            name = node.name.casefold()
            if name in BARE[dialect] and not node.this.args.get("quoted"):
                yield name


def _function_name(node: exp.Func) -> str | None:
    """The function as written, or None when nothing is called."""
    schema = _qualifier(node)
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        name = node.name.lower()
    elif type(node).__name__ in SYNTAX and schema is None:
        return None
    else:
        name = node.sql_name().lower()
    return name if schema in (None, "pg_catalog") else f"{schema}.{name}"


def _qualifier(node: exp.Expr) -> str | None:
    outer = node.parent
    if isinstance(outer, exp.Dot) and outer.expression is node:
        return ".".join(part.name for part in outer.this.find_all(exp.Identifier)).lower()
    return None


def _is_deterministic(name: str, node: exp.Func, dialect: str) -> bool:
    if name not in DETERMINISTIC[dialect]:
        return False
    if isinstance(node.this, exp.Identifier) and not node.name.islower():
        return False  # quoted, with capitals: somebody's own function beside the builtin
    if len(node.expressions) < LEAST_ARGUMENTS[dialect].get(name, 0):
        return False
    return dialect != "sqlite" or name not in SQLITE_DATES or _is_fixed_date(node)


def _is_fixed_date(node: exp.Expr) -> bool:
    """Whether a SQLite date function takes nothing from the clock or the machine's time zone."""
    arguments = node.expressions
    least = 2 if node.name.lower() == "strftime" else 1
    return len(arguments) >= least and all(_is_fixed_time(each) for each in arguments)


def _is_fixed_time(node: exp.Expr) -> bool:
    if isinstance(node, (exp.Literal, exp.Column)):
        # SQLite takes "now" in double quotes for the string if there is no such column.
        return node.name.casefold().strip() not in ("now", "localtime", "utc")
    if isinstance(node, exp.Anonymous) and node.name.lower() in SQLITE_DATES:
        return _is_fixed_date(node)
    return isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal)


def reason_not_to_store(
    nodes: Iterable[exp.Expr],
    reads: frozenset[TableName],
    called: list[str],
    dialect: str,
) -> str | None:
    """Why the result of a query must not be stored, or None when it may be."""
    for node in nodes:
        if reason := _reason_of_node(node, dialect):
            return reason
    if any(_is_system(table, dialect) for table in reads):
        return "system catalog"
    # Whoever declares what a statement reads vouches for unknown functions, never for these.
    reasons = sorted(map(_reason_of_call, called), key=lambda why: why.startswith("unknown"))
    return reasons[0] if reasons else None


def _reason_of_call(name: str) -> str:
    if name in SEQUENCES:
        return "sequence"
    if name.startswith("pragma_"):
        return "system catalog"
    known = name in VOLATILE or name in SQLITE_DATES
    return f"{'volatile' if known else 'unknown'} function {name}()"


def _is_system(table: TableName, dialect: str) -> bool:
    prefix = _CATALOG_PREFIX.get(dialect)
    schema = table.schema or ""
    if schema in _CATALOGS[dialect] or (dialect == "postgresql" and schema.startswith("pg_")):
        return True
    return prefix is not None and table.name.startswith(prefix)


def _reason_of_node(node: exp.Expr, dialect: str) -> str | None:
    if simple := _REASONS.get(type(node)):
        return simple
    if isinstance(node, exp.Parameter) and dialect == "mysql":
        return "user variable"
    if isinstance(node, exp.Literal) and dialect != "mysql":
        return "relative time" if node.is_string and names_relative_time(node.name) else None
    if isinstance(node, exp.Column):
        return _reason_of_column(node.name.casefold(), dialect)
    if isinstance(node, exp.Select):
        return _reason_of_modifiers(node)
    if isinstance(node, exp.Table) and node.args.get("version"):
        return "system time"
    return None


def _reason_of_modifiers(select: exp.Select) -> str | None:
    modifiers = {each.name.upper() for each in select.args.get("operation_modifiers") or ()}
    return "SQL_CALC_FOUND_ROWS" if "SQL_CALC_FOUND_ROWS" in modifiers else None


def _reason_of_column(name: str, dialect: str) -> str | None:
    if dialect == "postgresql" and name in _SYSTEM_COLUMNS:
        return f"system column {name}"
    return "SQL_CALC_FOUND_ROWS" if dialect == "mysql" and name == "sql_calc_found_rows" else None
