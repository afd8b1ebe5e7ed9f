"""
The libraries on top of PyMongo take our clients, with one line each.
"""

import asyncio
from typing import Any

import mongoengine
import pytest
from beanie import Document, init_beanie

from ormcache import Cache
from ormcache.pymongo import AsyncMongoClient, MongoClient
from ormcache.testing import servers
from tests.fixtures.mongo import SHOP, MongoApp

pytestmark = pytest.mark.parametrize("kind", ["sync"], indirect=True)


def test_mongoengine(
    mongo: MongoApp, mongodb_server: servers.Server, redis_server: servers.Server, namespace: str
):
    cache = Cache.from_url(redis_server.url, namespace=namespace, timeout=5.0)
    cache.policy(f"{SHOP}.*", ttl=300)

    class Product(mongoengine.Document):
        meta = {"collection": "products", "strict": False}  # noqa: RUF012 - MongoEngine's way
        id = mongoengine.IntField(primary_key=True)
        name = mongoengine.StringField()

    ours = {"mongo_client_class": MongoClient, "cache": cache}
    mongoengine.connect(SHOP, host=mongodb_server.url, uuidRepresentation="standard", **ours)
    try:
        for hits in (0, 3):
            with cache.record() as log:
                assert Product.objects(id=1).first().name == "old"
                assert Product.objects(name="old").count() == 3
                assert sorted(p.id for p in Product.objects(name="old")) == [1, 2, 3]
            assert log.hits == hits
        product = Product.objects(id=1).first()
        product.name = "new"
        product.save()
        assert mongo.products.find_one({"_id": 1})["name"] == "new"
        mongo.products.update_one({"_id": 1}, {"$set": {"name": "newer"}})
        assert Product.objects(id=1).first().name == "newer"
        Product.objects(id=1).delete()
        assert Product.objects(id=1).first() is None
        assert mongo.products.find_one({"_id": 1}) is None
    finally:
        mongoengine.disconnect()
        cache.close()


class Product(Document):
    """
    Beanie's model of a product.
    """

    id: int  # type: ignore[assignment]  # as the shop has it
    name: str | None = None

    class Settings:
        """
        Where it is.
        """

        name = "products"


def test_beanie(
    mongo: MongoApp, mongodb_server: servers.Server, redis_server: servers.Server, namespace: str
):
    async def scenario() -> None:
        cache = Cache.from_url(redis_server.url, namespace=namespace, timeout=5.0)
        cache.policy(f"{SHOP}.*", ttl=300)
        client: Any = AsyncMongoClient(mongodb_server.url, cache=cache)
        await init_beanie(database=client[SHOP], document_models=[Product])
        for hits in (0, 3):
            with cache.record() as log:
                found = await Product.get(1)
                assert found is not None
                assert found.name == "old"
                assert await Product.find(Product.name == "old").count() == 3
                assert len(await Product.find(Product.name == "old").to_list()) == 3
            assert log.hits == hits
        found.name = "new"
        await found.save()
        assert mongo.products.find_one({"_id": 1})["name"] == "new"
        mongo.products.update_one({"_id": 1}, {"$set": {"name": "newer"}})
        again = await Product.get(1)
        assert again is not None
        assert again.name == "newer"
        await again.delete()
        assert await Product.get(1) is None
        await Product(id=9, name="late").insert()
        assert mongo.products.find_one({"_id": 9})["name"] == "late"
        await client.close()
        await cache.aclose()

    asyncio.run(scenario())
