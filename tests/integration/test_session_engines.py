"""
Sessions find their engine in many ways; whichever it is, their first transaction is cached.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, insert, select, update
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session, sessionmaker

from ormcache import Cache, Outcome
from tests.shop import Base, Product

NAMES = select(Product.name)


@pytest.fixture
def engine(tmp_path: Path):
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Product).values(id=1, name="old", price=1))
    yield engine
    engine.dispose()


@pytest.fixture
def cache():
    cache = Cache.from_url("memory://")
    yield cache
    cache.close()


Make = Callable[[], Session]


def given_to_each(cache: Cache, engine: Engine) -> Make:
    class Ours(Session):
        pass

    cache.enable(Ours)
    return lambda: Ours(engine)


def bound_by_model(cache: Cache, engine: Engine) -> Make:
    class Ours(Session):
        pass

    cache.enable(Ours)
    return lambda: Ours(binds={Product: engine})


def found_by_get_bind(cache: Cache, engine: Engine) -> Make:
    class Ours(Session):
        def get_bind(self, *_, **__):
            return engine

    maker = sessionmaker(class_=Ours)
    cache.enable(maker)
    return maker


def found_by_get_bind_of_a_subclass(cache: Cache, engine: Engine) -> Make:
    class Ours(Session):
        pass

    class Theirs(Ours):
        def get_bind(self, *_, **__):
            return engine

    cache.enable(Ours)
    return Theirs


@pytest.mark.parametrize(
    "way",
    [given_to_each, bound_by_model, found_by_get_bind, found_by_get_bind_of_a_subclass],
)
def test_the_first_transaction_is_cached_and_invalidates(engine: Engine, cache: Cache, way):
    make = way(cache, engine)
    with make() as session, cache.record() as log:
        assert session.scalars(NAMES).all() == ["old"]
        assert session.scalars(NAMES).all() == ["old"]
    assert [event.outcome for event in log.reads] == [Outcome.MISS, Outcome.HIT]
    with make() as session:
        session.execute(update(Product).values(name="new"))
        session.commit()
    with make() as session:
        assert session.scalars(NAMES).all() == ["new"]


def test_a_session_that_needs_to_know_the_statement_is_cached_once_it_has_been_met(
    engine: Engine, cache: Cache
):
    class Ours(Session):
        def get_bind(self, mapper=None, **_):
            if mapper is None:
                raise UnboundExecutionError("which one?")
            return engine

    cache.enable(Ours)
    for _ in range(2):
        with Ours() as session:
            session.scalars(NAMES).all()
    with Ours() as session, cache.record() as log:
        session.scalars(NAMES).all()
    assert [event.outcome for event in log.reads] == [Outcome.HIT]


def test_looking_for_the_engine_asks_get_bind_once(engine: Engine, cache: Cache):
    asked = []

    class Ours(Session):
        def get_bind(self, mapper=None, **_):
            asked.append(mapper)
            return engine

    cache.enable(Ours)
    for _ in range(3):
        with Ours() as session:
            session.scalars(NAMES).all()
    assert [mapper for mapper in asked if mapper is None] == [None]
