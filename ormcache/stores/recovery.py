"""
From when on is a store believed again that could not be reached?

Another process may have committed during the outage and still owe its invalidation: until that has
arrived, the store holds old entries that look current. Nothing in the store tells, so a process
that *noticed* an outage does not read from it for a while, in which whoever owes something delivers
it.

Noticed means that an operation failed, and that nothing was answered for longer than an outage
takes that can leave a debt: a commit owes nothing unless its announcement and its settlement ran
out of time one after the other. So a single slow answer, or an event loop that was held up for a
moment, does not take the cache away.
"""

from __future__ import annotations

import threading
from math import inf

from ormcache.protocols import Clock

__all__ = ["Recovery"]


class Recovery:
    """
    Doubts the store for *grace* seconds after an outage of at least *shortest* seconds.
    """

    def __init__(self, *, grace: float, shortest: float, clock: Clock) -> None:
        self._grace = grace
        self._shortest = shortest
        self._clock = clock
        self._lock = threading.Lock()
        self._reachable = -inf
        """When the last operation began that was answered; the store could be reached later."""
        self._silence_ended = -inf
        """When an answer came after *shortest* or more without one."""
        self._failed: float | None = None
        """When a failure was last heard of."""
        self._doubted_until: float | None = None

    @property
    def left(self) -> float:
        """
        The seconds for which the store is still doubted.
        """
        until = self._doubted_until
        if until is None:
            return 0.0
        left = until - self._clock()
        if left <= 0:
            with self._lock:
                if self._doubted_until == until:
                    self._doubted_until = None
            return 0.0
        return left

    def answered(self, began: float, ended: float) -> None:
        """
        Hear that an operation was answered.
        """
        if ended - self._reachable >= self._shortest:
            with self._lock:
                self._silence_ended = ended
                if self._failed is not None and self._failed >= self._reachable:
                    self._failed = None
                    self._doubt(ended)
        # Without the lock, on the way that every read takes: of two answers in one moment either
        # may be noted, and a silence that began so much earlier is only taken for longer.
        self._reachable = max(self._reachable, began)

    def failed(self, began: float, ended: float) -> None:
        """
        Hear that an operation failed.
        """
        with self._lock:
            self._failed = ended
            if self._silence_ended > began:
                # Another operation was answered first; the silence that it ended was this one's.
                self._doubt(ended)

    def moved(self) -> None:
        """
        Hear that another server, or another run of it, has taken over.
        """
        with self._lock:
            self._doubt(self._clock())

    def renew_lock(self) -> None:
        """
        Forget a lock that another thread held while this process was forked.
        """
        self._lock = threading.Lock()

    def _doubt(self, now: float) -> None:
        if self._grace > 0:
            self._doubted_until = now + self._grace
