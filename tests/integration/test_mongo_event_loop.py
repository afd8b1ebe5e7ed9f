"""
Whatever await a task of an asynchronous client is cancelled at, nothing stale and no lease is left
behind; and while the cache waits for its store, the event loop goes on.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import redis

from ormcache import Cache, Outcome
from ormcache.pymongo import AsyncMongoClient
from ormcache.testing import servers
from ormcache.testing.cancelling import cancel_at_each_await
from tests.fixtures.mongo import SHOP
from tests.integration.conformance.test_store_losses import OURS
from tests.integration.test_event_loop import while_frozen

LEASE = 0.5
"""Seconds: what a write of unknown outcome leaves must be gone soon enough for a test."""


class Shop:
    """
    One process's worth of an asynchronous application.
    """

    def __init__(self, url: str, store_url: str, namespace: str, patience: float = 5.0) -> None:
        self.cache = Cache.from_url(
            store_url, namespace=namespace, timeout=patience, lease_seconds=LEASE
        )
        self.cache.policy(f"{SHOP}.*", ttl=300)
        self.client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url, cache=self.cache)
        self.products = self.client[SHOP].products

    async def name(self) -> str:
        found = await self.products.find_one({"_id": 1})
        assert found is not None
        return found["name"]

    async def rename(self, name: str) -> None:
        await self.products.update_one({"_id": 1}, {"$set": {"name": name}})

    async def rename_in_a_transaction(self, name: str) -> None:
        async with self.client.start_session() as session, await session.start_transaction():
            change = {"$set": {"name": name}}
            await self.products.update_one({"_id": 1}, change, session=session)

    async def is_right_until_it_is_a_hit(self, plain: Any) -> bool:
        for _ in range(400):
            before = plain.products.find_one({"_id": 1})["name"]
            with self.cache.record() as log:
                name = await self.name()
            assert name in (before, plain.products.find_one({"_id": 1})["name"])
            if log.hits:
                return True
            await asyncio.sleep(LEASE / 20)
        return False

    async def close(self) -> None:
        await self.client.close()
        await self.cache.aclose()


def run(shop: Callable[[], Shop], scenario: Callable[[Shop], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        opened = shop()
        try:
            await scenario(opened)
        finally:
            await opened.close()

    asyncio.run(main())


@pytest.fixture
def shop(
    mongodb_server: servers.Server, redis_server: servers.Server, namespace: str, plain: Any
) -> Callable[[], Shop]:
    return lambda: Shop(mongodb_server.url, redis_server.url, namespace)


def test_a_read_that_is_cancelled_at_each_await(shop: Callable[[], Shop], plain: Any):
    async def scenario(shop: Shop) -> None:
        async def check(_: int) -> None:
            assert await shop.is_right_until_it_is_a_hit(plain)

        await shop.name()
        hit = await cancel_at_each_await(shop.name, check)

        async def uncached() -> str:
            await shop.cache.aclear()
            return await shop.name()

        miss = await cancel_at_each_await(uncached, check)
        assert miss > hit > 0

    run(shop, scenario)


@pytest.mark.parametrize("way", ["rename", "rename_in_a_transaction"])
def test_a_write_that_is_cancelled_at_each_await(
    shop: Callable[[], Shop],
    plain: Any,
    redis_server: servers.Server,
    namespace: str,
    way: str,
):
    def leases() -> int:
        with redis.Redis.from_url(redis_server.url) as client:
            return sum(b"|" in client.get(k) for k in client.keys(f"ormcache:{namespace}:t:*"))

    async def scenario(shop: Shop) -> None:
        names = iter(f"name {number}" for number in range(1000))

        async def check(_: int) -> None:
            plain.client.admin.command("killAllSessions", [])  # an abort may be cancelled, too
            assert await shop.is_right_until_it_is_a_hit(plain)
            assert leases() == 0

        assert await shop.is_right_until_it_is_a_hit(plain)
        awaits = await cancel_at_each_await(lambda: getattr(shop, way)(next(names)), check)
        assert awaits > 2
        await shop.rename("last")
        assert await shop.name() == "last"

    run(shop, scenario)


@pytest.fixture(scope="module")
def private() -> Iterator[servers.Server]:
    with servers.redis(sources=OURS) as server:
        yield server


def test_what_waits_for_the_store_holds_up_nothing_else(
    mongodb_server: servers.Server, private: servers.Server, namespace: str, plain: Any
):
    async def scenario(shop: Shop) -> None:
        await shop.name()
        assert await shop.name() == "old"
        with shop.cache.record() as log:
            assert await while_frozen(private, shop.name, 20) == ["old"] * 20
        assert [read.outcome for read in log.reads] == [Outcome.HIT] * 20
        with shop.cache.record() as log:
            await while_frozen(private, lambda: shop.rename("new"), 1)
        assert [commit.delivered for commit in log.commits] == [True]
        assert await shop.name() == "new"

    try:
        run(lambda: Shop(mongodb_server.url, private.url, namespace, patience=30.0), scenario)
    finally:
        private.resume()
