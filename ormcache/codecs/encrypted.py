"""
How are entries kept from whoever can read the store?

    12 bytes  random, from which and the secret the entry's own key is derived
    12 bytes  random, the nonce
    rest      AES-256-GCM of tokens and payload, with its tag

A key for each entry: with one key for all, random nonces would have to end after 2^32 entries,
which a busy cache fills in days.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ormcache.errors import Tampered
from ormcache.seals import KeyedSealer

__all__ = ["EncryptedSealer"]

_SALT = 12
_RANDOM = 24


class EncryptedSealer(KeyedSealer):
    """
    AES-256-GCM; the format, the codec, the secret's id and the key are its associated data.
    """

    format = 3

    def _shut(self, secret: bytes, bound: bytes, body: bytes) -> bytes:
        random = os.urandom(_RANDOM)
        return random + _cipher(secret, random).encrypt(random[_SALT:], body, bound)

    def _opened(self, secret: bytes, bound: bytes, sealed: bytes) -> bytes:
        random = sealed[:_RANDOM]
        if len(random) < _RANDOM:
            msg = "it ends before its nonce does"
            raise Tampered(msg)
        try:
            return _cipher(secret, random).decrypt(random[_SALT:], sealed[_RANDOM:], bound)
        except InvalidTag as error:
            msg = "the tag does not match: altered, truncated, or stored under another key"
            raise Tampered(msg) from error


def _cipher(secret: bytes, random: bytes) -> AESGCM:
    salt = random[:_SALT]
    return AESGCM(hashlib.blake2b(salt, key=secret, digest_size=32, person=b"entry").digest())
