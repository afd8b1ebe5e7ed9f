"""
When is a failing store left alone, and when is it tried again?

    closed      every call goes; several failures in a row open it
    open        no call goes, until the cooldown has passed
    half-open   one call goes; its success closes it, its failure opens it for longer
"""

from __future__ import annotations

import random
import threading

from ormcache.protocols import Clock

__all__ = ["Breaker"]

# Of its own: the generator that the application may have seeded is not ours to draw from; and the
# system's, which forked processes do not share.
_CHANCE = random.SystemRandom()


class Breaker:
    """
    A circuit breaker: opens after *failures* failures in a row, for about *cooldown* seconds,
    doubled by every failed attempt up to *longest*.
    """

    def __init__(self, *, failures: int, cooldown: float, longest: float, clock: Clock) -> None:
        self._limit = failures
        self._cooldown = cooldown
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._attempts = 0
        self._retry_at: float | None = None
        self.opened = 0
        """How often it has opened; the attempts that failed while it was open do not count."""

    @property
    def state(self) -> str:
        """
        The state, by its name above.
        """
        if self._retry_at is None:
            return "closed"
        return "open" if self.is_open else "half-open"

    @property
    def is_open(self) -> bool:
        """
        Whether no call may go now.
        """
        retry_at = self._retry_at
        return retry_at is not None and self._clock() < retry_at

    def admit(self) -> bool:
        """
        Return whether a call may go now; in the half-open state it is one only.
        """
        if self._retry_at is None:
            return True
        with self._lock:
            if self._retry_at is None:
                return True
            if self._clock() < self._retry_at:
                return False
            # Half-open is a lease on one attempt, not a mark: should this caller never report
            # (its thread was killed, its process forked), another one tries after a cooldown.
            self._wait()
            return True

    def succeeded(self) -> None:
        """
        Hear that a call came back with an answer.
        """
        if self._failures or self._retry_at is not None:
            with self._lock:
                self._failures = self._attempts = 0
                self._retry_at = None

    def failed(self) -> None:
        """
        Hear that a call failed.
        """
        with self._lock:
            self._failures += 1
            # While open, `admit` has already set the time of the next attempt.
            if self._retry_at is None and self._failures >= self._limit:
                self.opened += 1
                self._wait()

    def renew_lock(self) -> None:
        """
        Forget a lock that another thread held while this process was forked.
        """
        self._lock = threading.Lock()

    def _wait(self) -> None:
        wait = min(self._longest, self._cooldown * 2**self._attempts)
        # A fleet that lost the store in one moment should not come back in one moment.
        jitter = _CHANCE.uniform(0.5, 1.0)
        self._retry_at = self._clock() + wait * jitter
        self._attempts = min(self._attempts + 1, 32)
