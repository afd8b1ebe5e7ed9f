"""
How long may a task of an event loop wait for the store?

`asyncio.timeout` counts the time that the loop was busy with other tasks, too, and ends a wait
whose answer lies there already. A burst of requests would then look like a store that has failed,
and take the cache away when it is needed most. So the time is told in parts, each of which takes
one turn of the loop at least.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["Within"]

_PARTS = 5


class Within:
    """
    Raises `TimeoutError` out of the block when it has waited for *seconds*.
    """

    __slots__ = ("_left", "_loop", "_part", "_scope", "_timer")

    def __init__(self, seconds: float) -> None:
        self._part = seconds / _PARTS
        self._left = _PARTS
        self._scope = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._scope.__aenter__()
        self._timer: asyncio.Handle = self._loop.call_later(self._part, self._tick)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        await self._scope.__aexit__(kind, value, traceback)

    def _tick(self) -> None:
        self._left -= 1
        if self._left:
            self._timer = self._loop.call_later(self._part, self._tick)
        else:
            # In the loop's next turn: whoever got an answer in this one goes first.
            self._scope.reschedule(0)
