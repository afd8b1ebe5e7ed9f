"""
How does a result travel: rows of a driver's values to bytes and back, exactly?

    4 bytes   length of the layout, big-endian
    layout    MessagePack: column names, type codes, and one letter per column for its kind
    columns   MessagePack: one list per column

The layout comes first because it says into which types the columns are to be decoded; results of
one statement share it, so its decoder is built once. Integrity is not looked after here: that is
the envelope's, and altered bytes may decode to other values of the types listed, never do harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import msgpack

from ormcache.errors import Undecodable, Unstorable
from ormcache.model import Column, Rows

from .columns import KINDS, pack
from .values import encoder, load_extension, type_name

__all__ = ["RowCodec"]

_MAX_COLUMNS = 32_767
"""
The widest result a database gives; a wider layout is nonsense that would take long to prepare.
"""

_MAX_CACHED_LAYOUT = 64 * 1024
"""
In bytes. With the number of cached layouts this bounds what a process keeps.
"""


class _Layout(NamedTuple):
    """
    What the first part of a payload says about the second.
    """

    columns: tuple[Column, ...]
    decode: Callable[[memoryview], Sequence[Any]]
    unpackers: tuple[tuple[int, Callable[[Any], Iterable[Any]]], ...]
    """
    Columns that need something done after decoding, by position.
    """


class RowCodec:
    """
    The built-in codec: every type that the supported drivers return, typed per column.

    Safe to share between threads; holds no state.
    """

    id = 1

    def __repr__(self) -> str:
        return f"{type(self).__name__}(id={self.id})"

    def encode(self, rows: Rows) -> bytes:
        """
        Return *rows* as bytes.

        Raises:
            Unstorable: a value would not come back with the same value and type.
        """
        try:
            kinds, columns = _pack_rows(rows)
            layout = _encode_layout(rows.columns, kinds)
            return b"".join((len(layout).to_bytes(4, "big"), layout, encoder.encode(columns)))
        except UnicodeEncodeError as error:
            raise Unstorable("str with a lone surrogate") from error
        except RecursionError as error:
            raise Unstorable("deeply nested list or dict") from error
        except (OverflowError, ValueError) as error:
            raise Unstorable("value larger than MessagePack can hold") from error

    def decode(self, payload: bytes) -> Rows:
        """
        Return fresh rows nobody else holds.

        Raises:
            Undecodable: these bytes are not rows that this codec wrote.
        """
        # Values are rebuilt by their own classes, each with its own way to refuse altered parts.
        try:
            return _decode(payload)
        except Exception as error:
            raise Undecodable(f"not readable as rows: {type(error).__name__}") from error


def _pack_rows(rows: Rows) -> tuple[str, list[Any]]:
    """
    Return the letters of the columns' kinds and the columns as the encoder is to write them.
    """
    width = len(rows.columns)
    if width > _MAX_COLUMNS:
        raise Unstorable(f"row of more than {_MAX_COLUMNS} columns")
    for cls in set(map(type, rows.rows)):
        if cls is not tuple:
            raise Unstorable(f"{type_name(cls)} as a row")
    if set(map(len, rows.rows)) - {width}:
        raise Unstorable("row of another length than its description")
    if not width:
        # Each row takes a byte, so that no small payload can claim a great many of them.
        return "", [[None] * len(rows.rows)]
    columns = list(zip(*rows.rows, strict=True)) or [()] * width
    packed = [pack(column) for column in columns]
    return "".join([kind for kind, _ in packed]), [column for _, column in packed]


def _encode_layout(columns: tuple[Column, ...], kinds: str) -> bytes:
    names = [column.name for column in columns]
    for cls in set(map(type, names)):
        if cls is not str:
            raise Unstorable(f"{type_name(cls)} as a column name")
    codes = [code if type(code) is int else None for _, code in columns]
    return encoder.encode((names, codes, kinds))


def _decode(payload: bytes) -> Rows:
    start = 4 + int.from_bytes(payload[:4], "big")
    written = payload[4:start]
    keep = len(written) <= _MAX_CACHED_LAYOUT
    layout = _cached_layout(written) if keep else _layout(written)
    columns = layout.decode(memoryview(payload)[start:])
    if not layout.columns:
        return Rows((), [()] * len(columns[0]))
    if layout.unpackers:
        columns = list(columns)
        for position, unpack in layout.unpackers:
            columns[position] = unpack(columns[position])
    return Rows(layout.columns, list(zip(*columns, strict=True)))


def _layout(written: bytes) -> _Layout:
    names, codes, letters = _layout_decoder.decode(written)
    if len(letters) > _MAX_COLUMNS:
        raise ValueError("too many columns")
    columns = tuple(Column(*pair) for pair in zip(names, codes, strict=True))
    kinds = [KINDS[letter] for letter in letters]
    if len(kinds) != len(columns):
        raise ValueError("as many kinds as columns are needed")
    wire = tuple(kind.wire for kind in kinds) or (list[None],)
    decoder = msgpack.Decoder(tuple[wire], ext_hook=load_extension)  # type: ignore[valid-type]
    unpackers = [(place, kind.unpack) for place, kind in enumerate(kinds) if kind.unpack]
    return _Layout(columns, decoder.decode, tuple(unpackers))


_layout_decoder = msgpack.Decoder(tuple[list[str], list[int | None], str])
_cached_layout = lru_cache(maxsize=256)(_layout)
