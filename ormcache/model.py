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
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, NewType

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    "bulk_scope",
    "database_scope",
    "is_slice",
    "new_token",
    "slice_scope",
    "table_of",
    "table_scope",
]

Scope = NewType("Scope", str)
"""
`<database>/<schema>.<table>` for a table, `<database>/*` for everything in a database.

Narrower than a table, `<table>#<column>=<digest>` for the rows with one value of a column, and
`<table>#bulk` for the changes of which nobody can tell the rows: see `slice_scope`.
"""

Token = NewType("Token", bytes)
"""
The opaque, never repeated version of a scope.
"""


_SLICED = "#"


def table_scope(database: str, schema: str, table: str) -> Scope:
    """
    Return the scope of one table.
    """
    name = f"{database}/{schema}.{table}"
    return Scope(name.replace(_SLICED, "%23") if _SLICED in name else name)


def database_scope(database: str) -> Scope:
    """
    Return the scope that every read of a database depends on.

    A write nobody can place touches this one, and so evicts everything: the safe side.
    """
    return Scope(f"{database}/*".replace(_SLICED, "%23"))


def slice_scope(table: Scope, column: str, value: str) -> Scope:
    """
    Return the scope of the rows of *table* that have *value* in *column*.

    The value itself is left out: scopes go into keys and logs. Two values with one digest would
    only be invalidated together.
    """
    digest = blake2b(value.encode(), digest_size=9).hexdigest()
    return Scope(f"{table}{_SLICED}{column}={digest}")


def bulk_scope(table: Scope, placed: Iterable[str] = ()) -> Scope:
    """
    Return the scope of the changes to *table* whose rows are known by the columns *placed* only.

    A read of one slice depends on every one of these that leaves its column out, so a writer need
    not know by which columns others slice the table.
    """
    known = ",".join(sorted(placed))
    return Scope(f"{table}{_SLICED}bulk" + (f"-but-{known}" if known else ""))


def table_of(scope: Scope) -> Scope:
    """
    Return the scope of the table that a slice is part of; any other scope is its own.
    """
    return Scope(scope.partition(_SLICED)[0])


def is_slice(scope: Scope) -> bool:
    """
    Return whether a scope is narrower than a table: of these there may be many.
    """
    return _SLICED in scope


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
    Why a read was a bypass, why a miss left nothing behind, or why what was stored was not used.
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
    TAMPERED = "the stored bytes were altered, or copied from another key"
    FOREIGN_SEAL = "the entry was sealed with a secret that this cache does not have"
    UNSTORABLE = "a value cannot be stored exactly"
    TOO_LARGE = "the result is larger than the policy allows"
    SHADOW = "shadow mode: the database answers"
