"""
Whatever await a task is cancelled at, it leaves no connection, no lease and no wrong row behind.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import redis
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from ormcache import Cache
from ormcache.testing import servers
from ormcache.testing.cancelling import cancel_at_each_await
from tests.fixtures.apps import Database
from tests.fixtures.drivers import ASYNC, Driver
from tests.integration.conformance.steps import names, truth
from tests.shop import Product

LEASE = 0.5
"""Seconds: what a commit of unknown outcome leaves must be gone soon enough for a test."""

every_async_driver = pytest.mark.parametrize(
    ("database", "driver"),
    [(driver.database, driver) for driver in ASYNC],
    indirect=["database"],
    ids=str,
)


@dataclass
class AsyncApp:
    """
    One process's worth of an asynchronous application.
    """

    database: Database
    engine: AsyncEngine
    cache: Cache
    Session: async_sessionmaker[AsyncSession] = field(init=False)

    def __post_init__(self) -> None:
        self.Session = async_sessionmaker(self.engine)
        self.cache.enable(self.Session)

    async def name(self) -> str | None:
        async with self.Session() as session:
            return await session.scalar(names())

    async def rename(self, name: str) -> None:
        async with self.Session() as session:
            await session.execute(update(Product).values(name=name))
            await session.commit()

    async def rename_at_once(self, name: str) -> None:
        async with self.engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await autocommit.execute(update(Product).values(name=name))

    async def all_given_back(self) -> bool:
        """
        Whether every connection is in the pool again; a cancelled task closes in the background.
        """
        for _ in range(2000):
            if self.engine.pool.checkedout() == 0:
                return True
            await asyncio.sleep(0.001)
        return False


@asynccontextmanager
async def opened(
    database: Database, driver: Driver, store_url: str, namespace: str, patience: float = 5.0
) -> AsyncIterator[AsyncApp]:
    engine = create_async_engine(driver.url(database.url), pool_size=1, max_overflow=0)
    cache = Cache.from_url(store_url, namespace=namespace, timeout=patience, lease_seconds=LEASE)
    app = AsyncApp(database, engine, cache)
    try:
        async with app.Session.begin() as session:
            await session.execute(insert(Product).values(id=1, name="old", price=1))
        yield app
    finally:
        await cache.aclose()
        await engine.dispose()


async def is_right_until_it_is_a_hit(app: AsyncApp) -> bool:
    """
    Whether reads become hits within the lease, each of them what the database held at the time.
    """
    for _ in range(200):
        before = truth(app.database)
        with app.cache.record() as log:
            name = await app.name()
        assert name in (before, truth(app.database))
        if log.hits:
            return True
        await asyncio.sleep(LEASE / 20)
    return False


def leases(redis_server: servers.Server, namespace: str) -> int:
    """
    How many leases still run. One that has run out is removed by whoever meets it next; a table's,
    where all reads are of slices, by the next commit.
    """
    with redis.Redis.from_url(redis_server.url) as client:
        held = [client.get(key) for key in client.keys(f"ormcache:{namespace}:t:*")]
        seconds, microseconds = client.time()
    now = seconds * 1000 + microseconds // 1000
    deadlines = [lease.rpartition(b":")[2] for each in held for lease in each.split(b"|")[1:]]
    return sum(int(deadline) > now for deadline in deadlines)


@every_async_driver
def test_a_read_that_is_cancelled_at_each_await(
    database: Database, driver: Driver, redis_server: servers.Server, namespace: str
):
    async def scenario() -> None:
        async with opened(database, driver, redis_server.url, namespace) as app:

            async def check(_: int) -> None:
                assert await app.all_given_back()
                assert await is_right_until_it_is_a_hit(app)

            await app.name()
            hit = await cancel_at_each_await(app.name, check)

            async def uncached() -> str | None:
                await app.cache.aclear()
                return await app.name()

            miss = await cancel_at_each_await(uncached, check)
            assert miss > hit > 0

    asyncio.run(scenario())


@every_async_driver
@pytest.mark.parametrize("way", ["rename", "rename_at_once"])
def test_a_write_that_is_cancelled_at_each_await(
    database: Database, driver: Driver, redis_server: servers.Server, namespace: str, way: str
):
    async def scenario() -> None:
        async with opened(database, driver, redis_server.url, namespace) as app:
            name = iter(f"name {number}" for number in range(1000))

            async def check(_: int) -> None:
                assert await app.all_given_back()
                assert await is_right_until_it_is_a_hit(app)
                assert leases(redis_server, namespace) == 0

            assert await is_right_until_it_is_a_hit(app)
            awaits = await cancel_at_each_await(lambda: getattr(app, way)(next(name)), check)
            assert awaits > 2
            assert await app.name() == truth(database)

    asyncio.run(scenario())
