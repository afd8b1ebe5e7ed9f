"""
What does a user of PyMongo write, instead of `pymongo.MongoClient(uri)`?

    client = ormcache.pymongo.MongoClient(uri, cache=cache)

Whatever is derived from it, `client.shop.products`, `client["shop"].get_collection(...)`,
`.with_options(...)`, is of the classes here and in `collection`: subclasses of PyMongo's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from pymongo.synchronous import database, mongo_client
from pymongo.typings import _DocumentType

from .attached import Attached
from .collection import Collection
from .faces import as_in, copy_of
from .listener import CommandListener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bson.codec_options import TypeRegistry

    from ormcache.cache import Cache

__all__ = ["Database", "MongoClient"]

_TheirDatabase = database.Database
_TheirClient = mongo_client.MongoClient


class Database(database.Database[_DocumentType]):
    """
    PyMongo's database; its collections' reads may come from the cache.
    """

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

    @as_in(_TheirDatabase.create_collection)
    def create_collection(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_collection(super().create_collection(*args, **kwargs))

    def _ormcache_ours(self, like: Any) -> Self:
        made: Self = copy_of(like, partial(type(self), like.client))
        return made

    def _ormcache_collection(self, like: Any) -> Collection[_DocumentType]:
        made: Collection[_DocumentType] = copy_of(like, partial(Collection, self))
        return made


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
        listeners = [CommandListener(cache), *(kwargs.pop("event_listeners", None) or ())]
        # Before PyMongo's part, which may begin to connect.
        self._ormcache = Attached(cache)
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

    def _ormcache_ours(self, like: Any) -> Database[_DocumentType]:
        made: Database[_DocumentType] = copy_of(like, partial(Database, self))
        return made
