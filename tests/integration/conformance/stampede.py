"""
Many clients at once: threads, or tasks where the driver is asynchronous.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import util

from ormcache import Cache
from tests.fixtures.apps import App
from tests.fixtures.loops import await_

PATIENT = 60.0
"""Seconds to wait for another read: nobody shall run out of them in a test."""


def at_once(app: App, acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """
    Do all of it at the same time; what is raised is returned.
    """
    if app.is_async:
        return await_(_gathered(acts))
    with ThreadPoolExecutor(len(acts)) as pool:
        futures = [pool.submit(act) for act in acts]
        return [future.exception() or future.result() for future in futures]


async def _gathered(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    tasks = [util.greenlet_spawn(act) for act in acts]
    return await asyncio.gather(*tasks, return_exceptions=True)


def until(app: App, condition: Callable[[], bool]) -> None:
    """
    Return when the condition has come true, which others see to.
    """
    deadline = time.monotonic() + PATIENT
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        if app.is_async:
            await_(asyncio.sleep(0.005))
        else:
            time.sleep(0.005)


def following(cache: Cache) -> int:
    """
    How many reads of this process wait for another one.
    """
    return sum(len(flight._wakes) for flight in list(cache.flights._under_way.values()))


def collapse(app: App, seconds: float = PATIENT, **settings: Any) -> None:
    """
    Set how long reads of products wait for each other.
    """
    app.cache.policy("products", ttl=300, collapse=seconds, **settings)
