"""
Who carries the effects out?

A driver takes one effect at a time from a generator, has it performed, and sends the answer back
or throws the error in. A *performer* carries out one effect in one world; this one uses a store
directly and a callable for what only the database library can do.

`run` and `arun` are the same loop for threads and for event loops.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from .effects import (
    Announce,
    Apply,
    Claim,
    Effect,
    Fetch,
    Join,
    Load,
    Pause,
    Save,
    Settle,
    Wait,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from .protocols import AsyncStore, AsyncWaiting, Store, Waiting

__all__ = ["AsyncPerformer", "Performer", "arun", "run"]

_E = TypeVar("_E")
_T = TypeVar("_T")


class Performer:
    """
    Performs effects on a store, for `Load` and `Apply` by calling *database*, and for reads that
    collapse by *waiting*.

    `store_seconds`, `database_seconds` and `waited_seconds` add up what each took.
    """

    __slots__ = (
        "_database",
        "_lease",
        "_store",
        "_waiting",
        "database_seconds",
        "store_seconds",
        "waited_seconds",
    )

    def __init__(
        self,
        store: Store,
        lease_seconds: float,
        database: Callable[[], object],
        waiting: Waiting | None = None,
    ) -> None:
        self._store = store
        self._lease = lease_seconds
        self._database = database
        self._waiting = waiting
        self.store_seconds = 0.0
        self.database_seconds = 0.0
        self.waited_seconds = 0.0

    def __call__(self, effect: Effect) -> object:
        """
        Carry out one effect and return its answer.
        """
        begin = perf_counter()
        try:
            return self._perform(effect)
        finally:
            elapsed = perf_counter() - begin
            if type(effect) is Fetch:  # all that a hit asks for
                self.store_seconds += elapsed
            elif isinstance(effect, Load | Apply):
                self.database_seconds += elapsed
            elif isinstance(effect, Join | Wait | Pause):
                self.waited_seconds += elapsed
            else:
                self.store_seconds += elapsed

    def _perform(self, effect: Effect) -> object:
        match effect:
            case Fetch(key, scopes):
                return self._store.fetch(key, scopes)
            case Load() | Apply():
                return self._database()
            case Save(key, entry, ttl):
                self._store.save(key, entry, ttl)
            case Announce(intent):
                self._store.announce(intent, self._lease)
            case Settle(intent):
                self._store.settle(intent)
            case Claim(name, seconds):
                return self._store.save(name, b"", seconds, absent=True)
            case Join() | Wait() | Pause():
                return self._wait(effect)
            case _:
                assert_never(effect)
        return None

    def _wait(self, effect: Join | Wait | Pause) -> object:
        assert self._waiting is not None, "a path that waits is given what waits"
        match effect:
            case Join(key, tokens, holds):
                return self._waiting.join(key, tokens, holds=holds)
            case Wait(flight, seconds):
                return self._waiting.wait(flight, seconds)
            case Pause(seconds):
                self._waiting.pause(seconds)
        return None


class AsyncPerformer:
    """
    `Performer` for event loops: the store, *database* and *waiting* are awaited.
    """

    __slots__ = (
        "_database",
        "_lease",
        "_store",
        "_waiting",
        "database_seconds",
        "store_seconds",
        "waited_seconds",
    )

    def __init__(
        self,
        store: AsyncStore,
        lease_seconds: float,
        database: Callable[[], Awaitable[object]],
        waiting: AsyncWaiting | None = None,
    ) -> None:
        self._store = store
        self._lease = lease_seconds
        self._database = database
        self._waiting = waiting
        self.store_seconds = 0.0
        self.database_seconds = 0.0
        self.waited_seconds = 0.0

    async def __call__(self, effect: Effect) -> object:
        """
        Carry out one effect and return its answer.
        """
        begin = perf_counter()
        try:
            return await self._perform(effect)
        finally:
            elapsed = perf_counter() - begin
            if type(effect) is Fetch:  # all that a hit asks for
                self.store_seconds += elapsed
            elif isinstance(effect, Load | Apply):
                self.database_seconds += elapsed
            elif isinstance(effect, Join | Wait | Pause):
                self.waited_seconds += elapsed
            else:
                self.store_seconds += elapsed

    async def _perform(self, effect: Effect) -> object:
        match effect:
            case Fetch(key, scopes):
                return await self._store.fetch(key, scopes)
            case Load() | Apply():
                return await self._database()
            case Save(key, entry, ttl):
                await self._store.save(key, entry, ttl)
            case Announce(intent):
                await self._store.announce(intent, self._lease)
            case Settle(intent):
                await self._store.settle(intent)
            case Claim(name, seconds):
                return await self._store.save(name, b"", seconds, absent=True)
            case Join() | Wait() | Pause():
                return await self._wait(effect)
            case _:
                assert_never(effect)
        return None

    async def _wait(self, effect: Join | Wait | Pause) -> object:
        assert self._waiting is not None, "a path that waits is given what waits"
        match effect:
            case Join(key, tokens, holds):
                return self._waiting.join(key, tokens, holds=holds)
            case Wait(flight, seconds):
                return await self._waiting.wait(flight, seconds)
            case Pause(seconds):
                await self._waiting.pause(seconds)
        return None


def run(path: Generator[_E, Any, _T], perform: Callable[[_E], Any]) -> _T:
    """
    Drive *path* to its end and return what it returns.
    """
    try:
        effect = next(path)
        while True:
            try:
                answer = perform(effect)
            except BaseException as exc:  # noqa: BLE001 - the path decides what to do about any of them
                effect = path.throw(exc)
            else:
                effect = path.send(answer)
    except StopIteration as stop:
        value: _T = stop.value
        return value


async def arun(path: Generator[_E, Any, _T], perform: Callable[[_E], Awaitable[Any]]) -> _T:
    """
    Drive *path* to its end as `run` does, awaiting what *perform* returns.

    A task that is cancelled has the cancellation thrown into the path, like any other error.
    """
    try:
        effect = next(path)
        while True:
            try:
                answer = await perform(effect)
            except BaseException as exc:  # noqa: BLE001 - as in `run`
                effect = path.throw(exc)
            else:
                effect = path.send(answer)
    except StopIteration as stop:
        value: _T = stop.value
        return value
