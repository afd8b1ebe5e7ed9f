"""
The libraries on top of PyMongo take our clients, with one line each; and the README's example.
"""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mongoengine
import pytest
from beanie import Document, init_beanie

from ormcache import Cache
from ormcache.pymongo import AsyncMongoClient, MongoClient
from ormcache.testing import servers
from tests.fixtures.mongo import SHOP, MongoApp

README = Path(__file__).parents[2] / "README.md"

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
    url = urlsplit(mongodb_server.url)._replace(path=f"/{SHOP}").geturl()
    mongoengine.connect(host=url, uuidRepresentation="standard", **ours)
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


def test_the_readmes_example_runs_as_printed(
    kind: str, mongodb_server: servers.Server, redis_server: servers.Server
):
    pattern = r"<!-- tested with MongoDB.*?-->\n```python\n(.*?)```"
    found = re.search(pattern, README.read_text(), re.DOTALL)
    assert found is not None
    program = found[1].replace("redis://localhost:6379/0", redis_server.url)
    program = program.replace("mongodb://localhost:27017", mongodb_server.url)
    # On a busy test machine 50 ms may pass before a first answer.
    program = program.replace('namespace="shop")', 'namespace="readme", timeout=5.0)')
    program += "\nclient.close()\ncache.close()\n"
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    first, second, *table = done.stdout.splitlines()
    assert first == second == "{'_id': 7, 'name': 'tea'}"
    assert table[-1] == "2 hits, 1 miss, 1 bypass, 0 commits"


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
