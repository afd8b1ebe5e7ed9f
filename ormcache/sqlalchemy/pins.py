"""
Which rows does a statement ask for, or change, by what its text says?

A table is *pinned* where every row that counts must have one of a few values in a column: a
conjunct `column = value` or `column IN (values)` at the top of the WHERE of the very SELECT, UPDATE
or DELETE that names the table. Whatever else is written is left alone: under OR, NOT or a function,
in an ON, with anything but a placeholder or a whole number on the other side, nothing is pinned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sqlglot import exp

from .facts import TableName
from .sqlscan import NotScannable, marked
from .sqltree import NotParsable, is_read, name_of, parse, tables_after_in

__all__ = ["Change", "Operand", "Parameter", "Pins", "pinned_change", "pinned_reads"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    The parameter with this name, or at this place.
    """

    key: str | int


Operand = Parameter | int
Pins = Mapping[str, tuple[Operand, ...]]
"""
By column, one of which values a row must have.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """
    One INSERT of given rows, UPDATE or DELETE.

    Attributes:
        table: The only table it changes.
        where: What pins the rows as they were; None for an INSERT.
        values: The columns it sets, once for each row; None for a value that is not known.
    """

    table: TableName
    where: Pins | None
    values: tuple[Mapping[str, Operand | None], ...]


_MOST_PLACEHOLDERS: Final = 200
_SHAPES: Final = 4096
# MySQL's precedence of these is not the parser's.
_DISTURBING: Final = (exp.Xor, exp.PropertyEQ, exp.Lateral, exp.Command)
_CHANGES: Final = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_PLAIN_TABLE: Final = frozenset({"this", "db", "alias", "joins", "indexed", "hints"})
_PLAIN_CHANGE: Final[Mapping[type[exp.Expr], frozenset[str]]] = {
    exp.Insert: frozenset({"this", "expression", "returning"}),
    exp.Update: frozenset({"this", "expressions", "where", "returning"}),
    exp.Delete: frozenset({"this", "where", "returning"}),
}
_REORDERING: Final = frozenset({"expressions", "from_", "order"})
_INSERT: Final = re.compile(r"\s*insert\s+into\b", re.IGNORECASE)
_WHOLE: Final = (exp.DType.INT, exp.DType.BIGINT, exp.DType.SMALLINT, exp.DType.UUID)
# SQLite's other names of a key that is a whole number.
_ROWID: Final = frozenset({"rowid", "oid", "_rowid_"})


@lru_cache(maxsize=_SHAPES)
def pinned_reads(sql: str, dialect: str, paramstyle: str) -> Mapping[TableName, tuple[Pins, ...]]:
    """
    Return the pins of each place where a query reads a table; no pins for a place that has none.

    Args:
        sql: The text as the driver gets it.
        dialect: SQLAlchemy's `dialect.name`.
        paramstyle: The driver's.
    """
    reader = _Reader.of(sql, dialect, paramstyle)
    if reader is None or any(isinstance(node, _CHANGES) for node in reader.nodes):
        return {}
    if any(True for _ in tables_after_in(reader.nodes)):
        return {}
    found: dict[TableName, list[Pins]] = {}
    for node in reader.nodes:
        if isinstance(node, exp.Table) and is_read(node, reader.dialect):
            found.setdefault(name_of(node), []).append(reader.of_place(node))
    return {table: tuple(places) for table, places in found.items()}


@lru_cache(maxsize=_SHAPES)
def pinned_change(sql: str, dialect: str, paramstyle: str) -> Change | None:
    """
    Return what a data change says about its rows; None where it is of another form.
    """
    reader = _Reader.of(sql, dialect, paramstyle)
    if reader is None or sum(isinstance(node, _CHANGES) for node in reader.nodes) != 1:
        return None
    allowed = _PLAIN_CHANGE.get(type(reader.tree))
    if allowed is None or _beyond(reader.tree, allowed):
        return None
    if isinstance(reader.tree, exp.Insert):
        return reader.of_insert(reader.tree) if _INSERT.match(sql) else None
    return reader.of_change(reader.tree)


class _Reader:
    """
    The tree of one statement, and what its placeholders stand for.
    """

    def __init__(self, tree: exp.Expr, dialect: str, parameters: Mapping[str, Parameter]) -> None:
        self.tree = tree
        self.nodes = list(tree.walk())
        self.dialect = dialect
        self._parameters = parameters

    @classmethod
    def of(cls, sql: str, dialect: str, paramstyle: str) -> _Reader | None:
        family = "mysql" if dialect == "mariadb" else dialect
        try:
            text, written = marked(sql, family, paramstyle)
            if len(written) > _MOST_PLACEHOLDERS:
                return None  # takes long, and names too many rows
            reader = cls(parse(text, family), family, _parameters(written))
        except (NotScannable, NotParsable, LookupError):
            return None
        disturbed = any(isinstance(node, _DISTURBING) for node in reader.nodes)
        return None if disturbed else reader

    def of_place(self, table: exp.Table) -> Pins:
        """
        Return the pins of one place that reads a table.

        Rows that an outer join fills with NULL do not pass the WHERE either, so for what is pinned
        there it does not matter how the table is joined.
        """
        holder = table.parent
        select = holder.parent if isinstance(holder, exp.From | exp.Join) else None
        if not isinstance(select, exp.Select) or _beyond(table, _PLAIN_TABLE):
            return {}
        return self._pins(select, table, _sources(select))

    def of_insert(self, insert: exp.Insert) -> Change | None:
        target, rows = insert.this, insert.expression
        if not isinstance(target, exp.Schema):
            return None
        if not isinstance(target.this, exp.Table) or _beyond(target.this, _PLAIN_TABLE):
            return None
        names = [each.name.casefold() for each in target.expressions]
        if isinstance(rows, exp.Select):
            values = [self._reordered(names, rows)]
        elif isinstance(rows, exp.Values):
            values = [self._row(names, row) for row in rows.expressions]
        else:
            return None
        if any(row is None for row in values):
            return None
        return Change(name_of(target.this), None, tuple(row for row in values if row is not None))

    def of_change(self, change: exp.Expr) -> Change | None:
        target = change.this
        if not isinstance(target, exp.Table) or _beyond(target, _PLAIN_TABLE):
            return None
        if target.args.get("joins"):
            return None
        values = self._assigned(change) if isinstance(change, exp.Update) else {}
        if values is None:
            return None
        return Change(name_of(target), self._pins(change, target, [target]), (values,))

    def _row(self, names: list[str], row: exp.Expr) -> Mapping[str, Operand | None] | None:
        if not isinstance(row, exp.Tuple) or len(row.expressions) != len(names):
            return None
        return {
            name: self._operand(each) for name, each in zip(names, row.expressions, strict=True)
        }

    def _reordered(
        self, names: list[str], select: exp.Select
    ) -> Mapping[str, Operand | None] | None:
        """
        Return the values of the one row in the form in which SQLAlchemy has PostgreSQL keep the
        order of many: INSERT … SELECT p0::INTEGER, … FROM (VALUES (…)) AS imp_sen(p0, …).
        """
        from_ = select.args.get("from_")
        rows = None if from_ is None else from_.this
        if _beyond(select, _REORDERING) or not isinstance(rows, exp.Values):
            return None
        if len(rows.expressions) != 1 or len(select.expressions) != len(names):
            return None
        given = dict(zip(rows.alias_column_names, rows.expressions[0].expressions, strict=False))
        found: dict[str, Operand | None] = {}
        for name, node in zip(names, select.expressions, strict=True):
            inner = _uncast(node)
            value = given.get(inner.name) if isinstance(inner, exp.Column) else None
            found[name] = None if value is None else self._operand(value)
        return found

    def _assigned(self, update: exp.Update) -> Mapping[str, Operand | None] | None:
        found: dict[str, Operand | None] = {}
        for each in update.expressions:
            if not isinstance(each, exp.EQ) or not isinstance(each.this, exp.Column):
                return None
            name = each.this.name.casefold()
            if self.dialect == "sqlite" and name in _ROWID:
                return None
            # Of two assignments to one column, which one counts depends on the database.
            found[name] = None if name in found else self._operand(each.expression)
        return found

    def _pins(self, query: exp.Expr, table: exp.Table, sources: list[exp.Expr]) -> Pins:
        where = query.args.get("where")
        if where is None:
            return {}
        mine = table.alias_or_name.casefold()
        if [each.alias_or_name.casefold() for each in sources].count(mine) != 1:
            return {}
        found: dict[str, tuple[Operand, ...]] = {}
        for column, operands in self._conjuncts(where.this):
            if _belongs(column, table, mine, alone=len(sources) == 1):
                found.setdefault(column.name.casefold(), operands)
        return found

    def _conjuncts(self, node: exp.Expr) -> Iterator[tuple[exp.Column, tuple[Operand, ...]]]:
        if isinstance(node, exp.Paren):
            yield from self._conjuncts(node.this)
        elif isinstance(node, exp.And):
            yield from self._conjuncts(node.this)
            yield from self._conjuncts(node.expression)
        elif isinstance(node, exp.EQ):
            for one, other in ((node.this, node.expression), (node.expression, node.this)):
                yield from self._equal(one, [other])
        elif isinstance(node, exp.In) and not _beyond(node, frozenset({"this", "expressions"})):
            yield from self._equal(node.this, node.expressions)

    def _equal(
        self, column: exp.Expr, others: list[exp.Expr]
    ) -> Iterator[tuple[exp.Column, tuple[Operand, ...]]]:
        if not isinstance(column, exp.Column):
            return
        operands = [self._operand(each) for each in others]
        known = tuple(each for each in operands if each is not None)
        if len(known) == len(operands):
            yield column, known

    def _operand(self, node: exp.Expr) -> Operand | None:
        """
        Return what stands for one value, or None.
        """
        node = _uncast(node)
        if isinstance(node, exp.Placeholder):
            return self._parameters.get(node.name)
        if isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal():
            return int(node.name)
        return None


def _uncast(node: exp.Expr) -> exp.Expr:
    """
    Return what is in parentheses, or cast to a type with exact values: that changes none.
    """
    if isinstance(node, exp.Paren):
        return _uncast(node.this)
    plain = isinstance(node, exp.Cast) and node.to.this in _WHOLE and not node.to.expressions
    return _uncast(node.this) if plain else node


def _sources(select: exp.Select) -> list[exp.Expr]:
    from_ = select.args.get("from_")
    joins = select.args.get("joins") or ()
    return [each.this for each in (from_, *joins) if each is not None]


def _belongs(column: exp.Column, table: exp.Table, mine: str, *, alone: bool) -> bool:
    """
    Whether a column is one of *table*, that goes by the name *mine* and may be *alone*.
    """
    if column.args.get("catalog"):
        return False
    if not column.table:
        return alone
    same_schema = not column.db or column.db.casefold() == table.db.casefold()
    return column.table.casefold() == mine and same_schema


def _beyond(node: exp.Expr, known: frozenset[str]) -> bool:
    return any(value for name, value in node.args.items() if name not in known)


def _parameters(written: Sequence[str]) -> dict[str, Parameter]:
    """
    Return what each placeholder stands for, by the name it has in the tree.

    Raises:
        LookupError: One is of a kind whose place cannot be told.
    """
    found: dict[str, Parameter] = {}
    for place, text in enumerate(written):
        name = re.fullmatch(r"%\((.*)\)[sbt]|[:@](\D\w*)", text, re.DOTALL)
        number = re.fullmatch(r"\$(\d+)|:(\d+)", text)
        if name:
            key: str | int = name[1] if name[1] is not None else name[2]
        elif number:
            key = int(number[1] or number[2]) - 1
        elif text in ("?", "%s", "%b", "%t"):
            key = place
        else:
            raise LookupError(text)
        found[f"p{place}"] = Parameter(key)
    return found
