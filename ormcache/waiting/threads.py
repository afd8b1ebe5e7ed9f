"""
How does a thread wait for another read's load?
"""

from __future__ import annotations

import random
import time
from functools import partial
from queue import Empty, SimpleQueue
from threading import get_ident

from ormcache.flights import Caller, Flight, Flights, Joined
from ormcache.model import Token

__all__ = ["ThreadWaiting", "jittered"]

# Of its own: the generator that the application may have seeded is not ours to draw from; and the
# system's, which forked processes do not share.
_CHANCE = random.SystemRandom()


class ThreadWaiting:
    """
    Waits by blocking the thread.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights

    def join(self, key: str, tokens: tuple[Token, ...], *, holds: bool) -> Joined:
        return self._flights.join(key, tokens, Caller(get_ident()), holds=holds)

    def wait(self, flight: Flight, seconds: float) -> bytes | None:
        landed: SimpleQueue[None] = SimpleQueue()
        flight.tell(partial(landed.put, None))
        try:
            landed.get(timeout=seconds)
        except Empty:
            flight.give_up()
        return flight.entry

    def pause(self, seconds: float) -> None:
        time.sleep(jittered(seconds))


def jittered(seconds: float) -> float:
    """
    Return about *seconds*, so that processes that began to wait together do not ask together.
    """
    return seconds * _CHANCE.uniform(0.5, 1.5)
