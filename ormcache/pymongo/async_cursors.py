"""
How is a cursor of an asynchronous client answered from the cache?

As in `cursors`, with the store and the server awaited.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

from pymongo.asynchronous import command_cursor, cursor
from pymongo.typings import _DocumentType

from ormcache.model import Rows

from .asking import aanswer
from .batches import Batches, decoded
from .cursors import postpone, raise_late
from .queries import asked_by
from .reads import Read

__all__ = ["AsyncCommandCursor", "AsyncCursor"]


class AsyncCursor(cursor.AsyncCursor[_DocumentType]):
    """
    PyMongo's cursor; its first batch may come from the cache.
    """

    _batches: Batches | None = None
    _unraised: Exception | None = None
    """What went wrong beyond the documents that are still to be given out."""

    async def rewind(self) -> AsyncCursor[_DocumentType]:
        self._unraised = None
        await super().rewind()
        return self

    async def _refresh(self) -> int:
        raise_late(self)
        if self._id is not None or self._killed or self._data:
            return await super()._refresh()
        collection: Any = self._collection
        read = Read(collection, asked_by(self), self._session)
        ended = await aanswer(collection.database.client, read, partial(self._load, read))
        if ended.rows is not None:
            await self._serve(decoded(ended.rows, self._codec_options))
        return len(self._data)

    async def _serve(self, found: list[Any]) -> None:
        self._data = deque(found)
        self._retrieved += len(found)
        self._id = 0
        await self.close()

    async def _load(self, read: Read) -> Rows | None:
        if read.policy is None:
            await super()._refresh()
            return None
        self._batches = Batches(read.policy)
        size = self._batch_size
        found: list[Any] = []
        try:
            await super()._refresh()
            while self._id and (room := self._batches.room):
                found += self._data
                self._data = deque()
                self._batch_size = size or room
                await super()._refresh()
        except Exception as exc:
            if not found:
                raise
            postpone(self, exc)
        finally:
            self._batch_size = size
            self._data = deque([*found, *self._data])
            batches, self._batches = self._batches, None
        return None if self._id or self._unraised is not None else batches.rows()

    def _unpack_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self._batches is not None:
            self._batches.add_reply(response.raw_command_response())
        return super()._unpack_response(response, *args, **kwargs)


class AsyncCommandCursor(command_cursor.AsyncCommandCursor[_DocumentType]):
    """
    PyMongo's cursor over an aggregation, some of whose batches were fetched in advance.
    """

    _unraised: Exception | None = None

    async def _refresh(self) -> int:
        raise_late(self)
        return await super()._refresh()
