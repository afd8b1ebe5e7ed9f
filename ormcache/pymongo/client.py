"""
What does a user of PyMongo write, instead of `pymongo.MongoClient(uri)`?

    client = ormcache.pymongo.MongoClient(uri, cache=cache)

Whatever is derived from it, `client.shop.products`, `client["shop"].get_collection(...)`,
`.with_options(...)`, is of the classes here and in `collection`: subclasses of PyMongo's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from pymongo.synchronous import client_session, database, mongo_client
from pymongo.typings import _DocumentType

from .attached import Attached
from .collection import Collection
from .covering import (
    aggregated,
    collection_dropped,
    commanded,
    covered,
    covers,
    created,
    database_dropped,
    written,
)
from .faces import as_in, copy_of
from .listener import CommandListener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bson.codec_options import TypeRegistry

    from ormcache.cache import Cache

__all__ = ["ClientSession", "Database", "MongoClient"]

_TheirDatabase = database.Database
_TheirClient = mongo_client.MongoClient
_TheirSession = client_session.ClientSession


class ClientSession(client_session.ClientSession):
    """
    PyMongo's session, whose commit may be refused.
    """

    @as_in(_TheirSession.commit_transaction)
    def commit_transaction(self) -> None:
        client: Any = self.client
        session = None if self.has_ended else self.session_id
        scopes = client._ormcache_listener.transactions.touched(session)
        covered(client, scopes, super().commit_transaction)


class Database(database.Database[_DocumentType]):
    """
    PyMongo's database; its collections' reads may come from the cache.
    """

    @property
    def _ormcache_client(self) -> Any:
        return self.client

    @as_in(_TheirDatabase.with_options)
    def with_options(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_ours(super().with_options(*args, **kwargs))

    def __getitem__(self, name: str) -> Collection[_DocumentType]:
        return Collection(self, name)

    def __getattr__(self, name: str) -> Collection[_DocumentType]:
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
    def create_collection(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_collection(_create_collection(self, *args, **kwargs))

    def _ormcache_ours(self, like: Any) -> Self:
        made: Self = copy_of(like, partial(type(self), like.client))
        return made

    def _ormcache_collection(self, like: Any) -> Collection[_DocumentType]:
        made: Collection[_DocumentType] = copy_of(like, partial(Collection, self))
        return made


_create_collection: Any = covers(created)(_TheirDatabase.create_collection)


class MongoClient(mongo_client.MongoClient[_DocumentType]):
    """
    PyMongo's client with a cache: its reads may come from there, its writes invalidate.

    Args:
        cache: Where its reads are looked up, and whose policies say which are.

    Everything else is as for `pymongo.MongoClient`.
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
        # Before PyMongo's part, which may begin to connect.
        self._ormcache = Attached(cache)
        self._ormcache_listener = CommandListener(cache, alone=False)
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

    def __getitem__(self, name: str) -> Database[_DocumentType]:
        return Database(self, name)

    def __getattr__(self, name: str) -> Database[_DocumentType]:
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
        session.__class__ = ClientSession
        return session

    bulk_write = covers(written)(_TheirClient.bulk_write)
    drop_database = covers(database_dropped)(_TheirClient.drop_database)

    def _ormcache_ours(self, like: Any) -> Database[_DocumentType]:
        made: Database[_DocumentType] = copy_of(like, partial(Database, self))
        return made
