"""
How is a cursor of a synchronous client answered from the cache?

When its first batch is due. A hit looks like a result that came whole in the first batch; a miss is
PyMongo's own query, whose further batches are fetched at once, as far as the policy wants to keep
them. A result beyond that goes on as the ordinary cursor it is: nothing was taken from it.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

from pymongo.synchronous import command_cursor, cursor
from pymongo.typings import _DocumentType

from ormcache.model import Rows

from .asking import answer
from .batches import Batches, decoded
from .queries import asked_by
from .reads import Read

__all__ = ["CommandCursor", "Cursor", "postpone", "raise_late"]


class Cursor(cursor.Cursor[_DocumentType]):
    """
    PyMongo's cursor; its first batch may come from the cache.
    """

    _batches: Batches | None = None
    _unraised: Exception | None = None
    """What went wrong beyond the documents that are still to be given out."""

    def rewind(self) -> Cursor[_DocumentType]:
        self._unraised = None
        super().rewind()
        return self

    def _refresh(self) -> int:
        raise_late(self)
        if self._id is not None or self._killed or self._data:
            return super()._refresh()
        collection: Any = self._collection
        read = Read(collection, asked_by(self), self._session)
        ended = answer(collection.database.client, read, partial(self._load, read))
        if ended.rows is not None:
            self._serve(decoded(ended.rows, self._codec_options))
        return len(self._data)

    def _serve(self, found: list[Any]) -> None:
        self._data = deque(found)
        self._retrieved += len(found)
        self._id = 0
        self.close()

    def _load(self, read: Read) -> Rows | None:
        if read.policy is None:
            super()._refresh()
            return None
        self._batches = Batches(read.policy)
        size = self._batch_size
        found: list[Any] = []
        try:
            super()._refresh()
            while self._id and (room := self._batches.room):
                found += self._data
                self._data = deque()
                self._batch_size = size or room
                super()._refresh()
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


class CommandCursor(command_cursor.CommandCursor[_DocumentType]):
    """
    PyMongo's cursor over an aggregation, some of whose batches were fetched in advance.
    """

    _unraised: Exception | None = None

    def _refresh(self) -> int:
        raise_late(self)
        return super()._refresh()


def postpone(cursor: Any, error: Exception) -> None:
    """
    Have *cursor* raise *error* when the documents that came before it have been given out, as it
    would have without being fetched in advance.
    """
    cursor._unraised = error
    # PyMongo has closed it; there is no cursor on the server any more, but something to come.
    cursor._killed, cursor._id = False, 0


def raise_late(cursor: Any) -> None:
    """
    Raise what was postponed, once.
    """
    error, cursor._unraised = cursor._unraised, None
    if error is not None:
        cursor._killed = True
        raise error
