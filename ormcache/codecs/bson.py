"""
How do MongoDB's documents travel? As the bytes that the server sent, one after the other.

A row is one document, a document is BSON: four bytes of length, little-endian, that count
themselves, and a zero at the end. Nothing is decoded here: that is done by whoever reads, under
the options of the collection that is asked.
"""

from __future__ import annotations

from ormcache.errors import Undecodable, Unstorable
from ormcache.model import Column, Rows

__all__ = ["BsonCodec", "StreamCodec", "documents", "split"]

_COLUMNS = (Column("document", None),)

_SMALLEST = 5
"""
In bytes: the length and the closing zero.
"""


class BsonCodec:
    """
    The codec of documents that are already BSON.

    Safe to share between threads; holds no state.
    """

    id = 2

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id})"

    def encode(self, rows: Rows) -> bytes:
        """
        Return *rows* as bytes.

        Raises:
            Unstorable: A row is not one whole document.
        """
        if len(rows.columns) != 1:
            raise Unstorable("row that is not one document")
        for row in rows.rows:
            if len(row) != 1 or type(row[0]) is not bytes or not _is_document(row[0]):
                raise Unstorable("row that is not one document")
        return b"".join([document for (document,) in rows.rows])

    def decode(self, payload: bytes) -> Rows:
        """
        Return fresh rows nobody else holds.

        Raises:
            Undecodable: These bytes are not documents that this codec wrote.
        """
        return documents(split(payload))


class StreamCodec(BsonCodec):
    """
    The same codec for who decodes the documents all at once: an entry is one row, their stream.

    Taking a stream of a thousand documents apart takes half as long as decoding them.
    """

    def decode(self, payload: bytes) -> Rows:
        return Rows(_COLUMNS, [(payload,)])


def documents(several: list[bytes]) -> Rows:
    """
    Return documents as the rows that the rest of the package passes around.
    """
    return Rows(_COLUMNS, [(document,) for document in several])


def split(stream: bytes) -> list[bytes]:
    """
    Return the documents that lie one after the other in *stream*.

    Raises:
        Undecodable: It does not end where its last document does.
    """
    found = []
    begin, end = 0, len(stream)
    while begin < end:
        length = int.from_bytes(stream[begin : begin + 4], "little")
        after = begin + length
        if length < _SMALLEST or after > end or stream[after - 1]:
            raise Undecodable("not a whole number of documents")
        found.append(stream[begin:after])
        begin = after
    return found


def _is_document(data: bytes) -> bool:
    return (
        len(data) >= _SMALLEST and int.from_bytes(data[:4], "little") == len(data) and data[-1] == 0
    )
