"""
How does code that SQLAlchemy runs inside its greenlet wait for an event loop?

`AsyncSession` and `AsyncEngine` run SQLAlchemy's ordinary code, and so ours, in a greenlet that
hands awaitables to the loop and sleeps until they are done. So one set of hooks serves both kinds
of sessions, and the loop is never blocked: only which store is asked differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exc, util
from sqlalchemy.util import concurrency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Dialect

    from ormcache.cache import Cache
    from ormcache.flights import Flight, Joined
    from ormcache.model import Fetched, Intent, Scope, Token
    from ormcache.protocols import AsyncWaiting

__all__ = ["AwaitedStore", "AwaitedWaiting", "require_greenlet"]

# Its name before SQLAlchemy 2.1 is going to be withdrawn.
_await: Any = getattr(util, "await_", None) or util.await_only


def require_greenlet(dialect: Dialect) -> None:
    """
    Raise what SQLAlchemy raises where a connection of *dialect* cannot be waited for.

    Before one is taken from the pool: it could not be given back either.
    """
    if dialect.is_async and not concurrency.in_greenlet():
        msg = (
            "a database connection of an async engine is needed here, outside of what SQLAlchemy "
            "awaits; in an AsyncSession: await session.run_sync(...)"
        )
        raise exc.MissingGreenlet(msg)


class AwaitedStore:
    """
    A cache's asynchronous store as a `Store`, for callers inside SQLAlchemy's greenlet.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        fetched: Fetched = _await(self._store.fetch(key, scopes))
        return fetched

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        kept: bool = _await(self._store.save(key, entry, ttl, absent=absent))
        return kept

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        _await(self._store.announce(intent, lease_seconds))

    def settle(self, intent: Intent) -> None:
        _await(self._store.settle(intent))

    def clear(self) -> None:
        _await(self._store.clear())

    def info(self) -> dict[str, str]:
        told: dict[str, str] = _await(self._store.info())
        return told

    def __repr__(self) -> str:
        return f"<AwaitedStore over {self._cache.async_store!r}>"

    @property
    def _store(self) -> Any:
        return self._cache.async_store


class AwaitedWaiting:
    """
    What waits on event loops as a `Waiting`, for callers inside SQLAlchemy's greenlet.
    """

    def __init__(self, waiting: AsyncWaiting) -> None:
        self._waiting = waiting

    def join(self, key: str, tokens: tuple[Token, ...], *, holds: bool) -> Joined:
        return self._waiting.join(key, tokens, holds=holds)

    def wait(self, flight: Flight, seconds: float) -> bytes | None:
        entry: bytes | None = _await(self._waiting.wait(flight, seconds))
        return entry

    def pause(self, seconds: float) -> None:
        _await(self._waiting.pause(seconds))
