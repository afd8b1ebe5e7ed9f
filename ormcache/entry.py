"""
What does a stored entry look like, and has it been altered?

    1 byte   format number
    1 byte   codec id
    16 bytes digest of everything else and of the key it was stored under
    2 bytes  number of tokens, then each token as 1 byte length + bytes
    rest     the codec's payload

The digest binds the entry to its key: bytes copied to another key, flipped, cut or written by
something else are a miss. It needs no secret, so anybody can make one: against accidents, not
against people. `seals` has what needs one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from .errors import Tampered, Undecodable
from .fingerprint import digest
from .model import Token

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FORMAT", "PLAIN", "Entry", "PlainSealer", "open_entry", "pack", "seal_entry", "unpack"]

FORMAT = 1
"""
Raise it whenever the bytes below mean something else: older entries become misses.
"""

_DIGEST = 16
_HEADER = 2 + _DIGEST


class Entry(NamedTuple):
    """
    An opened entry: the tokens it was read under, in scope order, and the codec's payload.
    """

    tokens: tuple[Token, ...]
    payload: bytes


def seal_entry(key: str, codec_id: int, tokens: Iterable[Token], payload: bytes) -> bytes:
    """
    Return the bytes to store under *key*.
    """
    body = pack(tokens, payload)
    head = bytes((FORMAT, codec_id))
    return head + _digest(key, head, body) + body


def open_entry(key: str, codec_id: int, data: bytes) -> Entry:
    """
    Return what *data* holds.

    Raises:
        Undecodable: It is not an entry that was stored under *key* by this format and codec;
            `Tampered` where it claims to be one.
    """
    if data[:2] != bytes((FORMAT, codec_id)):
        msg = "not an entry of this format and codec"
        raise Undecodable(msg)
    body = data[_HEADER:]
    if _digest(key, data[:2], body) != data[2:_HEADER]:
        msg = "the digest does not match: altered, truncated, or stored under another key"
        raise Tampered(msg)
    return unpack(body)


class PlainSealer:
    """
    What seals entries where there is no secret.
    """

    def name(self, parts: Iterable[str]) -> str:
        return digest(parts)

    def seal(self, key: str, codec_id: int, tokens: Iterable[Token], payload: bytes) -> bytes:
        return seal_entry(key, codec_id, tokens, payload)

    def open(self, key: str, codec_id: int, data: bytes) -> Entry:
        return open_entry(key, codec_id, data)

    def __repr__(self) -> str:
        return "<PlainSealer>"


PLAIN = PlainSealer()


def pack(tokens: Iterable[Token], payload: bytes) -> bytes:
    """
    Return tokens and payload as one piece.
    """
    several = tuple(tokens)
    parts = [len(several).to_bytes(2, "big")]
    for token in several:
        parts += (len(token).to_bytes(1, "big"), token)
    return b"".join((*parts, payload))


def unpack(body: bytes) -> Entry:
    """
    Return what `pack` made into one piece.

    Raises:
        Tampered: It ends before its tokens do; the digest of such a one may be right all the same.
    """
    position = 2
    tokens = []
    for _ in range(int.from_bytes(body[:2], "big")):
        end = position + 1 + int.from_bytes(body[position : position + 1], "big")
        tokens.append(Token(body[position + 1 : end]))
        position = end
    if position > len(body):
        msg = "it ends before its tokens do"
        raise Tampered(msg)
    return Entry(tuple(tokens), body[position:])


def _digest(key: str, head: bytes, body: bytes) -> bytes:
    digest = hashlib.blake2b(head, digest_size=_DIGEST)
    digest.update(key.encode())
    digest.update(b"\0")
    digest.update(body)
    return digest.digest()
