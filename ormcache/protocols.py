"""
What must a store, a codec or an observer be able to do?

Implementations need not inherit from anything. A store is right when it passes the shipped
`ormcache.testing.StoreContract`, a codec when it passes `ormcache.testing.CodecContract`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .entry import Entry
    from .events import CommitEvent, ReadEvent, ShadowDifference
    from .flights import Flight, Joined
    from .model import Fetched, Intent, Rows, Scope, Token

__all__ = ["AsyncStore", "AsyncWaiting", "Clock", "Codec", "Observer", "Sealer", "Store", "Waiting"]


class Store(Protocol):
    """
    Where entries and tokens live. Every method is bounded in time and raises only `StoreError`.
    """

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        """
        Return the entry under *key* (`None`: no entry wanted) and the state of every scope.

        One round trip when all is quiet. The tokens are read no earlier than the call begins. A
        missing token is created, never repeated, so that *missing never means valid*: an entry
        can never match it. A lease past its deadline (the store's own time) is removed and the
        token replaced, by whoever meets it.
        """
        ...

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        """
        Keep *entry* under *key* for at most *ttl* seconds, and return whether that was done.

        *absent*: only where nothing is kept under *key*, in one step: of several that ask at once,
        one is told True.
        """
        ...

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        """
        Give every scope of *intent* a fresh token and add its lease, atomically per scope.

        A scope that loses its token after that (eviction) must not be quiet with an old token
        when it is asked for again: it gets a fresh one.
        """
        ...

    def settle(self, intent: Intent) -> None:
        """
        Give every scope a fresh token and remove this intent's lease only, atomically per scope.

        Settling what was never announced, or settling twice, is the same as bumping: allowed.
        """
        ...

    def clear(self) -> None:
        """
        Remove every entry and token of this store's namespace, and nothing else.
        """
        ...

    def info(self) -> dict[str, str]:
        """
        Return what a person wants to know about the store: server, version, eviction policy, and
        `problem` where a setting endangers what the cache promises.
        """
        ...


class AsyncStore(Protocol):
    """
    A `Store` for event loops: the same duties, awaited.

    A task may be cancelled at any await; the operation then counts as failed, and what it leaves
    behind must not be handed to the next one. Whoever cancels an announcement settles it.
    """

    async def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        """
        As `Store.fetch`.
        """
        ...

    async def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        """
        As `Store.save`.
        """
        ...

    async def announce(self, intent: Intent, lease_seconds: float) -> None:
        """
        As `Store.announce`.
        """
        ...

    async def settle(self, intent: Intent) -> None:
        """
        As `Store.settle`.
        """
        ...

    async def clear(self) -> None:
        """
        As `Store.clear`.
        """
        ...

    async def info(self) -> dict[str, str]:
        """
        As `Store.info`.
        """
        ...


class Waiting(Protocol):
    """
    How one world waits for other reads; no longer than it is told.
    """

    def join(self, key: str, tokens: tuple[Token, ...], *, holds: bool) -> Joined:
        """
        As `Flights.join`, for the thread or task that runs.
        """
        ...

    def wait(self, flight: Flight, seconds: float) -> bytes | None:
        """
        Return the flight's entry when it has landed; give it up where it has not in *seconds*.
        """
        ...

    def pause(self, seconds: float) -> None:
        """
        Return after about *seconds*, a random part more or less.
        """
        ...


class AsyncWaiting(Protocol):
    """
    A `Waiting` for event loops.
    """

    def join(self, key: str, tokens: tuple[Token, ...], *, holds: bool) -> Joined:
        """
        As `Waiting.join`; there is nothing in it to await.
        """
        ...

    async def wait(self, flight: Flight, seconds: float) -> bytes | None:
        """
        As `Waiting.wait`.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """
        As `Waiting.pause`.
        """
        ...


class Codec(Protocol):
    """
    Rows to bytes and back, exactly: same values, same Python types.
    """

    id: int
    """
    One byte, written into each entry; an entry of another codec is a miss.
    """

    def encode(self, rows: Rows) -> bytes:
        """
        Return *rows* as bytes, or raise `Unstorable` where a value would not come back the same.
        """
        ...

    def decode(self, payload: bytes) -> Rows:
        """
        Return fresh rows nobody else holds, or raise `Undecodable`, for whatever bytes.
        """
        ...


class Sealer(Protocol):
    """
    Entries to stored bytes and back, only where they are what was stored under their key.
    """

    def name(self, parts: Iterable[str]) -> str:
        """
        Return the key of a read: the same for equal *parts*, and nothing of them can be seen.
        """
        ...

    def seal(self, key: str, codec_id: int, tokens: Iterable[Token], payload: bytes) -> bytes:
        """
        Return the bytes to store under *key*.
        """
        ...

    def open(self, key: str, codec_id: int, data: bytes) -> Entry:
        """
        Return what *data* holds, or raise `Undecodable` and nothing else, for whatever bytes.
        """
        ...


class Observer(Protocol):
    """
    Told what happened, once per read and once per commit, after the fact.

    Called on the thread of the read, with no lock held; what it raises is logged and dropped.
    """

    def on_read(self, event: ReadEvent) -> None:
        """
        A read ended.
        """
        ...

    def on_commit(self, event: CommitEvent) -> None:
        """
        A transaction that touched something ended.
        """
        ...

    def on_difference(self, event: ShadowDifference) -> None:
        """
        Shadow mode saw a would-be hit that differs from the database.
        """
        ...


class Clock(Protocol):
    """
    Seconds that only move forward; they expire things and never order anything.
    """

    def __call__(self) -> float:
        """
        Return the seconds since some fixed moment.
        """
        ...
