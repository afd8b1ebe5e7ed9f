"""
At which step of its commit does a writer die?
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from typing import Any

from ormcache.model import Intent
from ormcache.protocols import Store

__all__ = ["FatalStore"]

_LIKELY = 0.02


class FatalStore:
    """
    *store*, whose process now and then gets SIGKILL before or after an announcement or a settle;
    kills from outside rarely come just there.
    """

    def __init__(self, store: Store, chance: random.Random, wanted: Callable[[], bool]) -> None:
        self._store = store
        self._chance = chance
        self._wanted = wanted

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        """
        As `Store.announce`, if at all.
        """
        self._perhaps()
        self._store.announce(intent, lease_seconds)
        self._perhaps()

    def settle(self, intent: Intent) -> None:
        """
        As `Store.settle`, if at all.
        """
        self._perhaps()
        self._store.settle(intent)
        self._perhaps()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _perhaps(self) -> None:
        if self._wanted() and self._chance.random() < _LIKELY:
            os.kill(os.getpid(), signal.SIGKILL)
