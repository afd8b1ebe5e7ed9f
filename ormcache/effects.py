"""
What may the core ask for?

The read path and the write path are generators that yield these and are sent the answer. Each
effect has a small typed helper, used as `fetched = yield from fetch(...)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .flights import Joined
from .model import Fetched, Rows

if TYPE_CHECKING:
    from collections.abc import Generator

    from .flights import Flight
    from .model import Intent, Scope, Token

__all__ = [
    "Announce",
    "Apply",
    "Claim",
    "Effect",
    "Fetch",
    "Join",
    "Load",
    "Pause",
    "Save",
    "Settle",
    "Wait",
    "announce",
    "apply",
    "claim",
    "fetch",
    "join",
    "load",
    "pause",
    "save",
    "settle",
    "wait",
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


@dataclass(frozen=True, slots=True)
class Join:
    """
    Ask who in this process loads the entry *key* that is not there under *tokens*; waits for
    nothing. Answer: `Joined`. A caller that leads lands its flight, come what may.

    `holds`: the caller has a database connection.
    """

    key: str
    tokens: tuple[Token, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """
    Wait at most *seconds* until a flight lands. Answer: the entry that its leader has stored, or
    None where it has stored nothing, or not in time.
    """

    flight: Flight
    seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Ask the store for a load lease of that name. Answer: whether nobody else holds it.
    """

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """
    Let about *seconds* pass.
    """

    seconds: float


Effect = Fetch | Save | Announce | Settle | Load | Apply | Join | Wait | Claim | Pause


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


def join(key: str, tokens: tuple[Token, ...], *, holds: bool) -> Generator[Effect, object, Joined]:
    """
    Return the flight to an entry and the caller's role in it.
    """
    answer = yield Join(key, tokens, holds)
    assert isinstance(answer, Joined)
    return answer


def wait(flight: Flight, seconds: float) -> Generator[Effect, object, bytes | None]:
    """
    Return what the flight's leader has stored, or None.
    """
    answer = yield Wait(flight, seconds)
    assert answer is None or isinstance(answer, bytes)
    return answer


def claim(name: str, seconds: float) -> Generator[Effect, object, bool]:
    """
    Return whether the lease is the caller's now, or raise `StoreError`.
    """
    return bool((yield Claim(name, seconds)))


def pause(seconds: float) -> Generator[Effect, object, None]:
    """
    Let time pass.
    """
    yield Pause(seconds)
