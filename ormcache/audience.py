"""
Who looks at what the cache does, and what are they told?
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .events import CommitEvent, ReadEvent, ShadowDifference
from .model import table_of
from .recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .model import Scope
    from .protocols import Observer
    from .reading import Answer

__all__ = ["Audience"]

log = logging.getLogger("ormcache")


class Audience:
    """
    The observers of a cache, and the recordings of the blocks that are open around the caller.
    """

    def __init__(self, observers: Iterable[Observer]) -> None:
        self.observers: tuple[Observer, ...] = tuple(observers)
        self._recordings: ContextVar[tuple[Recording, ...]] = ContextVar(
            "ormcache_recordings", default=()
        )

    def __bool__(self) -> bool:
        return bool(self.observers or self._recordings.get())

    def add(self, observer: Observer) -> None:
        """
        Tell *observer* from now on.
        """
        self.observers = (*self.observers, observer)

    def remove(self, observer: Observer) -> None:
        """
        Stop telling *observer*.
        """
        self.observers = tuple(o for o in self.observers if o is not observer)

    @contextlib.contextmanager
    def recording(self) -> Iterator[Recording]:
        """
        Within the block, note what happens in its own context.
        """
        recording = Recording()
        self._recordings.set((*self._recordings.get(), recording))
        try:
            yield recording
        finally:
            recording.close()
            # Not reset by its token: a framework may end the block in a copy of its context.
            self._recordings.set(tuple(r for r in self._recordings.get() if r is not recording))

    def hear_read(
        self,
        answer: Answer,
        *,
        statement: str,
        tables: tuple[str, ...],
        store_seconds: float,
        database_seconds: float,
        waited_seconds: float = 0.0,
    ) -> None:
        """
        Tell how a read ended.
        """
        event = ReadEvent(
            outcome=answer.outcome,
            reason=answer.reason,
            detail=answer.detail,
            statement=statement,
            tables=tables,
            store_seconds=store_seconds,
            database_seconds=database_seconds,
            rows=len(answer.rows.rows) if answer.rows is not None else 0,
            stored=answer.stored,
            waited_seconds=waited_seconds,
        )
        for observer in self._listening():
            _safely(observer.on_read, event)
        if answer.differing is not None:
            difference = ShadowDifference(statement, tables, *answer.differing)
            for observer in self._listening():
                _safely(observer.on_difference, difference)

    def hear_commit(
        self, scopes: frozenset[Scope], *, committed: bool, delivered: bool, store_seconds: float
    ) -> None:
        """
        Tell how a transaction that touched something ended.
        """
        tables = tuple(sorted({table_of(scope).partition("/")[2] for scope in scopes}))
        event = CommitEvent(tables, committed, delivered, store_seconds)
        for observer in self._listening():
            _safely(observer.on_commit, event)

    def _listening(self) -> tuple[Observer, ...]:
        return (*self.observers, *self._recordings.get())


def _safely(tell: Callable[[Any], None], event: object) -> None:
    try:
        tell(event)
    except Exception:  # an observer's failure is not the application's
        log.exception("ormcache: an observer failed")
