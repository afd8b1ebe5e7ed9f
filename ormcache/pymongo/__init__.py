"""
The MongoDB edge: PyMongo clients whose reads are cached and whose writes invalidate.

    client = ormcache.pymongo.MongoClient(uri, cache=cache)
    cache.policy("shop.products", ttl=60)

A read goes through `collection` and `cursors`, `asked` and `reads`; a write through `listener`,
which asks `commands` what it changes, and on an event loop through `covering`. What the
deployment is and knows besides is in `identity` and `catalog`.
"""

from __future__ import annotations

from .async_client import AsyncDatabase, AsyncMongoClient
from .async_collection import AsyncCollection
from .client import Database, MongoClient
from .collection import Collection
from .listener import AsyncCommandListener, CommandListener

__all__ = [
    "AsyncCollection",
    "AsyncCommandListener",
    "AsyncDatabase",
    "AsyncMongoClient",
    "Collection",
    "CommandListener",
    "Database",
    "MongoClient",
]
