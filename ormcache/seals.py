"""
What does a secret add to an entry? That nobody without it wrote these bytes, or for another key.

    1 byte   format number of the kind of seal
    1 byte   codec id
    8 bytes  id of the secret
    rest     whatever the kind makes of tokens and payload

Format, codec, secret and the key that the entry is stored under are bound to the rest: it opens
with exactly these. The first secret seals, each of them opens. The last one, which is there the
longest while secrets are rotated, hides what the keys of reads are made of.

Names of tokens do not depend on a secret: a process that found other tokens than the rest would
miss their invalidations.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, ClassVar

from .entry import Entry, pack, unpack
from .errors import ConfigurationError, ForeignSeal, Tampered, Undecodable
from .fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .model import Token

__all__ = ["KeyedSealer", "MacSealer", "Secret"]

_SHORTEST = 16
_ID = 8
_HEADER = 2 + _ID
_TAG = 16

_HOW = """make one with python -c 'import secrets; print(secrets.token_urlsafe(32))'"""


class Secret:
    """
    What the application gave, in a form that only yields keys derived from it.

    Raises:
        ConfigurationError: It is too short, or of another type. The message does not show it.
    """

    __slots__ = ("_root", "id")

    def __init__(self, given: str | bytes) -> None:
        if not isinstance(given, (str, bytes)):
            msg = f"a secret is a str or bytes, got {type(given).__name__}; {_HOW}"
            raise ConfigurationError(msg)
        # A codec's error would show what it could not encode.
        data = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
        if len(data) < _SHORTEST:
            msg = f"a secret has at least {_SHORTEST} bytes, got {len(data)}; {_HOW}"
            raise ConfigurationError(msg)
        self._root = hashlib.blake2b(data, person=b"ormcache secret").digest()
        self.id = self.derive(b"id")[:_ID]

    def derive(self, purpose: bytes) -> bytes:
        """
        Return 32 bytes for one purpose, named in at most 16 bytes.
        """
        return hashlib.blake2b(key=self._root, person=purpose, digest_size=32).digest()

    def __repr__(self) -> str:
        return "<Secret>"


class KeyedSealer:
    """
    A sealer with secrets, the newest first. What is sealed under the key is up to a subclass.
    """

    format: ClassVar[int]

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._count = len(secrets)
        # Each kind has keys of its own, so that two that meet in a rollout do not undo each other.
        purpose = b"seal %d" % self.format
        self._keys = {secret.id: secret.derive(purpose) for secret in secrets}
        self._newest = secrets[0].id
        self._name_key = secrets[-1].derive(b"names %d" % self.format)

    def name(self, parts: Iterable[str]) -> str:
        return digest(parts, self._name_key)

    def seal(self, key: str, codec_id: int, tokens: Iterable[Token], payload: bytes) -> bytes:
        head = bytes((self.format, codec_id)) + self._newest
        secret = self._keys[self._newest]
        return head + self._shut(secret, _bound(head, key), pack(tokens, payload))

    def open(self, key: str, codec_id: int, data: bytes) -> Entry:
        if data[:2] != bytes((self.format, codec_id)):
            msg = "not an entry of this format and codec"
            raise Undecodable(msg)
        head = data[:_HEADER]
        if len(head) < _HEADER:
            msg = "it ends before its header does"
            raise Tampered(msg)
        secret = self._keys.get(head[2:])
        if secret is None:
            msg = "sealed with another secret"
            raise ForeignSeal(msg)
        return unpack(self._opened(secret, _bound(head, key), data[_HEADER:]))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} secrets={self._count}>"

    def _shut(self, secret: bytes, bound: bytes, body: bytes) -> bytes:
        raise NotImplementedError

    def _opened(self, secret: bytes, bound: bytes, sealed: bytes) -> bytes:
        """
        Return the body, or raise `Tampered`.
        """
        raise NotImplementedError


class MacSealer(KeyedSealer):
    """
    16 bytes of keyed BLAKE2b, then tokens and payload for everyone to read.
    """

    format = 2

    def _shut(self, secret: bytes, bound: bytes, body: bytes) -> bytes:
        return _mac(secret, bound, body) + body

    def _opened(self, secret: bytes, bound: bytes, sealed: bytes) -> bytes:
        body = sealed[_TAG:]
        if not hmac.compare_digest(_mac(secret, bound, body), sealed[:_TAG]):
            msg = "the MAC does not match: altered, truncated, or stored under another key"
            raise Tampered(msg)
        return body


def _bound(head: bytes, key: str) -> bytes:
    """
    Return all that is bound to an entry; its length tells where it ends.
    """
    name = key.encode("utf-8", "surrogatepass")
    return b"%b%b%b" % (head, len(name).to_bytes(4, "big"), name)


def _mac(secret: bytes, bound: bytes, body: bytes) -> bytes:
    mac = hashlib.blake2b(bound, key=secret, digest_size=_TAG)
    mac.update(body)
    return mac.digest()
