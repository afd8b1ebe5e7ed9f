"""
At which step of a read or a commit does a process stall, or die?
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from ormcache.model import Fetched, Intent, Scope
from ormcache.protocols import Store

__all__ = ["UnluckyStore"]

_LONGEST_STALL = 0.02
_DYING = 0.02
# A reader does many more steps than a writer.
_COMMITTING, _FILLING, _FETCHING = 0.3, 0.1, 0.005


class UnluckyStore:
    """
    *store*, whose process now and then stalls between two steps of the protocol, where a commit of
    another process must not harm it; or gets SIGKILL there, which from outside rarely comes just
    then.
    """

    def __init__(self, store: Store, chance: random.Random, dying: Callable[[], bool]) -> None:
        self._store = store
        self._chance = chance
        self._dying = dying

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        """
        As `Store.fetch`, and then perhaps a while before the database is asked.
        """
        fetched = self._store.fetch(key, scopes)
        self._stall(_FETCHING)
        return fetched

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        """
        As `Store.save`, perhaps a while after the database has answered.
        """
        self._stall(_FILLING)
        return self._store.save(key, entry, ttl, absent=absent)

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        """
        As `Store.announce`, and then perhaps a while before the COMMIT.
        """
        self._die()
        self._store.announce(intent, lease_seconds)
        self._stall(_COMMITTING)
        self._die()

    def settle(self, intent: Intent) -> None:
        """
        As `Store.settle`, perhaps a while after the COMMIT.
        """
        self._stall(_COMMITTING)
        self._die()
        self._store.settle(intent)
        self._die()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _stall(self, likely: float) -> None:
        if self._chance.random() < likely:
            time.sleep(self._chance.uniform(0, _LONGEST_STALL))

    def _die(self) -> None:
        if self._dying() and self._chance.random() < _DYING:
            os.kill(os.getpid(), signal.SIGKILL)
