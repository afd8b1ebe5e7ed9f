"""
How does a result become an entry, and an entry a result?

What is kept are the documents as the server sent them, so that each reader decodes them under the
codec options of its own collection: the types are exact, on a miss and on a hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from ormcache.codecs.bson import documents
from ormcache.model import Rows

if TYPE_CHECKING:
    from ormcache.policy import Policy

__all__ = ["EXACT", "Batches", "decoded", "decoded_value", "encoded_value", "take"]

EXACT: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)
"""
Decodes every value to one that is encoded to the same bytes again.
"""

_VALUE = "v"


class Batches:
    """
    The documents of one result as they arrive, up to what a policy wants to keep.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._documents: list[bytes] = []
        self._bytes = 0

    def add(self, raw: list[bytes]) -> None:
        """
        Take what one batch brought.
        """
        self._documents += raw
        self._bytes += sum(map(len, raw))

    def add_reply(self, reply: bytes | memoryview) -> None:
        """
        Take the batch in a server's reply to `find` or `getMore`.
        """
        cursor: Any = RawBSONDocument(bytes(reply)).get("cursor", {})
        batch = cursor.get("firstBatch", cursor.get("nextBatch", ()))
        self.add([document.raw for document in batch])

    @property
    def room(self) -> int:
        """
        How many documents more show that there are too many; 0 where that is clear.
        """
        if self._bytes > self._policy.max_bytes:
            return 0
        return max(0, self._policy.max_rows + 1 - len(self._documents))

    def rows(self) -> Rows | None:
        """
        Return the whole result, or None where it is too large to be kept.
        """
        return documents(self._documents) if self.room else None


def decoded(rows: Rows, options: CodecOptions[Any]) -> list[Any]:
    """
    Return the documents of an entry.
    """
    return bson.decode_all(b"".join([document for (document,) in rows.rows]), options)


def encoded_value(value: object) -> Rows:
    """
    Return a single value, such as a count, as an entry's rows.
    """
    return documents([bson.encode({_VALUE: value}, codec_options=EXACT)])


def decoded_value(rows: Rows, options: CodecOptions[Any]) -> Any:
    """
    Return the single value of an entry.
    """
    ((document,),) = rows.rows
    return bson.decode(document, options)[_VALUE]


def take(cursor: Any, batches: Batches) -> list[bytes]:
    """
    Return the raw documents that lie ready in an aggregation's cursor, having taken them out.
    """
    raw = [document.raw for document in cursor._data]
    cursor._data.clear()
    batches.add(raw)
    return raw
