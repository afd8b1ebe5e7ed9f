"""
How does a task wait for another read's load, without holding up its event loop?
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from threading import get_ident

from ormcache.flights import Caller, Flight, Flights, Joined
from ormcache.model import Token
from ormcache.waiting.threads import jittered

__all__ = ["LoopWaiting"]


class LoopWaiting:
    """
    Waits by awaiting; the leader may be a task of any loop, or a thread.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights

    def join(self, key: str, tokens: tuple[Token, ...], *, holds: bool) -> Joined:
        caller = Caller(get_ident(), asyncio.current_task())
        return self._flights.join(key, tokens, caller, holds=holds)

    async def wait(self, flight: Flight, seconds: float) -> bytes | None:
        loop = asyncio.get_running_loop()
        landed: asyncio.Future[None] = loop.create_future()
        flight.tell(partial(_wake, loop, landed))
        await asyncio.wait((landed,), timeout=seconds)
        if not landed.done():
            flight.give_up()
        return flight.entry

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(jittered(seconds))


def _wake(loop: asyncio.AbstractEventLoop, landed: asyncio.Future[None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits there any more
        loop.call_soon_threadsafe(_resolve, landed)


def _resolve(landed: asyncio.Future[None]) -> None:
    if not landed.done():
        landed.set_result(None)
