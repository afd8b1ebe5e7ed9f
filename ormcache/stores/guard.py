"""
When may a store that fails be asked, and which invalidations must it get before it is believed?

Each operation is a generator that yields what to ask of the store and is sent the answer, so that
one account of failures and debts serves threads and event loops alike: a process that could not
deliver an invalidation from a thread must not read past it from a task.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from ormcache.errors import ConfigurationError, StoreError, StoreRecoveringError
from ormcache.forked import begin_anew_after_fork
from ormcache.model import Fetched, Intent, Scope
from ormcache.protocols import Clock
from ormcache.stores.breaker import Breaker
from ormcache.stores.debt import Debt, Due
from ormcache.stores.recent import Recent
from ormcache.stores.recovery import Recovery

__all__ = ["Asks", "Guard", "Question"]

# Of its own: the generator that the application may have seeded is not ours to draw from; and the
# system's, which forked processes do not share.
_CHANCE = random.SystemRandom()

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
        recovery_grace: float,
        shortest_outage: float,
        remember: float,
        debt_limit: int,
        background: bool,
        clock: Clock = time.monotonic,
    ) -> None:
        if failures < 1 or cooldown <= 0 or longest_cooldown < cooldown or recovery_grace < 0:
            msg = (
                "a guarded store needs failures >= 1, 0 < cooldown <= longest_cooldown and "
                f"recovery_grace >= 0, got failures={failures!r}, cooldown={cooldown!r}, "
                f"longest_cooldown={longest_cooldown!r}, recovery_grace={recovery_grace!r}"
            )
            raise ConfigurationError(msg)
        self._breaker = Breaker(
            failures=failures, cooldown=cooldown, longest=longest_cooldown, clock=clock
        )
        self._debt = Debt(debt_limit)
        self._recovery = Recovery(grace=recovery_grace, shortest=shortest_outage, clock=clock)
        self._recent = Recent(seconds=remember, limit=debt_limit, clock=clock)
        self._runs: dict[str, bytes] = {}
        self._clock = clock
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
        The state of the breaker and how often it opened, what is owed, and for how long the store
        is not believed yet.
        """
        return {
            "breaker": self._breaker.state,
            "breaker_opened": str(self._breaker.opened),
            "debt": str(self._debt),
            "recovering": f"{self._recovery.left:.1f} seconds",
        }

    @property
    def rests(self) -> bool:
        """
        Whether the store is left alone just now.
        """
        return self._breaker.is_open

    def met(self, place: str, run: bytes) -> None:
        """
        Hear which run of a server is at the other end of a new connection to *place*.

        *place* is what stays the same when another server takes over there.
        """
        known, self._runs[place] = self._runs.get(place), run
        if known is None or known == run:
            return
        # Before anything that the new run answers is believed: see `fetch`.
        self._recovery.moved()
        settled = self._recent.scopes()
        if settled is None or settled:
            self._owe(settled)

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Asks[Fetched]:
        """
        Return what the store has, once nothing is owed to it and the recovery is over.
        """
        if self._debt:
            yield from self._pay_part()
        self._check_paid()
        # Asked even while it is not believed, and the answer dropped: a process that asked nothing
        # would not notice that the store goes away once more during the wait, with new debts.
        fetched: Fetched = yield from self._ask(lambda store: store.fetch(key, scopes))
        # Debt that has arisen since may be that of a commit which has not returned yet; but it may
        # also be that the answer came over a new connection, from another run of the server.
        self._check_believed()
        return fetched

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool) -> Asks[bool]:
        """
        Save an entry.
        """
        # Needs no look at the debt: paying replaces the tokens that this entry was read under.
        kept: bool = yield from self._ask(lambda store: store.save(key, entry, ttl, absent=absent))
        return kept

    def announce(self, intent: Intent, lease_seconds: float) -> Asks[None]:
        """
        Announce an intent, or owe it.
        """
        try:
            yield from self._ask(lambda store: store.announce(intent, lease_seconds))
        except BaseException:
            self._owe(intent.scopes)
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
            self._owe(intent.scopes)
            raise
        self._recent.add(intent.scopes)
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
        with self._the_only_payer():
            # Even while the breaker is open: until this arrives, others read what is old.
            for due in self._debt.due().parts(_PART):
                yield from self._deliver(due, insist=True)

    def _pay_part(self) -> Asks[None]:
        """
        Deliver as much as one operation can, for a read that must not take longer.
        """
        with self._the_only_payer():
            part = next(self._debt.due().parts(_PART), None)
            # Clearing takes as long as there are keys: nothing for a read, where a thread does it.
            if part is not None and not (part.everything and self._background):
                yield from self._deliver(part, insist=False)

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
        self._recovery.renew_lock()
        self._recent.renew_lock()
        self._paying = threading.Lock()
        self._timer = None
        if self._debt and self._background:
            self._pay_later()

    def _ask(self, question: Question, *, insist: bool = False) -> Asks[Any]:
        admitted = self._breaker.admit()
        if not (admitted or insist):
            msg = "the store failed several times in a row and is left alone for a while"
            raise StoreError(msg)
        began = self._clock()
        try:
            answer = yield question
        except StoreError:
            self._breaker.failed()
            self._recovery.failed(began, self._clock())
            raise
        self._breaker.succeeded()
        self._recovery.answered(began, self._clock())
        return answer

    def _check_paid(self) -> None:
        if self._debt:
            msg = "missed invalidations are being delivered"
            raise StoreRecoveringError(msg)

    def _check_believed(self) -> None:
        self._check_paid()
        if left := self._recovery.left:
            msg = f"the store is back; in {left:.1f} seconds what others owe it has arrived"
            raise StoreRecoveringError(msg)

    def _owe(self, scopes: Iterable[Scope] | None) -> None:
        self._debt.add(scopes)
        if self._background:
            self._pay_later()

    @contextlib.contextmanager
    def _the_only_payer(self) -> Iterator[None]:
        # Never waited for, so neither a thread nor an event loop can be held up by it.
        if not self._paying.acquire(blocking=False):
            # Perhaps in vain: nobody knows yet that the store is back.
            msg = "another thread tries to deliver missed invalidations"
            raise StoreError(msg)
        try:
            yield
        finally:
            self._paying.release()

    def _deliver(self, due: Due, *, insist: bool) -> Asks[None]:
        if due.everything:
            yield from self._ask(lambda store: store.clear(), insist=insist)
        else:
            intent = Intent.of(due.scopes)
            yield from self._ask(lambda store: store.settle(intent), insist=insist)
        self._debt.paid(due)
        self._recent.add(due.scopes)

    def _pay_later(self) -> None:
        # Two threads may start one each: one of them finds nothing to do.
        if self._timer is None or not self._timer.is_alive():
            # At this pace however long the outage lasts: others read what is old until then. A
            # fleet that owes something should not come in one moment, though.
            wait = self._cooldown * _CHANCE.uniform(0.5, 1.0)
            self._timer = threading.Timer(wait, self._pay_now)
            self._timer.daemon = True
            self._timer.start()

    def _pay_now(self) -> None:
        self._timer = None
        with contextlib.suppress(StoreError):
            self._pay_on_a_thread()
        if self._debt:
            self._pay_later()
