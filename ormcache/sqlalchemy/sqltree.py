"""
What does one parsed query or data change read, write and call?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, cast

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.parser import Parser

from .facts import Kind, SqlFacts, TableName
from .functions import words
from .sqlcalls import called_in, reason_not_to_store

_DIALECTS: Final[dict[str, type[Dialect]]] = {
    "postgresql": Postgres,
    "mysql": MySQL,
    "sqlite": SQLite,
}
# Functions whose arguments have a grammar of their own. All others stay as they were written.
_GRAMMAR: Final = words("""
    CAST CONVERT EXTRACT GROUP_CONCAT JSON_OBJECT JSON_OBJECTAGG JSON_TABLE JSON_VALUE MATCH
    NORMALIZE OVERLAY POSITION SUBSTRING SUBSTR TRIM VALUES WEIGHT_STRING XMLELEMENT XMLTABLE
    """)
_CHANGES: Final = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_NOT_A_READ: Final = {Kind.WRITE: "not a read", Kind.DDL: "SELECT INTO"}


class NotParsable(ValueError):
    """The parser does not know this statement, or not this part of it."""


@cache
def _parser_class(dialect: str) -> type[Parser]:
    base = _DIALECTS[dialect].parser_class
    kept = {name: each for name, each in base.FUNCTION_PARSERS.items() if name in _GRAMMAR}
    # sqlglot's own functions replace the name in the text by its idea of it, several to one.
    body = {"FUNCTIONS": {}, "FUNCTION_PARSERS": kept, "_warn_unsupported": lambda _: None}
    return cast("type[Parser]", type(f"Faithful{base.__name__}", (base,), body))


def parse(text: str, dialect: str) -> exp.Expr:
    """
    The syntax tree of one statement.

    Raises:
        NotParsable: It is none that sqlglot knows.
    """
    rules = _DIALECTS[dialect]()
    rules.STRICT_JSON_PATH_SYNTAX = False  # or it would log what is the database's to judge
    parser = _parser_class(dialect)(dialect=rules, error_level=ErrorLevel.RAISE)
    try:
        (tree,) = parser.parse(rules.tokenize(text), text)
    except (SqlglotError, ValueError, RecursionError) as error:
        raise NotParsable(str(error)) from error
    if tree is None or isinstance(tree, exp.Command):
        raise NotParsable("not a query or a data change")
    return tree


def facts_of(tree: exp.Expr, dialect: str) -> SqlFacts:
    """
    The facts of a parsed statement.

    Raises:
        NotParsable: Its tree has a shape that was not expected.
    """
    nodes = list(tree.walk())
    targets = list(_targets(nodes))
    places = {id(table) for pair in targets for table in pair}
    tables = (node for node in nodes if isinstance(node, exp.Table) and id(node) not in places)
    reads = frozenset(name_of(each) for each in tables if is_read(each, dialect))
    if dialect == "sqlite":
        reads |= frozenset(tables_after_in(nodes))
    writes: frozenset[TableName] | None = frozenset(name_of(meant) for _, meant in targets)
    kind = Kind.WRITE if writes else Kind.READ
    if any(isinstance(node, exp.Into) and not _is_variable(node) for node in nodes):
        kind, writes = Kind.DDL, None
    elif isinstance(tree, exp.TruncateTable) and tree.args.get("option") == "CASCADE":
        writes = None
    elif not isinstance(tree, (exp.Query, exp.Values, exp.TruncateTable, *_CHANGES)):
        raise NotParsable(f"{type(tree).__name__} is not a query or a data change")
    called = list(called_in(nodes, dialect))
    return SqlFacts(
        kind=kind,
        reads=reads,
        writes=writes,
        functions=frozenset(called),
        uncacheable=_NOT_A_READ.get(kind) or reason_not_to_store(nodes, reads, called, dialect),
        ordered=isinstance(tree, exp.Query) and tree.args.get("order") is not None,
        implicit_commit=dialect == "mysql" and isinstance(tree, exp.TruncateTable),
        changes_session=any(name.endswith("set_config") for name in called)
        or any(isinstance(node, exp.Into) and node.args.get("temporary") for node in nodes),
    )


# --- tables -----------------------------------------------------------------------------------


def name_of(table: exp.Table) -> TableName:
    """A table as the statement names it."""
    return TableName(table.db.casefold() or None, table.name.casefold())


def _is_variable(into: exp.Into) -> bool:
    """MySQL's `SELECT x INTO @y` makes no table."""
    return isinstance(into.this, exp.Table) and isinstance(into.this.this, exp.Parameter)


def is_read(table: exp.Table, dialect: str) -> bool:
    """Whether what stands at this place is a table or view, and its rows are read."""
    if not isinstance(table.this, exp.Identifier):
        return False  # a function in the place of a table
    if dialect == "mysql" and not table.db and table.this.sql().upper() == "DUAL":
        return False  # the word for no table; a table of that name is quoted or has its schema
    if table.arg_key == "indexed" or isinstance(table.parent, exp.Into):
        return False
    return bool(table.db) or not _is_cte(table)


def tables_after_in(nodes: Iterable[exp.Expr]) -> Iterator[TableName]:
    """SQLite's `x IN a`, short for `x IN (SELECT * FROM a)`; the name may also be a CTE's."""
    for node in nodes:
        field = node.args.get("field") if isinstance(node, exp.In) else None
        if isinstance(field, exp.Column):
            yield TableName(field.table.casefold() or None, field.name.casefold())


def _is_cte(table: exp.Table) -> bool:
    """Whether the name means a CTE at this place, not a table of that name."""
    wanted = table.name.casefold()
    inner: exp.Expr = table
    while (outer := inner.parent) is not None:
        if isinstance(outer, exp.With):
            # Without RECURSIVE, a CTE sees those before it, not itself.
            seen = None if outer.args.get("recursive") else inner.index
            visible = outer.expressions[:seen]
            inner = outer.parent or outer
        else:
            clause = outer.args.get("with_")
            visible = clause.expressions if clause else []
            inner = outer
        if any(each.alias.casefold() == wanted for each in visible):
            return True
    return False


def _targets(nodes: Iterable[exp.Expr]) -> Iterator[tuple[exp.Table, exp.Table]]:
    """Each place that names a table to be changed, and the table meant there."""
    for node in nodes:
        if isinstance(node, exp.TruncateTable):
            yield from ((each, each) for each in node.expressions if isinstance(each, exp.Table))
        elif isinstance(node, exp.Delete):
            yield from _deleted(node)
        elif isinstance(node, _CHANGES) and not isinstance(node.parent, exp.When):
            target = node.this.this if isinstance(node.this, exp.Schema) else node.this
            yield from ((each, each) for each in _joined(target))


def _joined(target: object) -> Iterator[exp.Table]:
    """A changed table with those joined to it: MySQL's UPDATE may change any of them."""
    if isinstance(target, exp.Subquery) and isinstance(target.this, exp.Table):
        yield from _joined(target.this)
    elif not isinstance(target, exp.Table) or not isinstance(target.this, exp.Identifier):
        raise NotParsable("the changed table is not a name")
    else:
        yield target
        for join in target.args.get("joins") or ():
            if isinstance(join.this, exp.Table):
                yield from _joined(join.this)


def _deleted(node: exp.Delete) -> Iterator[tuple[exp.Table, exp.Table]]:
    """The tables of a DELETE; MySQL names them by their aliases in the joined list."""
    sources = [node.this, *(node.args.get("using") or ())]
    tables = [table for source in sources for table in _with_joins(source)]
    aliased = {table.alias.casefold(): table for table in tables if table.args.get("alias")}
    for table in node.args.get("tables") or [node.this]:
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise NotParsable("the changed table is not a name")
        unqualified = None if table.db else table.name.casefold()
        yield table, aliased.get(unqualified, table) if unqualified else table


def _with_joins(source: object) -> list[exp.Table]:
    if not isinstance(source, exp.Table):
        return []
    joins = source.args.get("joins") or ()
    return [source, *(each for join in joins for each in _with_joins(join.this))]
