"""
Does a store for event loops keep what the protocol rests on?

Subclass `AsyncStoreContract` as you would `StoreContract`, with `open_async_store` in the place of
`open_store`. The scenarios are the same; each call is carried to an event loop, so those that use
several threads become several tasks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import pytest

from ormcache.model import Fetched, Intent, Scope
from ormcache.protocols import AsyncStore, Store
from ormcache.testing.cancelling import cancel_at_each_await
from ormcache.testing.store_contract import StoreContract
from ormcache.testing.store_subject import LONG, A, B, intent_on

__all__ = ["AsyncStoreContract", "Carried"]

_T = TypeVar("_T")


class Carried:
    """
    An asynchronous store as an ordinary one: each call waits for an event loop elsewhere.
    """

    def __init__(self, store: AsyncStore, loop: asyncio.AbstractEventLoop) -> None:
        self.store = store
        self._loop = loop

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        return self.wait(self.store.fetch(key, scopes))

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        return bool(self.wait(self.store.save(key, entry, ttl, absent=absent)))

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        self.wait(self.store.announce(intent, lease_seconds))

    def settle(self, intent: Intent) -> None:
        self.wait(self.store.settle(intent))

    def clear(self) -> None:
        self.wait(self.store.clear())

    def info(self) -> dict[str, str]:
        return self.wait(self.store.info())

    def wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """
        Return what *coroutine* returns.
        """
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class AsyncStoreContract(StoreContract):
    """
    What every store for event loops owes the rest of ormcache.
    """

    def open_async_store(self, namespace: str) -> AsyncStore:
        """
        Return a store of *namespace*; one with a `close` is closed after the test.
        """
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _event_loop(self) -> Iterator[None]:
        self.loop = asyncio.new_event_loop()
        self._opened: list[Carried] = []
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        yield
        for carried in self._opened:
            if (closing := getattr(carried.store, "close", None)) is not None:
                carried.wait(closing())
        self.loop.call_soon_threadsafe(self.loop.stop)
        thread.join()
        self.loop.close()

    def open_store(self, namespace: str) -> Store:
        self._opened.append(Carried(self.open_async_store(namespace), self.loop))
        return self._opened[-1]

    def test_a_cancelled_fetch_hands_its_answer_to_no_other(self) -> None:
        carried, store = self._fresh()

        async def scenario() -> None:
            expected = {}
            for number, scopes in enumerate(((A,), (B,), (A, B))):
                await store.save(f"f{number}", b"rows of %d" % number, LONG)
                expected[number] = await store.fetch(f"f{number}", scopes)

            async def check(_: int) -> None:
                for number, scopes in enumerate(((A,), (B,), (A, B))):
                    assert await store.fetch(f"f{number}", scopes) == expected[number]

            await cancel_at_each_await(lambda: store.fetch("f0", (A,)), check)

        carried.wait(scenario())

    def test_a_cancelled_announcement_can_be_settled(self) -> None:
        carried, store = self._fresh()

        async def scenario() -> None:
            async def check(_: int) -> None:
                await store.settle(intent)
                before = (await store.fetch(None, (A,))).tokens
                assert not before[0].in_doubt
                assert (await store.fetch(None, (A,))).tokens == before

            intent = intent_on(A)
            await cancel_at_each_await(lambda: store.announce(intent, LONG), check)

        carried.wait(scenario())

    def _fresh(self) -> tuple[Carried, AsyncStore]:
        carried = self.fresh_store()
        assert isinstance(carried, Carried)
        return carried, carried.store
