"""
Where can a test act? In the exact gaps of the protocol, so that no scenario depends on luck.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, util

from ormcache.model import Fetched, Intent, Scope
from tests.fixtures.apps import App

OPERATIONS = ("fetch", "save", "announce", "settle")


class HookedStore:
    """
    A real store that acts once just before or after its next operation of a kind.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._actions: dict[str, Callable[[], object]] = {}
        self._refused: dict[str, Exception] = {}

    def at(self, moment: str, act: Callable[[], object]) -> None:
        when, _, operation = moment.partition(" ")
        assert when in ("before", "after")
        assert operation in OPERATIONS
        self._actions[moment] = act

    def is_waiting(self, moment: str) -> bool:
        return moment in self._actions

    def refuse(self, operation: str, error: Exception) -> None:
        """
        From now on, fail every operation of a kind.
        """
        assert operation in OPERATIONS
        self._refused[operation] = error

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        return self._around("fetch", key, scopes)

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        return self._around("save", key, entry, ttl, absent=absent)

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        return self._around("announce", intent, lease_seconds)

    def settle(self, intent: Intent) -> None:
        return self._around("settle", intent)

    def _around(self, operation: str, *arguments: Any, **options: Any) -> Any:
        self._wanted(f"before {operation}")()
        self._check(operation)
        answer = getattr(self._store, operation)(*arguments, **options)
        self._wanted(f"after {operation}")()
        return answer

    def _wanted(self, moment: str) -> Callable[[], object]:
        # Forgotten first: what is done there may come by again.
        return self._actions.pop(moment, _nothing)

    def _check(self, operation: str) -> None:
        if operation in self._refused:
            raise self._refused[operation]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class HookedAsyncStore(HookedStore):
    """
    The same for an asynchronous store. What is to be done may use asynchronous applications.
    """

    async def _around(self, operation: str, *arguments: Any, **options: Any) -> Any:
        await util.greenlet_spawn(self._wanted(f"before {operation}"))
        self._check(operation)
        answer = await getattr(self._store, operation)(*arguments, **options)
        await util.greenlet_spawn(self._wanted(f"after {operation}"))
        return answer


def _nothing() -> None:
    pass


def hook(app: App) -> HookedStore:
    """
    The store that the application uses, from now on one that can be hooked into.
    """
    name, kind = ("async_store", HookedAsyncStore) if app.is_async else ("store", HookedStore)
    store = getattr(app.cache, name)
    if not isinstance(store, kind):
        store = kind(store)
        setattr(app.cache, name, store)
    return store


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
