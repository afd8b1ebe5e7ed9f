"""
How do the commands of one operation reach several nodes, and come back within one deadline?

One `Wire` for each node keeps its idle links; an operation borrows one link of each node it visits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ConnectionError as BrokenConnection, ResponseError

from ormcache.drive import arun, run
from ormcache.stores.async_wire import AsyncLink, AsyncWire
from ormcache.stores.dialog import Command
from ormcache.stores.link import Link
from ormcache.stores.places import Cluster, Node
from ormcache.stores.reigns import Reigns
from ormcache.stores.rounds import Exchange, Leg, Step, Visit, conduct
from ormcache.stores.slots import SlotMap
from ormcache.stores.wire import Wire, failed
from ormcache.stores.within import Within

__all__ = ["AsyncClusterWire", "ClusterWire"]


class ClusterWire:
    """
    Links to the nodes of a cluster, shared by threads.
    """

    def __init__(self, place: Cluster, timeout: float, slots: SlotMap, reigns: Reigns) -> None:
        self.timeout = timeout
        self.slots = slots
        self._place = place
        self.reigns = reigns
        self._wires: dict[Node, Wire] = {}

    def run(self, legs: Sequence[Leg]) -> list[Any]:
        """
        Return what the dialogs of *legs* return; as `Wire.run`, each may be begun again.

        Raises:
            StoreError: One of them did not work out in time, or at all.
        """
        trip = _Trip(self, time.monotonic() + self.timeout)
        try:
            return run(conduct(legs, self.slots), trip.perform)
        except Exception as exc:
            raise failed(self._place.text, exc) from exc
        finally:
            trip.end()

    def wire(self, node: Node) -> Wire:
        """
        Return the links to *node*.
        """
        wire = self._wires.get(node)
        if wire is None:
            made = Wire(self._place.at(node), self.timeout, self.reigns)
            # Of two threads that make one, both use the same.
            wire = self._wires.setdefault(node, made)
        return wire

    def close(self) -> None:
        """
        Close the links that are idle.
        """
        for wire in list(self._wires.values()):
            wire.close()

    def __repr__(self) -> str:
        return f"<ClusterWire to {self._place.text}, {len(self._wires)} nodes met>"


class _Trip:
    """
    The links that one operation has borrowed.
    """

    def __init__(self, wires: ClusterWire, deadline: float) -> None:
        self._wires = wires
        self._deadline = deadline
        self._links: dict[Node, Link] = {}
        self._under_way: set[Node] = set()

    def perform(self, step: Step) -> Any:
        return self._visit(step) if isinstance(step, Visit) else self._exchange(step)

    def end(self) -> None:
        for node, link in self._links.items():
            if node in self._under_way:
                link.close()
            else:
                self._wires.wire(node).give(link)

    def _visit(self, visit: Visit) -> bytes:
        link = self._links.get(visit.node) or self._borrow(visit.node)
        if visit.need_not_serve:
            return b""
        if link.doubtful:
            self._under_way.add(visit.node)
            try:
                link.greet(self._deadline)
            except Exception as exc:
                self._lost(visit.node, exc)
                raise
            self._under_way.discard(visit.node)
        return link.generation

    def _borrow(self, node: Node) -> Link:
        wire = self._wires.wire(node)
        link = wire.take()
        if link is None:
            now = time.monotonic()
            # A host that does not answer must leave time for the other nodes.
            link = wire.open(now + (self._deadline - now) / 2)
        link.renew(self._deadline)
        self._links[node] = link
        return link

    def _exchange(self, exchange: Exchange) -> dict[Node, list[Any]]:
        answers: dict[Node, list[Any]] = {}
        self._under_way.update(exchange.batch)
        for node, commands in exchange.batch.items():
            try:
                self._links[node].send(commands)
            except Exception as exc:  # noqa: BLE001 - an answer like any other to whoever sent it
                answers[node] = self._lost(node, exc, len(commands))
        for node, commands in exchange.batch.items():
            if node not in answers:
                answers[node] = self._read(node, commands)
        return answers

    def _read(self, node: Node, commands: Sequence[Command]) -> list[Any]:
        heard: list[Any] = []
        for _ in commands:
            try:
                heard.append(self._links[node].receive())
            except ResponseError as exc:
                heard.append(exc)
            except Exception as exc:  # noqa: BLE001 - as above
                return heard + self._lost(node, exc, len(commands) - len(heard))
        self._under_way.discard(node)
        return heard

    def _lost(self, node: Node, problem: Exception, count: int = 0) -> list[Any]:
        self._links.pop(node).close()
        self._under_way.discard(node)
        if isinstance(problem, BrokenConnection):
            # Those that are idle are as old.
            self._wires.wire(node).close()
        return [problem] * count


class AsyncClusterWire:
    """
    `ClusterWire` for event loops.
    """

    def __init__(self, place: Cluster, timeout: float, slots: SlotMap, reigns: Reigns) -> None:
        self.timeout = timeout
        self.slots = slots
        self._place = place
        self.reigns = reigns
        self._wires: dict[Node, AsyncWire] = {}

    async def run(self, legs: Sequence[Leg]) -> list[Any]:
        """
        As `ClusterWire.run`.
        """
        trip = _AsyncTrip(self)
        try:
            async with Within(self.timeout):
                return await arun(conduct(legs, self.slots), trip.perform)
        except Exception as exc:
            raise failed(self._place.text, exc) from exc
        finally:
            trip.end()

    def wire(self, node: Node) -> AsyncWire:
        """
        Return the links to *node*.
        """
        wire = self._wires.get(node)
        if wire is None:
            made = AsyncWire(self._place.at(node), self.timeout, self.reigns)
            wire = self._wires.setdefault(node, made)
        return wire

    async def close(self) -> None:
        """
        Close the idle links of the running event loop.
        """
        for wire in list(self._wires.values()):
            await wire.close()

    def __repr__(self) -> str:
        return f"<AsyncClusterWire to {self._place.text}, {len(self._wires)} nodes met>"


class _AsyncTrip:
    """
    The links that one operation of an event loop has borrowed.
    """

    def __init__(self, wires: AsyncClusterWire) -> None:
        self._wires = wires
        self._links: dict[Node, AsyncLink] = {}
        self._under_way: set[Node] = set()

    async def perform(self, step: Step) -> Any:
        return await (self._visit(step) if isinstance(step, Visit) else self._exchange(step))

    def end(self) -> None:
        for node, link in self._links.items():
            if node in self._under_way:
                link.drop()
            else:
                self._wires.wire(node).give(link)

    async def _visit(self, visit: Visit) -> bytes:
        node = visit.node
        if node not in self._links:
            idle = self._wires.wire(node).links()
            self._links[node] = idle.pop() if idle else self._wires.wire(node).open()
        link = self._links[node]
        self._under_way.add(node)
        try:
            if not link.generation:
                await link.open()
            if not visit.need_not_serve and link.doubtful:
                await link.greet()
        except Exception as exc:
            await self._lost(node, exc)
            raise
        self._under_way.discard(node)
        return link.generation

    async def _exchange(self, exchange: Exchange) -> dict[Node, list[Any]]:
        answers: dict[Node, list[Any]] = {}
        self._under_way.update(exchange.batch)
        for node, commands in exchange.batch.items():
            try:
                await self._links[node].send(commands)
            except Exception as exc:  # noqa: BLE001 - an answer like any other to whoever sent it
                answers[node] = await self._lost(node, exc, len(commands))
        for node, commands in exchange.batch.items():
            if node not in answers:
                answers[node] = await self._read(node, commands)
        return answers

    async def _read(self, node: Node, commands: Sequence[Command]) -> list[Any]:
        heard: list[Any] = []
        for _ in commands:
            try:
                heard.append(await self._links[node].receive())
            except ResponseError as exc:
                heard.append(exc)
            except Exception as exc:  # noqa: BLE001 - as above
                return heard + await self._lost(node, exc, len(commands) - len(heard))
        self._under_way.discard(node)
        return heard

    async def _lost(self, node: Node, problem: Exception, count: int = 0) -> list[Any]:
        self._links.pop(node).drop()
        self._under_way.discard(node)
        if isinstance(problem, BrokenConnection):
            # Those that are idle are as old.
            await self._wires.wire(node).close()
        return [problem] * count
