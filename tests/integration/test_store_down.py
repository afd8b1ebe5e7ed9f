"""
With the store down or paused, reads and commits go on; afterwards nothing is stale.
"""

import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import sessionmaker

from ormcache import Cache, Outcome, Reason
from ormcache.testing import servers
from tests.fixtures.apps import App, MakeApp
from tests.shop import Product

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def own_store() -> Iterator[servers.Server]:
    with servers.redis(persist=True) as server:
        yield server


@pytest.fixture
def app(make_app: MakeApp, own_store: servers.Server) -> App:
    app = make_app(store_url=own_store.url, timeout=0.2)
    with app.Session() as session:
        session.add(Product(id=1, name="tea", price=Decimal(1)))
        session.commit()
    return app


def name(app: App) -> str:
    with app.Session() as session:
        return session.scalar(select(Product.name).where(Product.id == 1))


def rename(app: App, to: str) -> None:
    with app.Session() as session:
        session.get(Product, 1).name = to
        session.commit()


def until_cached(app: App, expected: str) -> None:
    """
    Read until the cache answers again; every single answer must be right.
    """
    for _ in range(100_000):
        assert name(app) == expected
        if app.log.last().outcome is Outcome.HIT:
            return
    pytest.fail("the cache did not come back")


def test_an_unreachable_store_at_start_is_no_error(app: App, caplog):
    engine = create_engine(app.database.url)
    Sessions = sessionmaker(engine)  # noqa: N806
    cache = Cache.from_url("redis://127.0.0.1:1/0", namespace="x")
    cache.enable(Sessions)
    with caplog.at_level(logging.WARNING, "ormcache"):
        for i in range(20):
            with Sessions() as session:
                session.get(Product, 1).name = str(i)
                session.commit()
            with Sessions() as session:
                assert session.get(Product, 1).name == str(i)
    assert cache.counts[Outcome.HIT] == 0
    assert len([r for r in caplog.records if r.name.startswith("ormcache")]) == 1
    cache.close()
    engine.dispose()


@pytest.mark.parametrize("outage", ["stop", "pause"])
def test_an_outage_costs_no_error_and_leaves_nothing_stale(
    app: App, own_store: servers.Server, outage: str
):
    until_cached(app, "tea")
    getattr(own_store, outage)()
    for i in range(5):
        assert name(app) == ("tea" if i == 0 else f"out {i - 1}")
        assert app.log.last().reason is Reason.STORE
        rename(app, f"out {i}")
        assert app.log.commits[-1].delivered is False
    getattr(own_store, {"stop": "start", "pause": "resume"}[outage])()
    until_cached(app, "out 4")
    assert app.log.commits[-1].committed
