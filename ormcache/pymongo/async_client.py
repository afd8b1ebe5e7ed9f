"""
What does a user of PyMongo's asynchronous API write, instead of `pymongo.AsyncMongoClient(uri)`?

    client = ormcache.pymongo.AsyncMongoClient(uri, cache=cache)

As in `client`, for event loops; its sessions, too, are ours, because committing a transaction is a
write of theirs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from pymongo.asynchronous import client_session, database, mongo_client
from pymongo.typings import _DocumentType

from ormcache.errors import ConfigurationError

from .async_collection import AsyncCollection
from .attached import Attached
from .covering import (
    acovered,
    aggregated,
    collection_dropped,
    commanded,
    covers,
    created,
    database_dropped,
    written,
)
from .faces import as_in, copy_of
from .listener import AsyncCommandListener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bson.codec_options import TypeRegistry

    from ormcache.cache import Cache

__all__ = ["AsyncClientSession", "AsyncDatabase", "AsyncMongoClient"]

_TheirDatabase = database.AsyncDatabase
_TheirClient = mongo_client.AsyncMongoClient
_TheirSession = client_session.AsyncClientSession


class AsyncClientSession(client_session.AsyncClientSession):
    """
    PyMongo's session; what its transactions change is invalidated by their commit.
    """

    @as_in(_TheirSession.commit_transaction)
    async def commit_transaction(self) -> None:
        client: Any = self.client
        listener: AsyncCommandListener = client._ormcache_listener
        session = None if self.has_ended else self.session_id
        scopes = listener.transactions.touched(session)
        await acovered(client, scopes, super().commit_transaction)


class AsyncDatabase(database.AsyncDatabase[_DocumentType]):
    """
    PyMongo's database; its collections' reads may come from the cache, its writes invalidate.
    """

    @property
    def _ormcache_client(self) -> Any:
        return self.client

    @as_in(_TheirDatabase.with_options)
    def with_options(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_ours(super().with_options(*args, **kwargs))

    def __getitem__(self, name: str) -> AsyncCollection[_DocumentType]:
        return AsyncCollection(self, name)

    def __getattr__(self, name: str) -> AsyncCollection[_DocumentType]:
        found: Any = super().__getattr__(name)  # asks the method above
        return found  # type: ignore[no-any-return]  # which returns one of ours

    @as_in(_TheirDatabase.get_collection)
    def get_collection(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_collection(super().get_collection(*args, **kwargs))

    command = covers(commanded)(_TheirDatabase.command)
    cursor_command = covers(commanded)(_TheirDatabase.cursor_command)
    aggregate = covers(aggregated)(_TheirDatabase.aggregate)
    drop_collection = covers(collection_dropped)(_TheirDatabase.drop_collection)

    @as_in(_TheirDatabase.create_collection)
    async def create_collection(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_collection(await _create_collection(self, *args, **kwargs))

    def _ormcache_ours(self, like: Any) -> Self:
        made: Self = copy_of(like, partial(type(self), like.client))
        return made

    def _ormcache_collection(self, like: Any) -> AsyncCollection[_DocumentType]:
        made: AsyncCollection[_DocumentType] = copy_of(like, partial(AsyncCollection, self))
        return made


_create_collection: Any = covers(created)(_TheirDatabase.create_collection)


class AsyncMongoClient(mongo_client.AsyncMongoClient[_DocumentType]):
    """
    PyMongo's client with a cache: its reads may come from there, its writes invalidate.

    Args:
        cache: Where its reads are looked up, and whose policies say which are.

    Everything else is as for `pymongo.AsyncMongoClient`.

    Raises:
        ConfigurationError: The cache's store has no asynchronous kind.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        document_class: type[_DocumentType] | None = None,
        tz_aware: bool | None = None,  # noqa: FBT001 - PyMongo's
        connect: bool | None = None,  # noqa: FBT001 - PyMongo's
        type_registry: TypeRegistry | None = None,
        *,
        cache: Cache,
        **kwargs: Any,
    ) -> None:
        if cache.async_store is None:
            raise ConfigurationError(
                f"an async client needs an asynchronous store; pass async_store= beside {cache!r}"
            )
        self._ormcache = Attached(cache)
        self._ormcache_listener = AsyncCommandListener(cache, alone=False)
        listeners = [self._ormcache_listener, *(kwargs.pop("event_listeners", None) or ())]
        super().__init__(
            host,
            port,
            document_class,
            tz_aware,
            connect,
            type_registry,
            event_listeners=listeners,
            **kwargs,
        )

    @property
    def _ormcache_client(self) -> Any:
        return self

    def __getitem__(self, name: str) -> AsyncDatabase[_DocumentType]:
        return AsyncDatabase(self, name)

    def __getattr__(self, name: str) -> AsyncDatabase[_DocumentType]:
        found: Any = super().__getattr__(name)  # asks the method above
        return found  # type: ignore[no-any-return]  # which returns one of ours

    @as_in(_TheirClient.get_database)
    def get_database(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_ours(super().get_database(*args, **kwargs))

    @as_in(_TheirClient.get_default_database)
    def get_default_database(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_ours(super().get_default_database(*args, **kwargs))

    @as_in(_TheirClient.start_session)
    def start_session(self, *args: Any, **kwargs: Any) -> Any:
        session = super().start_session(*args, **kwargs)
        # PyMongo names its class where it makes one, so it becomes ours afterwards.
        session.__class__ = AsyncClientSession
        return session

    bulk_write = covers(written)(_TheirClient.bulk_write)
    drop_database = covers(database_dropped)(_TheirClient.drop_database)

    def _ormcache_ours(self, like: Any) -> AsyncDatabase[_DocumentType]:
        made: AsyncDatabase[_DocumentType] = copy_of(like, partial(AsyncDatabase, self))
        return made
