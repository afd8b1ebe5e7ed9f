"""
Which server do the sentinels call the primary, and for how long is that believed?

A primary that was cut off goes on answering those on its side, with tokens that nobody bumps any
more. So only the server that more than half of the sentinels in the URL name is used, and only for
a second until they are asked again. Two majorities share a sentinel: when anybody may use the new
primary, everybody's next question ends the use of the old one.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import Any, TypeVar

from redis.exceptions import ConnectionError as BrokenConnection, ReadOnlyError

from ormcache.errors import StoreError
from ormcache.stores.address import Address
from ormcache.stores.async_wire import AsyncWire
from ormcache.stores.dialog import Dialog, Talk
from ormcache.stores.link import BELIEVED, Link
from ormcache.stores.places import Node, Sentinels
from ormcache.stores.reigns import Reigns
from ormcache.stores.wire import Wire
from ormcache.stores.within import Within

__all__ = ["AsyncSentinelWire", "SentinelWire"]

_T = TypeVar("_T")

_TAKEN_OVER = (BrokenConnection, ReadOnlyError, StoreError)
"""
What an operation may fail with because another server has taken over.
"""


class _Vote:
    """
    Counts which node the sentinels name.
    """

    def __init__(self, place: Sentinels) -> None:
        self._place = place
        self._count: Counter[Node] = Counter()

    def question(self) -> Dialog[Node | None]:
        """
        Return the dialog that asks one sentinel.
        """

        def dialog(_: bytes) -> Talk[Node | None]:
            answer = yield ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._place.service)
            if not isinstance(answer, list) or len(answer) != 2:
                return None
            return bytes(answer[0]).decode(), int(answer[1])

        return dialog

    def hear(self, node: Node | None) -> None:
        """
        Count what a sentinel said.
        """
        if node is not None:
            self._count[node] += 1

    @property
    def elected(self) -> Node | None:
        """
        The node that more than half of all sentinels name.
        """
        for node, votes in self._count.most_common(1):
            if votes * 2 > len(self._place.sentinels):
                return node
        return None

    def result(self) -> Node:
        """
        Return the node elected, or raise `StoreError`.
        """
        if (node := self.elected) is None:
            told = ", ".join(f"{host}:{port} by {n}" for (host, port), n in self._count.items())
            msg = (
                f"no server is called the primary by more than half of the "
                f"{len(self._place.sentinels)} sentinels ({told or 'none named any'})"
            )
            raise StoreError(msg)
        return node


class SentinelWire(Wire):
    """
    A `Wire` to whichever server is the primary.
    """

    def __init__(self, place: Sentinels, timeout: float, reigns: Reigns) -> None:
        super().__init__(_nobody(place), timeout, reigns)
        self._place = place
        self._sentinels = [Wire(each, timeout) for each in place.sentinels]
        self._ask_at = 0.0

    def perform(self, dialog: Dialog[_T], deadline: float) -> _T:
        if deadline > self._ask_at:
            self._ask(deadline)
        used = self.address
        try:
            return super().perform(dialog, deadline)
        except _TAKEN_OVER:
            self._ask(deadline)
            if self.address is used:
                raise
        return super().perform(dialog, deadline)

    def take(self) -> Link | None:
        while (link := super().take()) is not None and link.address is not self.address:
            link.close()
        return link

    def close(self) -> None:
        super().close()
        for wire in self._sentinels:
            wire.close()

    def _ask(self, deadline: float) -> None:
        # Not believed while the question is open, should it end badly.
        self._ask_at = 0.0
        vote = _Vote(self._place)
        for nth, wire in enumerate(self._sentinels):
            now = time.monotonic()
            # One that does not answer must leave time for the others, and for what is asked for.
            share = now + (deadline - now) / (len(self._sentinels) - nth + 1)
            with contextlib.suppress(Exception):
                vote.hear(wire.perform(vote.question(), share))
            if vote.elected is not None:
                break
        self.address = _follow(self._place, self.address, vote.result(), self.reigns)
        self._ask_at = deadline + BELIEVED


class AsyncSentinelWire(AsyncWire):
    """
    `SentinelWire` for event loops.
    """

    def __init__(self, place: Sentinels, timeout: float, reigns: Reigns) -> None:
        super().__init__(_nobody(place), timeout, reigns)
        self._place = place
        self._sentinels = [AsyncWire(each, timeout) for each in place.sentinels]
        self._ask_at = 0.0

    async def perform(self, dialog: Dialog[_T]) -> _T:
        if time.monotonic() > self._ask_at:
            await self._ask()
        used, idle = self.address, self.links()
        while idle and idle[-1].address is not used:
            idle.pop().drop()
        try:
            return await super().perform(dialog)
        except _TAKEN_OVER:
            await self._ask()
            if self.address is used:
                raise
        return await super().perform(dialog)

    async def close(self) -> None:
        await super().close()
        for wire in self._sentinels:
            await wire.close()

    async def _ask(self) -> None:
        self._ask_at = 0.0
        began = time.monotonic()
        vote = _Vote(self._place)
        for nth, wire in enumerate(self._sentinels):
            left = began + self.timeout - time.monotonic()
            share = left / (len(self._sentinels) - nth + 1)
            with contextlib.suppress(Exception):
                async with Within(share):
                    vote.hear(await wire.perform(vote.question()))
            if vote.elected is not None:
                break
        self.address = _follow(self._place, self.address, vote.result(), self.reigns)
        self._ask_at = began + BELIEVED


def _nobody(place: Sentinels) -> Address:
    """
    Return what stands for the primary until one is known.
    """
    return Address("tcp", {}, place.text)


def _follow(place: Sentinels, now: Address, elected: Node, reigns: Reigns) -> Address:
    """
    Return the address of the node *elected*: the same object as *now* where it is the same node.
    """
    host, port = elected
    reigns.meet(place.text, f"{host}:{port}".encode())
    arguments: dict[str, Any] = now.arguments
    if (arguments.get("host"), arguments.get("port")) == elected:
        return now
    return place.at(elected)
