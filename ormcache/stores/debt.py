"""
Which invalidations does this process still owe the store?

Every addition gets a number. A payment covers what was owed up to the number at which it began,
and no more: what another thread adds meanwhile, be it the same scope, stays.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ormcache.model import Scope

__all__ = ["Debt", "Due"]


class Due(NamedTuple):
    """
    What is owed at one moment: some scopes, or *everything*, up to an addition's *number*.
    """

    number: int
    scopes: frozenset[Scope]
    everything: bool

    def parts(self, size: int) -> Iterator[Due]:
        """
        Return the same in parts of which each fits into one operation: of *size* scopes at most.
        """
        if self.everything:
            yield self._replace(scopes=frozenset())
        scopes = sorted(self.scopes)
        for start in range(0, len(scopes), size):
            yield Due(self.number, frozenset(scopes[start : start + size]), everything=False)


class Debt:
    """
    Scopes whose invalidation did not arrive; more than *limit* of them count as everything.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._number = 0
        self._scopes: dict[Scope, int] = {}
        self._everything: int | None = None

    def __bool__(self) -> bool:
        return bool(self._scopes) or self._everything is not None

    def __str__(self) -> str:
        return "everything" if self._everything is not None else f"{len(self._scopes)} scopes"

    @property
    def number(self) -> int:
        """
        The number of the last addition.
        """
        return self._number

    def add(self, scopes: Iterable[Scope] | None) -> None:
        """
        Owe *scopes* from now on; None: everything.
        """
        with self._lock:
            self._number += 1
            if scopes is None:
                self._scopes.clear()
            elif self._everything is None:
                self._scopes.update(dict.fromkeys(scopes, self._number))
                if len(self._scopes) <= self._limit:
                    return
                self._scopes.clear()
            self._everything = self._number

    def due(self) -> Due:
        """
        Return what is owed now.
        """
        with self._lock:
            everything = self._everything is not None
            return Due(self._number, frozenset(self._scopes), everything)

    def paid(self, due: Due) -> None:
        """
        Hear that *due* was delivered.
        """
        with self._lock:
            if due.everything and self._everything is not None and self._everything <= due.number:
                self._everything = None
            for scope in due.scopes:
                if self._scopes.get(scope, due.number + 1) <= due.number:
                    del self._scopes[scope]

    def renew_lock(self) -> None:
        """
        Forget a lock that another thread held while this process was forked.
        """
        self._lock = threading.Lock()
