"""
The shop that every scenario starts from.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from sqlalchemy import insert

from ormcache.testing import servers
from tests.fixtures.apps import Database
from tests.integration.conformance.process import Worker
from tests.shop import Category, Product


@pytest.fixture
def database(database: Database) -> Database:
    """
    The three databases with two categories and three products named "old".
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


@pytest.fixture
def start_worker(
    database: Database, redis_server: servers.Server, namespace: str
) -> Iterator[Callable[..., Worker]]:
    """
    Starts another process of the same application; what differs goes in as settings.
    """
    started: list[Worker] = []

    def start(**settings) -> Worker:
        where = (database.name, database.url)
        started.append(Worker(where, redis_server.url, namespace, **settings))
        return started[-1]

    yield start
    for worker in started:
        worker.close()
