"""
What type checkers see of the MongoDB edge; read by mypy, never run.
"""

from typing import Any, assert_type

from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.synchronous.command_cursor import CommandCursor
from pymongo.synchronous.cursor import Cursor

from ormcache import Cache, Explanation, Policy
from ormcache.pymongo import (
    AsyncCollection,
    AsyncMongoClient,
    Collection,
    CommandListener,
    Database,
    MongoClient,
)

cache = Cache.from_url("redis://localhost/0", namespace="shop")
cache.policy("shop.products", ttl=60)

Document = dict[str, Any]
client: MongoClient[Document] = MongoClient("mongodb://localhost", tz_aware=True, cache=cache)
MongoClient("mongodb://localhost")  # type: ignore[call-arg]  # without a cache, use PyMongo's
assert_type(client["shop"], Database[Document])
assert_type(client.shop, Database[Document])
assert_type(client.shop.products, Collection[Document])
assert_type(client.shop["products"], Collection[Document])
products = client.shop.products
assert_type(products.with_cache(ttl=5), Collection[Document])
assert_type(products.with_cache(Policy.never), Collection[Document])
assert_type(products.uncached(), Collection[Document])
assert_type(products.find_one({"_id": 7}), Document | None)
found: Cursor[Document] = products.find({"_id": 7})
aggregated: CommandCursor[Document] = products.aggregate([])
assert_type(products.count_documents({}), int)
assert_type(products.estimated_document_count(), int)
assert_type(products.distinct("name"), list[Any])
assert_type(cache.explain(products.find({"_id": 7})), Explanation)
assert_type(cache.explain(products.distinct, "name", {}, hint="by_name"), Explanation)


async def asynchronous() -> None:
    """
    The same, awaited.
    """
    client: AsyncMongoClient[Document] = AsyncMongoClient("mongodb://localhost", cache=cache)
    products = client.shop.products
    assert_type(products, AsyncCollection[Document])
    assert_type(products.uncached(), AsyncCollection[Document])
    assert_type(await products.find_one({"_id": 7}), Document | None)
    found: AsyncCursor[Document] = products.find({"_id": 7})
    assert_type(await found.to_list(), list[Document])
    assert_type(await products.count_documents({}), int)
    assert_type(await cache.aexplain(products.find({"_id": 7})), Explanation)
    await products.insert_one({"_id": 7})
    await products.insert_one(7)  # type: ignore[arg-type]  # no document


listener = CommandListener(cache)
