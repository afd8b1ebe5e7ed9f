"""
How much of an event loop's turn may reads take that are ready at the same moment?

A read computes before it asks the store, and goes on computing when the answer has come: decoding,
building objects. Where a hundred answers come at once, as after a delay of the store, an event loop
would run all that in one turn, and everything else would wait. So once reads have taken some
milliseconds of a turn, those that are left wait for the next.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

__all__ = ["Turns"]

_SLICE = 0.005


class Turns:
    """
    When the first read of each loop's current turn went on.
    """

    def __init__(self) -> None:
        self._begun: WeakKeyDictionary[asyncio.AbstractEventLoop, float] = WeakKeyDictionary()

    async def take(self) -> None:
        """
        Return when it is this read's turn to go on: at once, unless many do.
        """
        loop = asyncio.get_running_loop()
        while (begun := self._begun.get(loop)) is not None:
            if loop.time() - begun < _SLICE:
                return
            await asyncio.sleep(0)
        self._begun[loop] = loop.time()
        # Called in the loop's next turn, before the reads that wait for it.
        loop.call_soon(self._begun.pop, loop, None)
