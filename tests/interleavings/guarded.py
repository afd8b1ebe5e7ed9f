"""
How does a process behave that meets the store through the production guard?

It remembers the invalidations that did not arrive, and answers no read from the store before they
have been delivered. As with the paths, the guard's generators are stepped, not copied.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from ormcache.effects import Announce, Fetch, Save, Settle
from ormcache.errors import StoreError
from ormcache.stores.guarded import GuardedStore
from tests.interleavings.markers import Begins, Change, Paid, Query
from tests.interleavings.programs import Connection, Path, changes, commits, reads
from tests.interleavings.store import LEASE

__all__ = ["GuardedProcess"]


class _Asked:
    """
    Stands where the guard expects the store, and turns each question into an effect.
    """

    def fetch(self, key: Any, scopes: Any) -> Fetch:
        return Fetch(key, tuple(scopes))

    def save(self, key: str, entry: bytes, ttl: float, **_kw: Any) -> Save:
        return Save(key, entry, ttl)

    def announce(self, intent: Any, _lease_seconds: float) -> Announce:
        return Announce(intent)

    def settle(self, intent: Any) -> Settle:
        return Settle(intent)


@dataclass(frozen=True, slots=True)
class GuardedProcess:
    """
    Changes something, tries once in the background to pay what it owes, and reads it again.
    """

    change: Change
    query: Query
    reads: int = 1

    def __str__(self) -> str:
        return f"changes {self.change.name}, pays, reads {self.query.name}, guarded"

    def __call__(self) -> Path:
        store = GuardedStore(_Asked(), background=False, clock=lambda: 0.0)
        guard = store._guard
        yield from _through(guard, self._commits())
        if guard._debt:
            try:
                yield from _asking(guard.pay())
                yield Paid()
            except StoreError:
                pass
        yield from _through(guard, self._reads())

    def _commits(self) -> Path:
        connection = Connection()
        yield Begins(keeps=False)
        yield from changes(self.change)(connection)
        yield from commits(connection)

    def _reads(self) -> Path:
        yield Begins(keeps=False)
        yield from reads(self.query)(Connection())


def _through(guard: Any, path: Path) -> Path:
    """
    Pass on what *path* asks for, of the store by way of *guard*.
    """
    answer, error = None, None
    try:
        while True:
            effect = path.send(answer) if error is None else path.throw(error)
            owed = bool(guard._debt)
            try:
                answer, error = (yield from _guarded(guard, effect)), None
            except Exception as exc:  # noqa: BLE001 - the path decides what to do about it
                answer, error = None, exc
            if owed and not guard._debt:
                yield Paid()
    except StopIteration:
        return


def _guarded(guard: Any, effect: Any) -> Path:
    match effect:
        case Fetch(key, scopes):
            return (yield from _asking(guard.fetch(key, scopes)))
        case Save(key, entry, ttl):
            return (yield from _asking(guard.save(key, entry, ttl, absent=False)))
        case Announce(intent):
            return (yield from _asking(guard.announce(intent, LEASE)))
        case Settle(intent):
            return (yield from _asking(guard.settle(intent)))
    return (yield effect)


def _asking(operation: Generator[Any, Any, Any]) -> Path:
    """
    Yield the effects that *operation* asks the store for.
    """
    try:
        question = next(operation)
        while True:
            try:
                answer = yield question(_Asked())
            except Exception as exc:  # noqa: BLE001 - as above
                question = operation.throw(exc)
            else:
                question = operation.send(answer)
    except StopIteration as stop:
        return stop.value
