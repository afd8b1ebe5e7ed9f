"""
Where can a test act? In the exact gaps of the protocol, so that no scenario depends on luck.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from ormcache.model import Fetched, Intent, Scope
from ormcache.protocols import Store
from tests.fixtures.apps import App

OPERATIONS = ("fetch", "save", "announce", "settle")


class HookedStore:
    """
    A real store that acts once just before or after its next operation of a kind.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._actions: dict[str, Callable[[], object]] = {}

    def at(self, moment: str, act: Callable[[], object]) -> None:
        when, _, operation = moment.partition(" ")
        assert when in ("before", "after")
        assert operation in OPERATIONS
        self._actions[moment] = act

    def is_waiting(self, moment: str) -> bool:
        return moment in self._actions

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        return self._around("fetch", key, scopes)

    def save(self, key: str, entry: bytes, ttl: float) -> None:
        self._around("save", key, entry, ttl)

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        self._around("announce", intent, lease_seconds)

    def settle(self, intent: Intent) -> None:
        self._around("settle", intent)

    def _around(self, operation: str, *arguments: Any) -> Any:
        self._act(f"before {operation}")
        answer = getattr(self._store, operation)(*arguments)
        self._act(f"after {operation}")
        return answer

    def _act(self, moment: str) -> None:
        # Forgotten first: what is done here may come by again.
        act = self._actions.pop(moment, None)
        if act is not None:
            act()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def hook(app: App) -> HookedStore:
    """
    The application's store, from now on one that can be hooked into.
    """
    if not isinstance(app.cache.store, HookedStore):
        app.cache.store = HookedStore(app.cache.store)
    return app.cache.store


@contextmanager
def at(app: App, moment: str, act: Callable[[], object]) -> Iterator[None]:
    """
    Act once at the next *moment* of the application, which must come within the block.

    Moments are "before" or "after" an operation of the store, and "after query": the database has
    answered, and nobody has looked at the rows.
    """
    if moment == "after query":
        with _after_query(app, act):
            yield
        return
    store = hook(app)
    store.at(moment, act)
    yield
    assert not store.is_waiting(moment), f"{moment} never came"


@contextmanager
def _after_query(app: App, act: Callable[[], object]) -> Iterator[None]:
    came = []

    def once(*_: Any) -> None:
        if not came:
            came.append(True)
            act()

    event.listen(app.engine, "after_cursor_execute", once)
    yield
    event.remove(app.engine, "after_cursor_execute", once)
    assert came, "no query reached the database"
