"""
What a command listener guarantees alone, on a client that is PyMongo's own.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest

from ormcache import Cache
from ormcache.pymongo import AsyncCommandListener, CommandListener
from ormcache.testing import servers
from tests.fixtures.mongo import SHOP, MongoApp
from tests.fixtures.servers import eventually
from tests.integration.conformance_mongo.steps import name_of, truth, warm

pytestmark = pytest.mark.parametrize("kind", ["sync"], indirect=True)


@pytest.fixture
def cache(redis_server: servers.Server, namespace: str) -> Iterator[Cache]:
    cache = Cache.from_url(redis_server.url, namespace=namespace, timeout=5.0)
    yield cache
    cache.close()


def test_a_synchronous_listener_keeps_the_whole_promise(
    mongo: MongoApp, mongodb_server: servers.Server, plain: Any, cache: Cache
):
    listeners = [CommandListener(cache)]
    with pymongo.MongoClient(mongodb_server.url, event_listeners=listeners) as client:
        products = client[SHOP].products
        for round_ in range(20):
            warm(mongo)
            products.update_one({"_id": 1}, {"$set": {"name": f"plain {round_}"}})
            assert name_of(mongo) == f"plain {round_}"
            warm(mongo)
            with client.start_session() as session, session.start_transaction():
                change = {"$set": {"name": f"committed {round_}"}}
                products.update_one({"_id": 1}, change, session=session)
                assert name_of(mongo) == f"plain {round_}"
            assert name_of(mongo) == f"committed {round_}"


def test_an_asynchronous_listener_invalidates_soon(
    mongo: MongoApp, mongodb_server: servers.Server, plain: Any, cache: Cache
):
    async def write(name: str) -> None:
        listeners = [AsyncCommandListener(cache)]
        async with pymongo.AsyncMongoClient(
            mongodb_server.url, event_listeners=listeners
        ) as client:
            products = client[SHOP].products
            await products.update_one({"_id": 1}, {"$set": {"name": name}})
            async with client.start_session() as session, await session.start_transaction():
                change = {"$set": {"name": f"{name}, committed"}}
                await products.update_one({"_id": 1}, change, session=session)

    for name in ("new", "newer"):
        warm(mongo)
        asyncio.run(write(name))
        assert eventually(lambda: name_of(mongo) == truth(plain))
    assert truth(plain) == "newer, committed"


def test_an_asynchronous_listener_settles_what_is_refused(
    mongo: MongoApp, mongodb_server: servers.Server, cache: Cache, redis_server: servers.Server
):
    async def write() -> None:
        listeners = [AsyncCommandListener(cache)]
        async with pymongo.AsyncMongoClient(
            mongodb_server.url, event_listeners=listeners
        ) as client:
            await client[SHOP].products.insert_one({"_id": 1})

    with pytest.raises(pymongo.errors.DuplicateKeyError):
        asyncio.run(write())

    def hit() -> bool:
        name_of(mongo)
        with mongo.cache.record() as log:
            name_of(mongo)
        return log.hits == 1

    assert eventually(hit)
