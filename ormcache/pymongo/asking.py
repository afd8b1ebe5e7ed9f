"""
Who carries out what a read asks for: a thread, or an event loop?

Beside the core's effects there is one of this edge: the questions to a database's catalog. They go
through PyMongo's own classes, on the primary, with plain codec options, whatever the application's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bson.codec_options import CodecOptions
from pymongo import ReadPreference
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure
from pymongo.synchronous.database import Database

from ormcache.drive import AsyncPerformer, arun, run
from ormcache.model import Rows
from ormcache.reading import Answer

from .catalog import VIEWS, AskCatalog, Told

if TYPE_CHECKING:
    from .reads import Read, Wanted

__all__ = ["aanswer", "answer"]

_DEFAULT_CONCERN = "getDefaultRWConcern"


def answer(client: Any, read: Read, load: Callable[[], Rows | None]) -> Answer:
    """
    Answer a read of a synchronous client; *load* asks the database.
    """
    cache = client._ormcache.cache
    performer = cache.performer(load, cache.store, cache.waiting)

    def perform(effect: Wanted) -> object:
        if isinstance(effect, AskCatalog):
            return _ask(client, effect.database)
        return performer(effect)

    ended = run(read.path(), perform)
    read.tell(ended, performer)
    return ended


async def aanswer(client: Any, read: Read, load: Callable[[], Awaitable[Rows | None]]) -> Answer:
    """
    As `answer`, of an asynchronous client.
    """
    cache = client._ormcache.cache
    performer = AsyncPerformer(cache.async_store, cache.lease_seconds, load, cache.async_waiting)

    async def perform(effect: Wanted) -> object:
        if isinstance(effect, AskCatalog):
            return await _aask(client, effect.database)
        return await performer(effect)

    ended = await arun(read.path(), perform)
    read.tell(ended, performer)
    return ended


def _ask(client: Any, name: str) -> Told:
    admin, database = (
        Database[Any](client, each, CodecOptions(), ReadPreference.PRIMARY)
        for each in ("admin", name)
    )
    connection = admin.command("connectionStatus")
    views = list(database.list_collections(filter=VIEWS))
    try:
        default = admin.command(_DEFAULT_CONCERN)
    except OperationFailure:  # not allowed to, or a server without
        default = None
    return Told(connection, views, default)


async def _aask(client: Any, name: str) -> Told:
    admin, database = (
        AsyncDatabase[Any](client, each, CodecOptions(), ReadPreference.PRIMARY)
        for each in ("admin", name)
    )
    connection = await admin.command("connectionStatus")
    views = await (await database.list_collections(filter=VIEWS)).to_list()
    try:
        default = await admin.command(_DEFAULT_CONCERN)
    except OperationFailure:  # as above
        default = None
    return Told(connection, views, default)
