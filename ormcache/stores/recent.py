"""
Which invalidations may a store have forgotten that has said it had them?

A replica that takes over lacks the last writes of its primary, and a primary that was cut off may
take invalidations that nobody will ever see. A store that restarts with the data of some minutes
ago lacks the writes of those minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from math import inf

from ormcache.model import Scope
from ormcache.protocols import Clock

__all__ = ["Recent"]


class Recent:
    """
    The scopes that were settled within the last *seconds*, at most *limit* of them.
    """

    def __init__(self, *, seconds: float, limit: int, clock: Clock) -> None:
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        # In the order of their last settlement.
        self._settled: dict[Scope, float] = {}
        self._dropped = -inf

    def add(self, scopes: Iterable[Scope]) -> None:
        """
        Note that *scopes* were settled now.
        """
        now = self._clock()
        with self._lock:
            for scope in scopes:
                self._settled.pop(scope, None)
                self._settled[scope] = now
            self._forget(now - self._seconds)

    def scopes(self) -> frozenset[Scope] | None:
        """
        Return the scopes, or None where there were too many to remember.
        """
        with self._lock:
            oldest = self._clock() - self._seconds
            self._forget(oldest)
            return None if self._dropped >= oldest else frozenset(self._settled)

    def renew_lock(self) -> None:
        """
        Forget a lock that another thread held while this process was forked.
        """
        self._lock = threading.Lock()

    def _forget(self, oldest: float) -> None:
        while self._settled:
            scope, settled = next(iter(self._settled.items()))
            if settled >= oldest:
                if len(self._settled) <= self._limit:
                    return
                self._dropped = settled
            del self._settled[scope]
