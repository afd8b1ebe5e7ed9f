"""
What may the core ask for?

The read path and the write path are generators that yield these and are sent the answer. Each
effect has a small typed helper, used as `fetched = yield from fetch(...)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model import Fetched, Rows

if TYPE_CHECKING:
    from collections.abc import Generator

    from .model import Intent, Scope

__all__ = [
    "Announce",
    "Apply",
    "Effect",
    "Fetch",
    "Load",
    "Save",
    "Settle",
    "announce",
    "apply",
    "fetch",
    "load",
    "save",
    "settle",
]


@dataclass(frozen=True, slots=True)
class Fetch:
    """
    Ask the store for an entry (None: tokens only) and the tokens of scopes. Answer: `Fetched`.
    """

    key: str | None
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """
    Give the store an entry to keep for *ttl* seconds.
    """

    key: str
    entry: bytes
    ttl: float


@dataclass(frozen=True, slots=True)
class Announce:
    """
    Tell the store that a commit over the intent's scopes is about to be sent.
    """

    intent: Intent


@dataclass(frozen=True, slots=True)
class Settle:
    """
    Tell the store that the outcome of the intent is decided, whatever it is.
    """

    intent: Intent


@dataclass(frozen=True, slots=True)
class Load:
    """
    Run the query on the database. Answer: its `Rows`, or None where they cannot be buffered.
    """


@dataclass(frozen=True, slots=True)
class Apply:
    """
    Send the database what makes the changes permanent: the COMMIT, or an autocommit statement.
    """


Effect = Fetch | Save | Announce | Settle | Load | Apply


def fetch(key: str | None, scopes: tuple[Scope, ...]) -> Generator[Effect, object, Fetched]:
    """
    Return what the store has, or raise `StoreError`.
    """
    answer = yield Fetch(key, scopes)
    assert isinstance(answer, Fetched)
    return answer


def save(key: str, entry: bytes, ttl: float) -> Generator[Effect, object, None]:
    """
    Store an entry, or raise `StoreError`.
    """
    yield Save(key, entry, ttl)


def announce(intent: Intent) -> Generator[Effect, object, None]:
    """
    Announce an intent, or raise `StoreError`.
    """
    yield Announce(intent)


def settle(intent: Intent) -> Generator[Effect, object, None]:
    """
    Settle an intent, or raise `StoreError`.
    """
    yield Settle(intent)


def load() -> Generator[Effect, object, Rows | None]:
    """
    Return the database's rows, or raise what the database raised.
    """
    answer = yield Load()
    assert answer is None or isinstance(answer, Rows)
    return answer


def apply() -> Generator[Effect, object, None]:
    """
    Have the database make the changes permanent, or raise what it raised.
    """
    yield Apply()
