"""
A hit on a session checks out no database connection, and works with the database stopped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event, exc, func, select
from sqlalchemy.orm import Session, selectinload

from ormcache import Outcome
from ormcache.testing import servers
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.gaps import at
from tests.shop import Base, Category, Product

# Only a server of ours may be stopped.
OURS = tuple(source for source in servers.SOURCES if source != "environment")


@pytest.fixture(scope="module")
def private_postgres() -> Iterator[servers.Server]:
    with servers.postgres(sources=OURS) as server:
        yield server


@pytest.fixture(scope="module")
def private_mysql() -> Iterator[servers.Server]:
    with servers.mysql(sources=OURS) as server:
        yield server


DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mysql+pymysql"}


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """
    Each database on a server of its own, with the shop in it.
    """
    if request.param == "sqlite":
        found = Database("sqlite", f"sqlite:///{tmp_path / 'shop.db'}")
    else:
        fixture = {"postgresql": "private_postgres", "mariadb": "private_mysql"}[request.param]
        server: servers.Server = request.getfixturevalue(fixture)
        address = server.create_database("ormcache_stopped").partition("://")[2]
        found = Database(request.param, f"{DRIVERS[request.param]}://{address}", server)
    engine = found.plain_engine()
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Category(id=1, name="tea"))
        session.add_all(
            Product(id=i, category_id=1, name=f"tea {i}", price=Decimal(i)) for i in (1, 2)
        )
        session.commit()
    engine.dispose()
    return found


@contextmanager
def stopped(database: Database) -> Iterator[None]:
    """
    Within the block the database cannot be reached by anybody.
    """
    if database.server is not None:
        database.server.stop()
    else:
        path = Path(database.url.removeprefix("sqlite:///"))
        path.rename(path.with_suffix(".away"))
        path.mkdir()  # or SQLite would make a new one
    try:
        yield
    finally:
        if database.server is not None:
            database.server.start()
        else:
            path.rmdir()
            path.with_suffix(".away").rename(path)


READS: dict[str, Callable[[Session], object]] = {
    "get": lambda s: s.get(Product, 1).name,
    "entities": lambda s: [p.name for p in s.scalars(select(Product).order_by(Product.id))],
    "aggregate": lambda s: s.scalar(select(func.sum(Product.price))),
    "lazy load": lambda s: [p.name for p in s.get(Category, 1).products],
    "eager load": lambda s: [
        len(c.products)
        for c in s.scalars(select(Category).options(selectinload(Category.products)))
    ],
}


def read(app: App) -> dict[str, object]:
    with app.Session() as session:
        return {name: read(session) for name, read in READS.items()}


def test_a_hit_is_answered_with_the_database_stopped(make_app: MakeApp, database: Database):
    app = make_app()
    expected = read(app)
    assert read(app) == expected
    # What is left of the pool could answer for a file that has been moved.
    app.engine.dispose()
    app.log.outcomes()
    with stopped(database):
        assert read(app) == expected
        assert set(app.log.outcomes()) == {Outcome.HIT}
        with app.Session() as session:
            assert session.get(Product, 1).name == "tea 1"
            session.commit()
            session.rollback()
        with app.Session() as session, pytest.raises(exc.OperationalError):
            session.get(Product, 2)
    with app.Session() as session:
        assert session.get(Product, 2).name == "tea 2"


def test_a_transaction_of_hits_alone_begins_and_ends_without_the_database(
    make_app: MakeApp, database: Database
):
    app = make_app()
    read(app)
    app.engine.dispose()
    with stopped(database):
        with app.Session.begin() as session:
            assert session.get(Product, 1).name == "tea 1"
        with app.Session(autoflush=False) as session, session.begin():
            assert session.get(Category, 1).name == "tea"


def test_the_pool_reports_no_checkout_during_a_hit(make_app: MakeApp, database: Database):
    # The listener is ours and only counts, which a cache cannot know by itself.
    app = make_app(trust_listeners=True)
    checkouts = []
    event.listen(app.engine, "checkout", lambda *_: checkouts.append(1))
    read(app)
    assert checkouts
    checkouts.clear()

    def look():
        assert app.engine.pool.checkedout() == 0

    with app.Session() as session, at(app, "before fetch", look), at(app, "after fetch", look):
        assert session.get(Product, 1).name == "tea 1"
        look()
    assert read(app) == read(app)
    assert not checkouts


def test_the_pool_gets_nothing_back_after_a_hit(app: App, database: Database):
    returned = []
    event.listen(app.engine, "checkin", lambda *_: returned.append(1))
    read(app)
    assert returned
    returned.clear()
    app.sent_since()
    app.log.outcomes()
    with app.Session() as session:
        assert session.get(Product, 1).name == "tea 1"
        assert app.engine.pool.checkedout() == 0
    read(app)
    assert set(app.log.outcomes()) == {Outcome.HIT}
    assert app.sent_since() == []
    assert not returned


def test_what_is_not_cached_checks_a_connection_out(app: App, database: Database):
    read(app)
    with app.Session() as session:
        assert session.get(Product, 1).name == "tea 1"
        assert app.engine.pool.checkedout() == 0
        session.get(Product, 2)
        assert app.engine.pool.checkedout() == 1
    assert app.engine.pool.checkedout() == 0
