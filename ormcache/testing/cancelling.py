"""
What is left behind when a task is cancelled, at whichever of its awaits?
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

__all__ = ["cancel_at_await", "cancel_at_each_await"]

_T = TypeVar("_T")


class _Counted:
    """
    Awaits *coroutine*, and cancels the current task while it waits for the *number*-th time.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int) -> None:
        self._coroutine = coroutine
        self._left = number

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._coroutine.__await__()
        send: Callable[[], Any] = partial(next, steps)
        while True:
            try:
                waits_for = send()
            except StopIteration as stop:
                return stop.value
            self._left -= 1
            if self._left == 0:
                task = asyncio.current_task()
                assert task is not None
                # As from outside: the future that is handed over next is cancelled, too.
                task.cancel()
            try:
                answer = yield waits_for
            except BaseException as exc:  # noqa: BLE001 - the coroutine decides what to do about it
                send = partial(steps.throw, exc)
            else:
                send = partial(steps.send, answer)


async def cancel_at_await(work: Callable[[], Coroutine[Any, Any, _T]], number: int) -> bool:
    """
    Run *work* and cancel it at its *number*-th await, counted from 1.

    Returns whether it came that far; where not, it has ended by itself.

    Raises whatever *work* raised, other than its cancellation.
    """
    counted = _Counted(work(), number)

    async def awaited() -> Any:
        return await counted

    try:
        await asyncio.create_task(awaited())
    except asyncio.CancelledError:
        return True
    return False


async def cancel_at_each_await(
    work: Callable[[], Coroutine[Any, Any, Any]], check: Callable[[int], Awaitable[object]]
) -> int:
    """
    Run *work* again and again, cancelled at its first await, its second, … until one run ends by
    itself; *check* is awaited after each cancellation, with the number of the await.

    Returns how many awaits there were.
    """
    number = 1
    while await cancel_at_await(work, number):
        await check(number)
        number += 1
    return number - 1
