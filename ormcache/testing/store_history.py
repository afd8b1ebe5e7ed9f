"""
Did a store, under many threads, ever hand out a token that a settle had already ended?
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from ormcache.model import Intent, Scope, Token
from ormcache.protocols import Store

__all__ = ["History", "hammer"]


class _Span(NamedTuple):
    began: int
    ended: int


@dataclass
class History:
    """
    What threads did to one scope, each act with the numbers at which it began and ended.
    """

    settles: int = 0
    tokens: dict[Token, list[_Span]] = field(default_factory=dict)
    _settled: list[_Span] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, store: Store, scope: Scope) -> None:
        """
        Ask for the token, and note which it was.
        """
        began = next(self._numbers)
        token = store.fetch(None, (scope,)).tokens[0].token
        with self._lock:
            self.tokens.setdefault(token, []).append(_Span(began, next(self._numbers)))

    def settle(self, store: Store, intent: Intent) -> None:
        """
        Settle *intent*, and note when.
        """
        began = next(self._numbers)
        store.settle(intent)
        with self._lock:
            self.settles += 1
            self._settled.append(_Span(began, next(self._numbers)))

    def revived(self) -> list[Token]:
        """
        Return the tokens that a fetch got before some settle began, and another fetch that began
        after that settle had returned: each one is a stale read that could have been.
        """
        return [token for token, seen in self.tokens.items() if self._revived(seen)]

    def _revived(self, seen: list[_Span]) -> bool:
        first = min(span.ended for span in seen)
        last = max(span.began for span in seen)
        return any(first < settle.began and settle.ended < last for settle in self._settled)


def hammer(store: Store, scope: Scope, *, writers: int, readers: int, turns: int) -> History:
    """
    Let threads announce, settle and fetch *scope* at once; each writer settles *turns* times.
    """
    history = History()
    writing = threading.Event()
    writing.set()

    def write() -> None:
        for turn in range(turns):
            intent = Intent.of(frozenset((scope,)))
            history.fetch(store, scope)
            if turn % 4:
                # The shortest leases run out before the settle, the longest never do.
                store.announce(intent, 10.0 ** (turn % 3 * 3 - 3))
                history.fetch(store, scope)
            history.settle(store, intent)
            history.fetch(store, scope)

    def read() -> None:
        while writing.is_set():
            history.fetch(store, scope)

    _together(writing, [write] * writers, [read] * readers)
    return history


def _together(
    working: threading.Event, workers: list[Callable[[], None]], others: list[Callable[[], None]]
) -> None:
    with ThreadPoolExecutor(len(workers) + len(others)) as pool:
        watching = [pool.submit(other) for other in others]
        try:
            for future in [pool.submit(worker) for worker in workers]:
                future.result()
        finally:
            working.clear()
        for future in watching:
            future.result()
