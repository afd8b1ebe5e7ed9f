"""
What do the scenarios do to the shop, and where can they act? In the exact gaps of the protocol.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ormcache import Outcome
from tests.fixtures.mongo import MongoApp
from tests.integration.conformance.gaps import HookedStore


def name_of(app: MongoApp, product: int = 1, **options: Any) -> str | None:
    """
    A product's name, as the application sees it.
    """
    found = app.products.find_one({"_id": product}, **options)
    return found and found["name"]


def rename(app: MongoApp, name: str, product: int = 1, **options: Any) -> None:
    app.products.update_one({"_id": product}, {"$set": {"name": name}}, **options)


def truth(plain: Any, product: int = 1) -> str | None:
    """
    What the database holds.
    """
    found = plain.products.find_one({"_id": product})
    return found and found["name"]


def warm(app: MongoApp) -> None:
    """
    Have the application cache the product's name; it is then a hit.
    """
    name_of(app)
    assert name_of(app) is not None
    assert app.log.outcomes()[-1] is Outcome.HIT
    app.sent_since()


class AsyncHookedStore(HookedStore):
    """
    `HookedStore` for event loops; what is to be done may block and goes to a thread.
    """

    async def _around(self, operation: str, *arguments: Any, **options: Any) -> Any:
        await asyncio.to_thread(self._wanted(f"before {operation}"))
        self._check(operation)
        answer = await getattr(self._store, operation)(*arguments, **options)
        await asyncio.to_thread(self._wanted(f"after {operation}"))
        return answer


def hook(app: MongoApp) -> HookedStore:
    """
    The application's store, from now on one that can be hooked into.
    """
    name, made_by = (
        ("store", HookedStore) if app.loop is None else ("async_store", AsyncHookedStore)
    )
    if not isinstance(getattr(app.cache, name), HookedStore):
        setattr(app.cache, name, made_by(getattr(app.cache, name)))
    return getattr(app.cache, name)


@contextmanager
def at(app: MongoApp, moment: str, act: Callable[[], object]) -> Iterator[None]:
    """
    Act once at the next *moment* of the application, which must come within the block.

    Moments are "before" or "after" an operation of the store, and "after" a command of the server.
    """
    when, _, what = moment.partition(" ")
    if what in ("fetch", "save", "announce", "settle"):
        hooks: Any = hook(app)
        hooks.at(moment, act)
        yield
        assert not hooks.is_waiting(moment), f"{moment} never came"
        return
    assert when == "after"
    app.sent.after(what, act)
    yield
    assert not app.sent.is_waiting(what), f"{moment} never came"
