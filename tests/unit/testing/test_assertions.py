"""
A test may expect how reads end, and what is sent to the database.
"""

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ormcache import Cache, ConfigurationError
from ormcache.testing import assert_database_statements, assert_reads
from tests.shop import AuditLog, Base, Category, Product


@pytest.fixture
def engine(tmp_path):
    """
    A database with the shop's tables, empty.
    """
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def cache(engine):
    """
    A cache that is enabled on every connection of the engine.
    """
    cache = Cache.from_url("memory://")
    cache.enable(engine)
    yield cache
    cache.close()


def read(engine, model=Category) -> None:
    with Session(engine) as session:
        session.scalars(select(model)).all()


def test_reads_that_end_as_expected(cache, engine):
    with assert_reads(cache, hits=1, misses=1, bypasses=1) as log:
        read(engine)
        read(engine)
        read(engine, AuditLog)
    assert len(log.reads) == 3
    with assert_reads(cache, hits=1):
        read(engine)


def test_reads_that_do_not_are_listed(cache, engine):
    def expect() -> None:
        with assert_reads(cache, hits=2, misses=1, bypasses=0):
            read(engine)
            read(engine, AuditLog)

    with pytest.raises(AssertionError) as raised:
        expect()
    said = str(raised.value).splitlines()
    assert said[0] == "2 hits expected, there were 0"
    assert said[1] == "0 bypasses expected, there were 1"
    assert said[2].startswith("outcome")
    assert said[-1] == "0 hits, 1 miss, 1 bypass, 0 commits"


def test_statements_are_counted_where_they_are_sent(cache, engine):
    with assert_database_statements(1, engine) as sent:
        read(engine)
        read(engine)
    assert "FROM categories" in sent[0]
    with assert_database_statements(0, engine), assert_reads(cache, hits=1):
        read(engine)


def test_more_or_fewer_statements_are_listed_without_values(engine):
    def expect(number: int) -> None:
        with assert_database_statements(number, engine), engine.connect() as connection:
            connection.execute(text("SELECT id\nFROM products WHERE name = :n"), {"n": "secret"})
            connection.execute(insert(Category), [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])

    expect(2)
    for number in (0, 1, 3):
        with pytest.raises(AssertionError) as raised:
            expect(number)
        assert str(raised.value).splitlines() == [
            f"{number} database statements expected, 2 sent",
            "1. SELECT id FROM products WHERE name = ?",
            "2. INSERT INTO categories (id, name) VALUES (?, ?)",
        ]


def test_nothing_is_counted_after_the_block(engine):
    with assert_database_statements(0, engine) as sent:
        pass
    read(engine)
    assert sent == []


def test_an_exception_of_the_block_is_the_one_to_see(cache, engine):
    def fail() -> None:
        with assert_database_statements(7, engine), assert_reads(cache, hits=7):
            raise LookupError

    with pytest.raises(LookupError):
        fail()


@pytest.mark.parametrize("kind", ["connection", "session", "sessionmaker", "scoped", "binds"])
def test_whatever_leads_to_an_engine_will_do(engine, kind: str):
    with engine.connect() as connection:
        target = {
            "connection": connection,
            "session": Session(engine),
            "sessionmaker": sessionmaker(engine),
            "scoped": scoped_session(sessionmaker(engine)),
            "binds": sessionmaker(binds={Product: engine, Category: engine}),
        }[kind]
        with assert_database_statements(1, target, engine):
            read(engine)
        seen = connection if kind == "connection" else engine
        with assert_database_statements(1, target), Session(seen) as session:
            session.scalars(select(Category)).all()


@pytest.mark.parametrize("kind", ["engine", "session", "sessionmaker"])
def test_async_engines_are_counted_as_well(kind: str):
    engine = create_async_engine("sqlite+aiosqlite://")
    target = {
        "engine": engine,
        "session": AsyncSession(engine),
        "sessionmaker": async_sessionmaker(engine),
    }[kind]
    with assert_database_statements(0, target):
        assert engine.sync_engine.dispatch.before_cursor_execute
    assert not engine.sync_engine.dispatch.before_cursor_execute


@pytest.mark.parametrize("targets", [(), (sessionmaker(),), ("engine",)])
def test_where_to_count_must_be_said(targets):
    def expect() -> None:
        with assert_database_statements(0, *targets):
            pass

    with pytest.raises(ConfigurationError, match="statements are counted"):
        expect()
