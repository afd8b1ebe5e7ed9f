"""
`cache.explain()` finds out where a statement would run, or says what to tell it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, event, select, update
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ormcache import Cache, ConfigurationError, Reason
from tests.fixtures.apps import App, MakeApp
from tests.integration.explain.agreement import sqlite_only, stock, touched
from tests.shop import AuditLog, Base, Product


@pytest.fixture
def cache(app: App, namespace: str, redis_server):
    """
    A cache that is enabled on nothing yet.
    """
    app.cache.disable(app.Session)
    cache = Cache.from_url(redis_server.url, namespace=namespace, timeout=5.0)
    yield cache
    cache.close()


def targets(app: App) -> dict[str, Callable[[], object]]:
    class Ours(Session):
        def get_bind(self, *_, **__):
            return app.engine

    return {
        "engine": lambda: app.engine,
        "sessionmaker": lambda: sessionmaker(app.engine),
        "scoped_session": lambda: scoped_session(sessionmaker(app.engine)),
        "class": lambda: Ours,
        "instance": lambda: Session(app.engine),
    }


@sqlite_only
@pytest.mark.parametrize("kind", ["engine", "sessionmaker", "scoped_session", "class", "instance"])
def test_whatever_the_cache_is_enabled_on_is_asked(app: App, cache: Cache, kind: str):
    target = targets(app)[kind]()
    cache.enable(target)
    for statement in (select(Product), select(Product.__table__), "SELECT id FROM products"):
        assert cache.explain(statement).cached
        assert cache.explain(statement, bind=target).cached
    assert touched(cache.explain(delete(Product))) == {"products"}
    assert app.engine.pool.checkedout() == 0


@sqlite_only
def test_it_must_be_clear_where(app: App, cache: Cache, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="enabled on nothing yet"):
        cache.explain(select(Product))
    make = sessionmaker(app.engine)
    cache.enable(make)
    cache.enable(app.engine)
    assert cache.explain(select(Product)).cached  # both lead to the same engine
    second = create_engine(f"sqlite:///{tmp_path / 'second.db'}")
    with pytest.raises(ConfigurationError, match=r"this cache is not enabled on Engine"):
        cache.explain(select(Product), bind=second)
    Base.metadata.create_all(second)
    cache.enable(second)
    with pytest.raises(
        ConfigurationError, match=r"enabled on sessionmaker.*explain\(\.\.\., bind="
    ):
        cache.explain(select(Product))
    first, other = (cache.explain(select(Product), bind=each) for each in (make, second))
    assert "shop.db" in first.engine
    assert "second.db" in other.engine
    assert first.key != other.key
    with pytest.raises(ConfigurationError, match=r"takes an Engine, a Connection, a Session"):
        cache.explain(select(Product), bind="second")
    with pytest.raises(ConfigurationError, match="leads to no engine for this statement"):
        cache.explain(select(Product), bind=sessionmaker())
    with pytest.raises(ConfigurationError, match=r"explain takes a select\(\).*not a int"):
        cache.explain(3, bind=second)
    second.dispose()


@sqlite_only
def test_options_are_checked_as_when_it_runs(app: App):
    with pytest.raises(ConfigurationError, match="did you mean 'ttl'"):
        app.cache.explain(select(Product).execution_options(ormcache={"tll": 3}))


def test_plain_connections_are_cached_only_where_asked_for(app: App):
    stock(app)
    plain = app.cache.explain(select(Product.__table__), bind=app.engine)
    assert (plain.reason, plain.tables) == (Reason.OFF, ("products",))
    assert plain.advice == "enable it there: cache.enable(...)"
    elsewhere = app.cache.explain(select(Product), bind=sessionmaker(app.engine))
    assert elsewhere.reason is Reason.OFF
    app.cache.enable(app.engine)
    assert app.cache.explain(select(Product.__table__), bind=app.engine).cached
    assert app.cache.explain(select(Product), bind=sessionmaker(app.engine)).cached
    with app.engine.begin() as connection:
        assert app.cache.explain("SELECT id FROM products", bind=connection).cached
        connection.execute(update(Product).values(stock=1))
        own = app.cache.explain("SELECT id FROM products", bind=connection)
        assert own.reason is Reason.OWN_WRITES
        with app.Session(bind=connection) as session:
            assert app.cache.explain(select(Product), bind=session).reason is Reason.OWN_WRITES


@sqlite_only
def test_an_engine_that_only_the_session_knows(app: App, cache: Cache):
    class Ours(Session):
        def get_bind(self, *_, **__):
            return app.engine

    cache.enable(Ours)
    assert cache.explain(select(Product)).cached


@sqlite_only
def test_a_transaction_that_began_before_its_engine_was_known(app: App, cache: Cache):
    with Session(app.engine) as session:
        session.connection()
        cache.enable(sessionmaker(app.engine))
        explained = cache.explain(select(Product), bind=session)
        assert explained.reason is Reason.OFF
        assert explained.advice == "begin a new transaction"


def test_nothing_need_have_been_read_before(make_app: MakeApp):
    explained = make_app().cache.explain(select(Product))
    assert explained.cached
    assert explained.scopes[1:]


def test_once_the_catalog_is_known_no_connection_is_needed(make_app: MakeApp):
    app = make_app(trust_listeners=True)
    stock(app)
    assert app.cache.explain(select(Product)).cached
    checkouts = []
    event.listen(app.engine, "checkout", lambda *_: checkouts.append(1))
    for statement in (select(Product), "SELECT id FROM products", select(AuditLog)):
        app.cache.explain(statement)
    assert checkouts == []
