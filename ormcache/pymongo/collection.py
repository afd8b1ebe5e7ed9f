"""
Which reads of a synchronous collection are cached, and how is a choice made for one of them?

    db.products.find({"category": 7})                   as its policy says
    db.products.with_cache(ttl=5).find(...)             for five seconds
    db.products.uncached().find(...)                    from the database

Everything else is PyMongo's own. Writes are seen by the client's listener; only where the cache is
to refuse what the store cannot be told of, they announce and settle by themselves, see `covering`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import bson
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure
from pymongo.synchronous import collection
from pymongo.typings import _DocumentType

from ormcache.model import Rows
from ormcache.policy import Policy

from . import asked
from .asked import Asked
from .asking import answer
from .batches import EXACT, Batches, decoded, decoded_value, encoded_value, take
from .covering import aggregated, covered, covers, dropped, renamed, writes
from .cursors import CommandCursor, Cursor, postpone
from .faces import as_in, copy_of, namespace_of, said_by
from .reads import Read

if TYPE_CHECKING:
    from .plan import Said

__all__ = ["Collection"]

_Theirs = collection.Collection


class Collection(collection.Collection[_DocumentType]):
    """
    PyMongo's collection; its reads may come from the cache.
    """

    _ormcache_said: Said | None = None

    @property
    def _ormcache_client(self) -> Any:
        return self.database.client

    # -- what is cached ----------------------------------------------------------------------

    def with_cache(self, policy: Policy | None = None, **settings: Any) -> Self:
        """
        Return this collection with a policy of its own, or with settings of its policy replaced.

            products.with_cache(ttl=5).find_one({"_id": 7})

        Raises:
            ConfigurationError: A setting is wrong.
        """
        return self._ormcache_ours(self, said_by(policy, settings))

    def uncached(self) -> Self:
        """
        Return this collection, read from the database always.
        """
        return self._ormcache_ours(self, said=False)

    @as_in(_Theirs.with_options)
    def with_options(self, *args: Any, **kwargs: Any) -> Any:
        return self._ormcache_ours(super().with_options(*args, **kwargs), self._ormcache_said)

    @as_in(_Theirs.__getitem__)
    def __getitem__(self, name: str) -> Any:
        return self._ormcache_ours(super().__getitem__(name), said=None)

    # -- writes ------------------------------------------------------------------------------

    insert_one = writes(_Theirs.insert_one)
    insert_many = writes(_Theirs.insert_many)
    replace_one = writes(_Theirs.replace_one)
    update_one = writes(_Theirs.update_one)
    update_many = writes(_Theirs.update_many)
    delete_one = writes(_Theirs.delete_one)
    delete_many = writes(_Theirs.delete_many)
    find_one_and_delete = writes(_Theirs.find_one_and_delete)
    find_one_and_replace = writes(_Theirs.find_one_and_replace)
    find_one_and_update = writes(_Theirs.find_one_and_update)
    bulk_write = writes(_Theirs.bulk_write)
    create_index = writes(_Theirs.create_index)
    create_indexes = writes(_Theirs.create_indexes)
    drop_index = writes(_Theirs.drop_index)
    drop_indexes = writes(_Theirs.drop_indexes)
    drop = covers(dropped)(_Theirs.drop)
    rename = covers(renamed)(_Theirs.rename)

    aggregate_raw_batches = covers(aggregated)(_Theirs.aggregate_raw_batches)

    # -- reads -------------------------------------------------------------------------------

    @as_in(_Theirs.find)
    def find(self, *args: Any, **kwargs: Any) -> Any:
        return Cursor[_DocumentType](self, *args, **kwargs)

    @as_in(_Theirs.aggregate)
    def aggregate(
        self, pipeline: Any, session: Any = None, let: Any = None, comment: Any = None, **kw: Any
    ) -> Any:
        what = asked.aggregate(namespace_of(self), pipeline, {**kw, "let": let})
        ask = partial(super().aggregate, pipeline, session, let, comment, **kw)
        if what.facts.writes:
            return covered(self._ormcache_client, aggregated(self, pipeline), ask)
        read = Read(self, what, session)
        found: list[Any] = []

        def load() -> Rows | None:
            if read.policy is not None:
                raw = self._ormcache_plain(
                    self.codec_options.with_options(document_class=RawBSONDocument)
                )
                # What goes wrong, the caller is to be told in codec options of its own.
                with contextlib.suppress(OperationFailure):
                    found.append(raw.aggregate(pipeline, session, let, comment, **kw))
                    return self._ormcache_gather(found[0], Batches(read.policy))
            found.append(ask())
            return None

        ended = answer(self.database.client, read, load)
        if ended.rows is None:
            return found[0]
        served = {"id": 0, "firstBatch": decoded(ended.rows, self.codec_options)}
        return CommandCursor[_DocumentType](self, served, None, session=session, comment=comment)

    @as_in(_Theirs.count_documents)
    def count_documents(
        self, filter: Any, session: Any = None, comment: Any = None, **kwargs: Any
    ) -> Any:
        what = asked.count(namespace_of(self), filter, kwargs)
        ask = partial(super().count_documents, filter, session, comment, **kwargs)
        return self._ormcache_value(what, session, lambda _: encoded_value(ask()), ask)

    @as_in(_Theirs.estimated_document_count)
    def estimated_document_count(self, comment: Any = None, **kwargs: Any) -> Any:
        what = asked.estimated_count(namespace_of(self), kwargs)
        ask = partial(super().estimated_document_count, comment, **kwargs)
        return int(self._ormcache_value(what, None, lambda _: encoded_value(ask()), ask))

    @as_in(_Theirs.distinct)
    def distinct(
        self,
        key: Any,
        filter: Any = None,
        session: Any = None,
        comment: Any = None,
        hint: Any = None,
        **kwargs: Any,
    ) -> Any:
        what = asked.distinct(namespace_of(self), key, filter, hint, kwargs)
        ask = partial(super().distinct, key, filter, session, comment, hint, **kwargs)

        def keep(policy: Policy) -> Rows | None:
            exact = self._ormcache_plain(EXACT)
            encoded = filter and RawBSONDocument(
                bson.encode(filter, codec_options=self.codec_options)
            )
            values = exact.distinct(key, encoded, session, comment, hint, **kwargs)
            return encoded_value(values) if len(values) <= policy.max_rows else None

        return self._ormcache_value(what, session, keep, ask)

    # -- how ---------------------------------------------------------------------------------

    def _ormcache_value(
        self,
        what: Asked,
        session: Any,
        keep: Callable[[Policy], Rows | None],
        ask: Callable[[], Any],
    ) -> Any:
        """
        Return a single value; *keep* asks for it in a form that can be stored, *ask* in the
        caller's.
        """
        read = Read(self, what, session)
        found: list[Any] = []

        def load() -> Rows | None:
            rows = None
            if read.policy is not None:
                # What goes wrong, the caller is to be told in codec options of its own.
                with contextlib.suppress(OperationFailure, InvalidBSON, UnicodeError):
                    rows = keep(read.policy)
            found.append(ask() if rows is None else decoded_value(rows, self.codec_options))
            return rows

        ended = answer(self.database.client, read, load)
        return found[0] if ended.rows is None else decoded_value(ended.rows, self.codec_options)

    def _ormcache_gather(self, cursor: Any, batches: Batches) -> Rows | None:
        """
        Fetch what the policy wants to keep, and leave *cursor* as if nothing had been fetched.
        """
        cursor.__class__ = CommandCursor
        size = cursor._batch_size
        documents = take(cursor, batches)
        try:
            while cursor._id and batches.room:
                cursor.batch_size(size or batches.room)
                cursor._refresh()
                documents += take(cursor, batches)
        except Exception as exc:  # noqa: BLE001 - raised where it would have been
            postpone(cursor, exc)
        cursor.batch_size(size)
        cursor._collection = self
        cursor._data.extend(bson.decode_all(b"".join(documents), self.codec_options))
        return None if cursor._id or cursor._unraised is not None else batches.rows()

    def _ormcache_ours(self, like: Any, said: Said | None) -> Self:
        """
        Return an object of our class like *like*, PyMongo's own.
        """
        made: Self = copy_of(like, partial(type(self), like.database))
        made._ormcache_said = said
        return made

    def _ormcache_plain(self, codec_options: Any) -> Any:
        made_by = partial(_Theirs, self.database)
        return copy_of(self, made_by, codec_options=codec_options)
