"""
The shop that every scenario starts from.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, make_url, text

from ormcache.testing import servers
from tests.fixtures.apps import Database
from tests.fixtures.ways import FACES, go_every_way
from tests.integration.conformance.process import Worker
from tests.shop import Base, Category, Customer, Order, Product

TABLES = [Category.__table__, Product.__table__]
THEIRS = "tenant_b"


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    go_every_way(metafunc, *FACES)


@pytest.fixture
def database(database: Database) -> Database:
    """
    The three databases with two categories, three products named "old", and two orders.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        if database.name == "sqlite":
            # Readers and a writer at the same time, without which hardly a scenario can occur.
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        stock(connection)
    engine.dispose()
    return database


def stock(connection) -> None:
    categories = [{"id": 1, "name": "tea"}, {"id": 2, "name": "coffee"}]
    connection.execute(insert(Category), categories)
    products = [
        {"id": i, "category_id": 1, "name": "old", "price": Decimal(f"{i}.50"), "stock": i}
        for i in (1, 2, 3)
    ]
    connection.execute(insert(Product), products)
    connection.execute(insert(Customer), [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}])
    connection.execute(insert(Order), [{"id": i, "customer_id": i} for i in (1, 2)])


@pytest.fixture
def start_worker(
    database: Database, redis_server: servers.Server, namespace: str
) -> Iterator[Callable[..., Worker]]:
    """
    Starts another process of the same application; what differs goes in as settings.
    """
    started: list[Worker] = []

    def start(**settings) -> Worker:
        where = (database.name, database.url, None, database.way)
        started.append(Worker(where, redis_server.url, namespace, **settings))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def neighbour(database: Database, tmp_path: Path) -> Database:
    """
    Another database on the same server (SQLite: in the same folder) with the same tables.
    """
    if database.name == "sqlite":
        url = f"sqlite:///{tmp_path / 'neighbour.db'}"
    else:
        assert database.server is not None
        created = database.server.create_database("ormcache_neighbour")
        url = f"{database.url.partition('://')[0]}://{created.partition('://')[2]}"
    other = replace(database, url=url)
    fill_with_theirs(other)
    return other


# Only a server of ours can be had a second time.
OURS = tuple(source for source in servers.SOURCES if source != "environment")


@pytest.fixture(scope="session")
def second_postgres() -> Iterator[servers.Server]:
    with servers.postgres(sources=OURS) as server:
        yield server


@pytest.fixture(scope="session")
def second_mysql() -> Iterator[servers.Server]:
    with servers.mysql(sources=OURS) as server:
        yield server


@pytest.fixture
def twin(database: Database, request: pytest.FixtureRequest) -> Database:
    """
    Another server's database of the same name, with the same tables. Not for SQLite.
    """
    product = {"postgresql": "postgres", "mariadb": "mysql"}[database.name]
    server: servers.Server = request.getfixturevalue(f"second_{product}")
    url = make_url(database.url)
    name = url.database
    assert name is not None
    created = make_url(server.create_database(name)).set(drivername=url.drivername)
    other = replace(database, url=created.render_as_string(hide_password=False))
    if database.name == "postgresql":
        give_it_the_same_number(database, server, name)
    fill_with_theirs(other)
    return other


def give_it_the_same_number(database: Database, server: servers.Server, name: str) -> None:
    """
    Make the database anew under the number of the first, as new servers count from the same one.
    """
    first = database.plain_engine()
    with first.connect() as connection:
        number = connection.scalar(
            text("SELECT oid FROM pg_database WHERE datname = :n"), {"n": name}
        )
    first.dispose()
    second = create_engine(
        make_url(server.url).set(drivername=first.url.drivername), isolation_level="AUTOCOMMIT"
    )
    with second.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
        connection.execute(text(f"CREATE DATABASE {name} OID = {number}"))
    second.dispose()


@pytest.fixture
def schema(database: Database) -> str:
    """
    The name of another schema with the same tables. PostgreSQL only.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {THEIRS}"))
    engine.dispose()
    fill_with_theirs(database, THEIRS)
    return THEIRS


def fill_with_theirs(database: Database, schema: str | None = None) -> None:
    engine = database.plain_engine()
    with engine.begin() as connection:
        elsewhere = connection.execution_options(schema_translate_map={None: schema})
        Base.metadata.create_all(elsewhere, tables=TABLES)
        elsewhere.execute(insert(Product), [{"id": 1, "name": "theirs", "price": 1, "stock": 0}])
    engine.dispose()
