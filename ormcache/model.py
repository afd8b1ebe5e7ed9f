"""
Which things does the cache talk about?

A *scope* is what a read depends on and a write touches; its *token* is the opaque version the
store keeps for it. The rest of the package passes these values around and never looks inside a
token: tokens are compared, not ordered, so neither clocks nor lost counters can make an old one
valid again.
"""

from __future__ import annotations

import enum
import secrets
from typing import Any, NamedTuple, NewType

__all__ = [
    "Column",
    "Fetched",
    "Intent",
    "Outcome",
    "Reason",
    "Rows",
    "Scope",
    "Token",
    "TokenState",
    "database_scope",
    "new_token",
    "table_scope",
]

Scope = NewType("Scope", str)
"""
`<database>/<schema>.<table>` for a table, `<database>/*` for everything in a database.
"""

Token = NewType("Token", bytes)
"""
The opaque, never repeated version of a scope.
"""


def table_scope(database: str, schema: str, table: str) -> Scope:
    """
    Return the scope of one table.
    """
    return Scope(f"{database}/{schema}.{table}")


def database_scope(database: str) -> Scope:
    """
    Return the scope that every read of a database depends on.

    A write nobody can place touches this one, and so evicts everything: the safe side.
    """
    return Scope(f"{database}/*")


def new_token() -> Token:
    """
    Return a token that was never used before: 96 random bits, printable, without a separator.
    """
    return Token(secrets.token_urlsafe(12).encode())


class TokenState(NamedTuple):
    """
    A scope's token, and whether a writer is between announce and settle.
    """

    token: Token
    in_doubt: bool


class Fetched(NamedTuple):
    """
    What one round trip brings: the entry's bytes, if any, and the tokens in the order asked for.
    """

    entry: bytes | None
    tokens: tuple[TokenState, ...]


class Intent(NamedTuple):
    """
    "I am about to commit changes to these scopes", held under a lease.

    `lease` names the writer, so that settling removes this intent and nobody else's.
    """

    lease: str
    scopes: tuple[Scope, ...]

    @classmethod
    def of(cls, scopes: frozenset[Scope]) -> Intent:
        """
        Return a fresh intent over *scopes*, in an order that two writers share.
        """
        return cls(secrets.token_urlsafe(9), tuple(sorted(scopes)))


class Column(NamedTuple):
    """
    The two facts of a driver's column description that result processing looks at.
    """

    name: str
    type_code: object


class Rows(NamedTuple):
    """
    A result as the driver returned it, before any result processor.
    """

    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]


class Outcome(enum.Enum):
    """
    How a read was answered.
    """

    HIT = "hit"
    MISS = "miss"
    """No entry was there."""
    STALE = "stale"
    """An entry was there, under tokens that are not current any more."""
    COLLAPSED = "collapsed"
    """Another read was loading the entry, and this one waited for it."""
    BYPASS = "bypass"
    """The cache was not asked, or not believed; the event's reason says why."""


class Reason(enum.Enum):
    """
    Why a read was a bypass, or why a miss left nothing behind.
    """

    OFF = "caching is switched off"
    ASKED = "the caller asked for the database"
    NO_POLICY = "a table it reads has no policy"
    NEVER = "a policy says never"
    STATEMENT = "the statement cannot be cached"
    SESSION_STATE = "the connection's session state changes what the statement means"
    DATABASE = "the database's identity is not established"
    ISOLATION = "the isolation level does not allow it"
    OWN_WRITES = "this transaction has changed what it reads"
    IN_DOUBT = "a writer is between announcing and settling"
    SNAPSHOT = "the transaction's snapshot may be older than the tokens"
    PARAMETERS = "a parameter has no stable identity"
    STORE = "the store did not answer"
    RECOVERING = "the store is back; invalidations it has missed may still be on their way"
    UNDECODABLE = "the stored bytes could not be read"
    UNSTORABLE = "a value cannot be stored exactly"
    TOO_LARGE = "the result is larger than the policy allows"
    SHADOW = "shadow mode: the database answers"
