"""
How does an application live with a store that fails?

The time that one operation may take is the wrapped store's own affair: no wrapper can take back a
thread that waits in a socket. This one sees to it that a store that fails is left alone for a
while, and that *no invalidation is forgotten*: until those that did not arrive have been
delivered, no read of this process is answered from the store.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TypeVar

from ormcache.errors import ConfigurationError, StoreError
from ormcache.model import Fetched, Intent, Scope
from ormcache.protocols import Clock, Store
from ormcache.stores.breaker import Breaker
from ormcache.stores.debt import Debt, Due

__all__ = ["GuardedStore"]

T = TypeVar("T")

_PART = 500


class GuardedStore:
    """
    *store* behind a circuit breaker, with a memory for invalidations that did not arrive.

    Args:
        failures: how many in a row open the breaker
        cooldown: seconds until the store is tried again; doubles with every failed attempt
        longest_cooldown: seconds it grows to at most
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
        debt_limit: int = 10_000,
        background: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        if failures < 1 or cooldown <= 0 or longest_cooldown < cooldown:
            msg = (
                "a guarded store needs failures >= 1 and 0 < cooldown <= longest_cooldown, got "
                f"failures={failures!r}, cooldown={cooldown!r}, "
                f"longest_cooldown={longest_cooldown!r}"
            )
            raise ConfigurationError(msg)
        self._store = store
        self._breaker = Breaker(
            failures=failures, cooldown=cooldown, longest=longest_cooldown, clock=clock
        )
        self._debt = Debt(debt_limit)
        self._paying = threading.Lock()
        self._cooldown = cooldown
        self._background = background
        self._timer: threading.Timer | None = None
        _STORES.add(self)

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        # Debt that arises after this check is that of a commit which has not returned yet, so
        # this fetch began before it did and may answer with what was there.
        self._pay()
        return self._call(lambda: self._store.fetch(key, scopes))

    def save(self, key: str, entry: bytes, ttl: float) -> None:
        # Needs no look at the debt: paying replaces the tokens that this entry was read under.
        self._call(lambda: self._store.save(key, entry, ttl))

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        try:
            self._call(lambda: self._store.announce(intent, lease_seconds))
        except BaseException:
            self._owe(intent)
            raise

    def settle(self, intent: Intent) -> None:
        due = Due(self._debt.number, frozenset(intent.scopes), everything=False)
        try:
            # Even while the breaker is open: should the store be back, other processes already
            # believe it, and this commit must not return before it has arrived there.
            self._call(lambda: self._store.settle(intent), insist=True)
        except BaseException:
            self._owe(intent)
            raise
        # Whatever was owed for these scopes when this began was committed, or will be settled,
        # by then; a fresh token covers it.
        self._debt.paid(due)

    def clear(self) -> None:
        self._call(self._store.clear)

    def info(self) -> dict[str, str]:
        try:
            told = dict(self._store.info())
        except StoreError as exc:
            told = {"problem": str(exc)}
        return {**told, "breaker": self._breaker.state, "debt": str(self._debt)}

    def close(self) -> None:
        """
        Try once more to deliver what is owed, and close the store where it can be closed.
        """
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        with contextlib.suppress(StoreError):
            self._pay()
        if (closing := getattr(self._store, "close", None)) is not None:
            closing()

    def __repr__(self) -> str:
        return f"<GuardedStore {self._breaker.state}, owes {self._debt}, {self._store!r}>"

    def _call(self, work: Callable[[], T], *, insist: bool = False) -> T:
        admitted = self._breaker.admit()
        if not (admitted or insist):
            msg = "the store failed several times in a row and is left alone for a while"
            raise StoreError(msg)
        try:
            result = work()
        except StoreError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return result

    def _owe(self, intent: Intent) -> None:
        self._debt.add(intent.scopes)
        if self._background:
            self._pay_later()

    def _pay(self) -> None:
        """
        Return when nothing is owed that was owed when this began.

        Raises:
            StoreError: Something is, still; the caller must not believe the store.
        """
        if not self._debt:
            return
        if not self._paying.acquire(blocking=False):
            msg = "missed invalidations are being delivered"
            raise StoreError(msg)
        try:
            self._call(lambda: self._deliver(self._debt.due()))
        finally:
            self._paying.release()

    def _deliver(self, due: Due) -> None:
        if due.everything:
            self._store.clear()
            self._debt.paid(due._replace(scopes=frozenset()))
        scopes = sorted(due.scopes)
        # In parts, or a long list would never fit into the store's timeout.
        for start in range(0, len(scopes), _PART):
            part = frozenset(scopes[start : start + _PART])
            self._store.settle(Intent.of(part))
            self._debt.paid(Due(due.number, part, everything=False))

    def _pay_later(self) -> None:
        # Two threads may start one each: one of them finds nothing to do.
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(self._cooldown, self._pay_now)
            self._timer.daemon = True
            self._timer.start()

    def _pay_now(self) -> None:
        self._timer = None
        try:
            self._pay()
        except StoreError:
            self._pay_later()

    def _after_fork(self) -> None:
        # The child owes what its parent owed: paying twice does no harm, and the parent may die.
        self._breaker.renew_lock()
        self._debt.renew_lock()
        self._paying = threading.Lock()
        self._timer = None
        if self._debt and self._background:
            self._pay_later()


_STORES: weakref.WeakSet[GuardedStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_STORES):
        store._after_fork()  # noqa: SLF001 (its own class)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
