"""
The parts of random statements: conditions, pages, and ways to take a result.
"""

import operator
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import and_, func, not_, or_, select
from sqlalchemy.orm import Session

from tests.properties.data import COLUMNS, ids
from tests.properties.models import Author, Book, Person

Draw = st.DrawFn
Consume = Callable[[Session], Any]

COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
TEXTS = {Author.name, Book.title, Person.name}
UNCOMPARED = {Book.facts}


def condition(draw: Draw, model: Any, entity: Any | None = None) -> Any:
    """
    A random condition on the columns of *model*, taken from *entity* (an alias) if given.
    """
    of = entity if entity is not None else model
    column = draw(st.sampled_from([c for c in COLUMNS if c.class_ is model and c not in UNCOMPARED]))
    here = getattr(of, column.key)
    value = COLUMNS[column]
    kinds = ["compare", "compare", "in", "not in", "between", "null", "not null", "and", "or", "not"]
    if column in TEXTS:
        kinds += ["like", "starts", "contains", "ilike", "length"]
    if model is Book and entity is None:
        kinds += ["has", "json"]
    if model is Author and entity is None:
        kinds += ["any", "exists", "in select"]
    match draw(st.sampled_from(kinds)):
        case "compare":
            few = column in (Author.alive, Author.mood)
            return draw(st.sampled_from(COMPARISONS[:2] if few else COMPARISONS))(here, draw(value))
        case "in":
            return here.in_(draw(st.lists(value, max_size=4)))
        case "not in":
            return here.not_in(draw(st.lists(value, max_size=4)))
        case "between":
            return here.between(draw(value), draw(value))
        case "null":
            return here.is_(None)
        case "not null":
            return here.is_not(None)
        case "and":
            return and_(condition(draw, model, entity), condition(draw, model, entity))
        case "or":
            return or_(condition(draw, model, entity), condition(draw, model, entity))
        case "not":
            return not_(condition(draw, model, entity))
        case "like":
            return here.like(draw(value).replace("a", "_") + "%", escape="/")
        case "starts":
            return here.startswith(draw(value), autoescape=True)
        case "contains":
            return here.contains(draw(value), autoescape=True)
        case "ilike":
            return here.ilike("%" + draw(st.sampled_from(["t", "E", "ï"])) + "%")
        case "length":
            return func.length(here) > draw(st.integers(0, 6))
        case "json":
            return Book.facts["k"].as_string() == draw(st.sampled_from(["1", "tea", "true"]))
        case "has":
            return Book.author.has(condition(draw, Author))
        case "any":
            return Author.books.any(Book.id > draw(ids))
        case "exists":
            return select(Book.id).where(Book.author_id == Author.id, Book.id < draw(ids)).exists()
        case "in select":
            return Author.id.in_(select(Book.author_id).where(Book.id > draw(ids)))
    raise AssertionError


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
