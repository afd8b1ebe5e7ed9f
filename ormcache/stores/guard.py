"""
When may a store that fails be asked, and which invalidations must it get before it is believed?

Each operation is a generator that yields what to ask of the store and is sent the answer, so that
one account of failures and debts serves threads and event loops alike: a process that could not
deliver an invalidation from a thread must not read past it from a task.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from ormcache.errors import ConfigurationError, StoreError
from ormcache.forked import begin_anew_after_fork
from ormcache.model import Fetched, Intent, Scope
from ormcache.protocols import Clock
from ormcache.stores.breaker import Breaker
from ormcache.stores.debt import Debt, Due

__all__ = ["Asks", "Guard", "Question"]

_T = TypeVar("_T")

Question = Callable[[Any], Any]
"""
Asks something of a `Store`, or of an `AsyncStore`, which answers with an awaitable.
"""

Asks = Generator[Question, Any, _T]
"""
An operation in progress: yields questions, is sent the answers, returns what the caller gets.
"""

_PART = 500


class Guard:
    """
    A circuit breaker, and a memory for invalidations that did not arrive; see `GuardedStore`.

    *pay* delivers what is owed, on a thread of its own and without help from anybody's event loop.
    """

    def __init__(
        self,
        pay: Callable[[], None],
        *,
        failures: int,
        cooldown: float,
        longest_cooldown: float,
        debt_limit: int,
        background: bool,
        clock: Clock = time.monotonic,
    ) -> None:
        if failures < 1 or cooldown <= 0 or longest_cooldown < cooldown:
            msg = (
                "a guarded store needs failures >= 1 and 0 < cooldown <= longest_cooldown, got "
                f"failures={failures!r}, cooldown={cooldown!r}, "
                f"longest_cooldown={longest_cooldown!r}"
            )
            raise ConfigurationError(msg)
        self._breaker = Breaker(
            failures=failures, cooldown=cooldown, longest=longest_cooldown, clock=clock
        )
        self._debt = Debt(debt_limit)
        self._paying = threading.Lock()
        self._pay_on_a_thread = pay
        self._cooldown = cooldown
        self._background = background
        self._timer: threading.Timer | None = None
        begin_anew_after_fork(self)

    def __repr__(self) -> str:
        return f"<Guard {self._breaker.state}, owes {self._debt}>"

    @property
    def state(self) -> dict[str, str]:
        """
        The state of the breaker, and what is owed.
        """
        return {"breaker": self._breaker.state, "debt": str(self._debt)}

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Asks[Fetched]:
        """
        Return what the store has, once nothing is owed to it.
        """
        # Debt that arises after this check is that of a commit which has not returned yet, so
        # this fetch began before it did and may answer with what was there.
        yield from self.pay()
        fetched: Fetched = yield from self._ask(lambda store: store.fetch(key, scopes))
        return fetched

    def save(self, key: str, entry: bytes, ttl: float) -> Asks[None]:
        """
        Save an entry.
        """
        # Needs no look at the debt: paying replaces the tokens that this entry was read under.
        yield from self._ask(lambda store: store.save(key, entry, ttl))

    def announce(self, intent: Intent, lease_seconds: float) -> Asks[None]:
        """
        Announce an intent, or owe it.
        """
        try:
            yield from self._ask(lambda store: store.announce(intent, lease_seconds))
        except BaseException:
            self._owe(intent)
            raise

    def settle(self, intent: Intent) -> Asks[None]:
        """
        Settle an intent, or owe it.
        """
        due = Due(self._debt.number, frozenset(intent.scopes), everything=False)
        try:
            # Even while the breaker is open: should the store be back, other processes already
            # believe it, and this commit must not return before it has arrived there.
            yield from self._ask(lambda store: store.settle(intent), insist=True)
        except BaseException:
            self._owe(intent)
            raise
        # Whatever was owed for these scopes when this began was committed, or will be settled,
        # by then; a fresh token covers it.
        self._debt.paid(due)

    def clear(self) -> Asks[None]:
        """
        Empty the namespace.
        """
        yield from self._ask(lambda store: store.clear())

    def info(self) -> Asks[dict[str, str]]:
        """
        Return what the store says about itself, and what is known here besides.
        """
        told: dict[str, str]
        try:
            told = yield lambda store: store.info()
        except StoreError as exc:
            told = {"problem": str(exc)}
        return {**told, **self.state}

    def pay(self) -> Asks[None]:
        """
        Return when nothing is owed that was owed when this began.

        Raises:
            StoreError: Something is, still; the caller must not believe the store.
        """
        if not self._debt:
            return
        # Never waited for, so neither a thread nor an event loop can be held up by it.
        if not self._paying.acquire(blocking=False):
            msg = "missed invalidations are being delivered"
            raise StoreError(msg)
        try:
            yield from self._deliver(self._debt.due())
        finally:
            self._paying.release()

    def close(self) -> None:
        """
        Stop delivering in the background.
        """
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def begin_anew(self) -> None:
        """
        In a forked child: renew the locks, and deliver what is owed.
        """
        # The child owes what its parent owed: paying twice does no harm, and the parent may die.
        self._breaker.renew_lock()
        self._debt.renew_lock()
        self._paying = threading.Lock()
        self._timer = None
        if self._debt and self._background:
            self._pay_later()

    def _ask(self, question: Question, *, insist: bool = False) -> Asks[Any]:
        admitted = self._breaker.admit()
        if not (admitted or insist):
            msg = "the store failed several times in a row and is left alone for a while"
            raise StoreError(msg)
        try:
            answer = yield question
        except StoreError:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    def _owe(self, intent: Intent) -> None:
        self._debt.add(intent.scopes)
        if self._background:
            self._pay_later()

    def _deliver(self, due: Due) -> Asks[None]:
        if due.everything:
            yield from self._ask(lambda store: store.clear())
            self._debt.paid(due._replace(scopes=frozenset()))
        scopes = sorted(due.scopes)
        # In parts, or a long list would never fit into the store's timeout.
        for start in range(0, len(scopes), _PART):
            part = frozenset(scopes[start : start + _PART])
            yield from self._ask(_settling(Intent.of(part)))
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
            self._pay_on_a_thread()
        except StoreError:
            self._pay_later()


def _settling(intent: Intent) -> Question:
    return lambda store: store.settle(intent)
