"""
The parts of random statements: conditions, pages, and ways to take a result.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import and_, func, not_, or_, select
from sqlalchemy.orm import Session

from tests.properties.data import COLUMNS, ids
from tests.properties.models import Author, Book, Person

Draw = st.DrawFn
Consume = Callable[[Session], Any]

COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
EQUALITY = COMPARISONS[:2]
TEXTS = {Author.name, Book.title, Person.name}
UNCOMPARED = {Book.facts}


@dataclass(frozen=True)
class Operand:
    """
    A column, the strategy of its values, and what draws them.
    """

    draw: Draw
    model: Any
    entity: Any | None
    column: Any
    here: Any
    """The column, of the alias if there is one."""

    def value(self) -> Any:
        return self.draw(COLUMNS[self.column])

    def values(self) -> list[Any]:
        return self.draw(st.lists(COLUMNS[self.column], max_size=4))

    def compared(self) -> Any:
        only_equal = self.column in (Author.alive, Author.mood)
        compare = self.draw(st.sampled_from(EQUALITY if only_equal else COMPARISONS))
        return compare(self.here, self.value())

    def other(self) -> Any:
        return condition(self.draw, self.model, self.entity)


ANY_COLUMN: tuple[Callable[[Operand], Any], ...] = (
    Operand.compared,
    Operand.compared,
    lambda o: o.here.in_(o.values()),
    lambda o: o.here.not_in(o.values()),
    lambda o: o.here.between(o.value(), o.value()),
    lambda o: o.here.is_(None),
    lambda o: o.here.is_not(None),
    lambda o: and_(o.other(), o.other()),
    lambda o: or_(o.other(), o.other()),
    lambda o: not_(o.other()),
)
A_TEXT: tuple[Callable[[Operand], Any], ...] = (
    lambda o: o.here.like(o.value().replace("a", "_") + "%", escape="/"),
    lambda o: o.here.startswith(o.value(), autoescape=True),
    lambda o: o.here.contains(o.value(), autoescape=True),
    lambda o: o.here.ilike("%" + o.draw(st.sampled_from(["t", "E", "ï"])) + "%"),
    lambda o: func.length(o.here) > o.draw(st.integers(0, 6)),
)
A_BOOK: tuple[Callable[[Operand], Any], ...] = (
    lambda o: Book.author.has(condition(o.draw, Author)),
    lambda o: Book.facts["k"].as_string() == o.draw(st.sampled_from(["1", "tea", "true"])),
)
AN_AUTHOR: tuple[Callable[[Operand], Any], ...] = (
    lambda o: Author.books.any(Book.id > o.draw(ids)),
    lambda o: select(Book.id).where(Book.author_id == Author.id, Book.id < o.draw(ids)).exists(),
    lambda o: Author.id.in_(select(Book.author_id).where(Book.id > o.draw(ids))),
)


def condition(draw: Draw, model: Any, entity: Any | None = None) -> Any:
    """
    A random condition on the columns of *model*, taken from *entity* (an alias) if given.
    """
    column = draw(
        st.sampled_from([c for c in COLUMNS if c.class_ is model and c not in UNCOMPARED])
    )
    here = getattr(model if entity is None else entity, column.key)
    kinds = ANY_COLUMN + (A_TEXT if column in TEXTS else ())
    if entity is None:
        kinds += {Book: A_BOOK, Author: AN_AUTHOR}.get(model, ())
    return draw(st.sampled_from(kinds))(Operand(draw, model, entity, column, here))


def filtered(draw: Draw, statement: Any, model: Any, entity: Any | None = None) -> Any:
    for _ in range(draw(st.integers(0, 2))):
        statement = statement.where(condition(draw, model, entity))
    return statement


def paged(draw: Draw, statement: Any) -> Any:
    if draw(st.booleans()):
        statement = statement.limit(draw(st.integers(0, 4)))
        if draw(st.booleans()):
            statement = statement.offset(draw(st.integers(0, 2)))
    return statement


# -- consuming ---------------------------------------------------------------------------------

SCALARS: dict[str, Callable[[Any], Any]] = {
    "all": lambda result: result.all(),
    "unique": lambda result: result.unique().all(),
    "first": lambda result: result.first(),
    "one": lambda result: result.one(),
    "one or none": lambda result: result.one_or_none(),
    "partitions": lambda result: [list(part) for part in result.partitions(2)],
    "iterated": list,
}


def consumer(draw: Draw, statement: Any) -> Consume:
    """
    A way to take the result of *statement*.
    """
    kind = draw(st.sampled_from(["scalars", "rows", "mappings", "columns", "scalar", "freeze"]))
    how = SCALARS[draw(st.sampled_from(sorted(SCALARS)))]
    match kind:
        case "scalars":
            return lambda session: how(session.scalars(statement))
        case "rows":
            return lambda session: _with_keys(session.execute(statement), how)
        case "mappings":
            return lambda session: how(session.execute(statement).mappings())
        case "columns":
            return lambda session: how(session.execute(statement).columns(0))
        case "scalar":
            return lambda session: session.scalar(statement)
        case "freeze":
            return lambda session: how(session.execute(statement).freeze()())
    raise AssertionError


def _with_keys(result: Any, how: Callable[[Any], Any]) -> Any:
    return [list(result.keys()), how(result)]
