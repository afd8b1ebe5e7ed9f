"""
How does an application live with a store that fails?

The time that one operation may take is the wrapped store's own affair: no wrapper can take back a
thread that waits in a socket. This one sees to it that a store that fails is left alone for a
while, and that *no invalidation is forgotten*: until those that did not arrive have been
delivered, and a while longer for those of other processes, no read of this process is answered
from the store.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from ormcache.drive import arun, run
from ormcache.errors import StoreError
from ormcache.model import Fetched, Intent, Scope
from ormcache.protocols import AsyncStore, Clock, Store
from ormcache.stores.guard import Asks, Guard, Question

__all__ = ["AsyncGuardedStore", "GuardedStore"]

_T = TypeVar("_T")


class GuardedStore:
    """
    *store* behind a circuit breaker, with a memory for invalidations that did not arrive.

    Args:
        failures: how many in a row open the breaker
        cooldown: seconds until the store is tried again; doubles with every failed attempt
        longest_cooldown: seconds it grows to at most
        recovery_grace: seconds for which the store is not read from after an outage was noticed, in
            which other processes deliver what they owe it
        shortest_outage: seconds that an outage takes in which a commit can have missed both its
            announcement and its settlement: twice the time that one operation may take
        remember: seconds for which a settled scope is settled again where another run of the server
            takes over
        debt_limit: scopes to remember; beyond them, recovery clears the namespace
        background: deliver what is owed without waiting for the next read, so that a process that
            only writes does not leave stale entries to the others
    """

    def __init__(
        self,
        store: Store,
        *,
        failures: int = 3,
        cooldown: float = 1.0,
        longest_cooldown: float = 30.0,
        recovery_grace: float = 5.0,
        shortest_outage: float = 0.1,
        remember: float = 60.0,
        debt_limit: int = 10_000,
        background: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._guard = Guard(
            self._pay,
            failures=failures,
            cooldown=cooldown,
            longest_cooldown=longest_cooldown,
            recovery_grace=recovery_grace,
            shortest_outage=shortest_outage,
            remember=remember,
            debt_limit=debt_limit,
            background=background,
            clock=clock,
        )
        _tell_runs(store, self._guard)

    def asynchronous(self) -> AsyncGuardedStore:
        """
        Return the same store for event loops: one breaker, one memory of what is owed.
        """
        inner: Any = self._store
        made = inner.asynchronous()
        _tell_runs(made, self._guard)
        return AsyncGuardedStore(made, self._guard)

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        return self._do(self._guard.fetch(key, scopes))

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        return self._do(self._guard.save(key, entry, ttl, absent=absent))

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        self._do(self._guard.announce(intent, lease_seconds))

    def settle(self, intent: Intent) -> None:
        self._do(self._guard.settle(intent))

    def clear(self) -> None:
        self._do(self._guard.clear())

    def info(self) -> dict[str, str]:
        return self._do(self._guard.info())

    def rests(self) -> bool:
        """
        Return whether the store is left alone just now, so that a read need not be prepared for it.
        """
        return self._guard.rests

    def close(self) -> None:
        """
        Try once more to deliver what is owed, and close the store where it can be closed.
        """
        self._guard.close()
        with contextlib.suppress(StoreError):
            self._pay()
        if (closing := getattr(self._store, "close", None)) is not None:
            closing()

    def __repr__(self) -> str:
        state = self._guard.state
        return f"<GuardedStore {state['breaker']}, owes {state['debt']}, {self._store!r}>"

    def _pay(self) -> None:
        self._do(self._guard.pay())

    def _do(self, operation: Asks[_T]) -> _T:
        return run(operation, self._ask)

    def _ask(self, question: Question) -> Any:
        return question(self._store)


class AsyncGuardedStore:
    """
    `GuardedStore` for event loops; made by `GuardedStore.asynchronous`.
    """

    def __init__(self, store: AsyncStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    async def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        return await self._do(self._guard.fetch(key, scopes))

    async def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        return await self._do(self._guard.save(key, entry, ttl, absent=absent))

    async def announce(self, intent: Intent, lease_seconds: float) -> None:
        await self._do(self._guard.announce(intent, lease_seconds))

    async def settle(self, intent: Intent) -> None:
        await self._do(self._guard.settle(intent))

    async def clear(self) -> None:
        await self._do(self._guard.clear())

    async def info(self) -> dict[str, str]:
        return await self._do(self._guard.info())

    async def close(self) -> None:
        """
        Try once more to deliver what is owed, and close the running loop's connections.
        """
        with contextlib.suppress(StoreError):
            await self._do(self._guard.pay())
        if (closing := getattr(self._store, "close", None)) is not None:
            await closing()

    def __repr__(self) -> str:
        state = self._guard.state
        return f"<AsyncGuardedStore {state['breaker']}, owes {state['debt']}, {self._store!r}>"

    async def _do(self, operation: Asks[_T]) -> _T:
        return await arun(operation, self._ask)

    async def _ask(self, question: Question) -> Any:
        return await question(self._store)


def _tell_runs(store: object, guard: Guard) -> None:
    """
    Have *guard* hear of each run of a server that *store* meets, if it has servers.
    """
    if (watch := getattr(store, "watch_runs", None)) is not None:
        watch(guard.met)
