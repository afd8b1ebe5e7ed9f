"""
How are entries and tokens laid out in a shared store?

    ormcache:<namespace>:e:<key>     an entry, with a TTL
    ormcache:<namespace>:t:<scope>   a token, without one: O(tables) in all; a slice's has one, too

A token key holds `<token>` when quiet and `<token>|<lease id>:<deadline ms>|…` while writers are
between announce and settle; the deadline is in milliseconds of the store's own clock. Anything
else in that place is not ours: it counts as missing and is replaced.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from ormcache.errors import ConfigurationError
from ormcache.model import Intent, Scope

__all__ = [
    "FORMAT",
    "ClusterLayout",
    "Held",
    "Layout",
    "check_namespace",
    "lease_id",
    "parse_token",
]

FORMAT = 1
"""
Raise it whenever a key or a token's text means something else, and make it part of the keys then:
releases that share tokens must agree on their text.
"""

_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_.-]")
_TOKEN = re.compile(rb"([A-Za-z0-9_-]{16})(\|.+)?", re.DOTALL)
_TABLE = re.compile(r"[^#!]*")
_LONGEST_NAMESPACE = 64


class Held(NamedTuple):
    """
    What a token key holds: the token, and whether leases stand beside it, expired or not.
    """

    token: bytes
    leased: bool


def check_namespace(namespace: str) -> str:
    """
    Return *namespace*, or raise `ConfigurationError` naming what is wrong with it.
    """
    if not 1 <= len(namespace) <= _LONGEST_NAMESPACE:
        msg = f"a namespace has 1 to {_LONGEST_NAMESPACE} characters, got {len(namespace)}"
        raise ConfigurationError(msg)
    if bad := _NOT_ALLOWED.search(namespace):
        msg = (
            f"the namespace {namespace!r} contains {bad.group()!r}; "
            "use letters, digits, '_', '.' and '-' only"
        )
        raise ConfigurationError(msg)
    return namespace


class Layout:
    """
    The keys of one namespace.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = check_namespace(namespace)
        self._entry = f"ormcache:{namespace}:e:".encode()
        self._token = f"ormcache:{namespace}:t:".encode()

    def entry(self, key: str) -> bytes:
        """
        Return the name under which the entry *key* is stored.
        """
        return self._entry + key.encode("utf-8", "surrogatepass")

    def token(self, scope: Scope) -> bytes:
        """
        Return the name under which the token of *scope* is stored.
        """
        return self._token + scope.encode("utf-8", "surrogatepass")

    @property
    def pattern(self) -> bytes:
        """
        The glob that matches every key of this namespace and no other.

        A namespace holds no character that a glob gives a meaning to, and the colon ends it, so
        that "shop" does not match "shop2".
        """
        return f"ormcache:{self.namespace}:*".encode()


class ClusterLayout(Layout):
    """
    The keys of one namespace in a cluster: `…:t:{<table>}<rest of the scope>`.

    The braces make all scopes of a table one slot's, so that one script reaches them; entries are
    spread over all slots. The table is quoted, as it may hold a brace itself.
    """

    def token(self, scope: Scope) -> bytes:
        table = _TABLE.match(scope)
        assert table is not None
        place = f"{{{quote(table[0], safe='/.*', errors='surrogatepass')}}}{scope[table.end() :]}"
        return self._token + place.encode("utf-8", "surrogatepass")


def parse_token(raw: object) -> Held | None:
    """
    Return what a token key holds, or None where that is nothing of ours.
    """
    match = _TOKEN.fullmatch(raw) if isinstance(raw, bytes) else None
    return Held(match[1], match[2] is not None) if match else None


def lease_id(intent: Intent) -> str:
    """
    Return the intent's lease in a form that holds neither separator.
    """
    return quote(intent.lease, safe="")
