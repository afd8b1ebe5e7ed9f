"""
How does a Redis or Valkey cluster keep entries and tokens?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from ormcache.errors import ConfigurationError
from ormcache.model import Fetched, Intent, Scope
from ormcache.stores.cluster_wire import AsyncClusterWire, ClusterWire
from ormcache.stores.dialog import Vocabulary
from ormcache.stores.layout import ClusterLayout
from ormcache.stores.places import Cluster, Node, read_place
from ormcache.stores.reigns import Reigns
from ormcache.stores.slots import SlotMap
from ormcache.stores.spread import Spread

__all__ = ["AsyncClusterStore", "ClusterStore"]


class ClusterStore:
    """
    A store in a cluster; see `RedisStore` for what its user needs, and CLUSTER SLOTS besides.
    """

    def __init__(self, place: Cluster, timeout: float, layout: ClusterLayout) -> None:
        self._reigns = Reigns()
        self._place = place
        self._slots = SlotMap(place, self._reigns)
        self._wire = ClusterWire(place, timeout, self._slots, self._reigns)
        self._layout = layout
        self._say = Spread(layout, Vocabulary(layout, place.replicas, timeout))

    @classmethod
    def from_url(cls, url: str, namespace: str, *, timeout: float = 0.05) -> Self:
        """
        Return the store at *url*, connecting when it is first used.

        Raises:
            ConfigurationError: The URL or the namespace is wrong.
        """
        place = read_place(url)
        if not isinstance(place, Cluster):
            msg = "the URL of a cluster begins with redis+cluster:// or rediss+cluster://"
            raise ConfigurationError(msg)
        return cls(place, timeout, ClusterLayout(namespace))

    def asynchronous(self) -> AsyncClusterStore:
        """
        Return the same store for event loops, over connections of its own.
        """
        wire = AsyncClusterWire(self._place, self._wire.timeout, self._slots, self._reigns)
        return AsyncClusterStore(wire, self._layout, self._say)

    def watch_runs(self, met: Callable[[str, bytes], None]) -> None:
        """
        Tell *met* which run of a server reigns at a place, whenever that is looked at.
        """
        self._reigns.met = met

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        reading = self._say.fetch(key, scopes)
        return reading.join(self._wire.run(reading.legs))

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        if ttl <= 0:
            return False
        kept: list[bool] = self._wire.run(self._say.save(key, entry, ttl, absent=absent))
        return kept[0]

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        self._wire.run(self._say.announce(intent, lease_seconds))

    def settle(self, intent: Intent) -> None:
        self._wire.run(self._say.settle(intent))

    def clear(self) -> None:
        """
        As `RedisStore.clear`, on one node after the other; twice, as a slot that moves meanwhile
        may take keys from a node that is still to be cleared to one that has been.
        """
        for _ in range(2):
            self._slots.doubted = True
            self.info()  # draws the map
            for node in self._slots.primaries:
                self._clear(node)

    def info(self) -> dict[str, str]:
        return _joined(self._wire.run(self._say.info(self._slots.primaries)))

    def _clear(self, node: Node) -> None:
        cursor: bytes | str = "0"
        while True:
            ((cursor, names),) = self._wire.run(self._say.page(node, cursor))
            self._wire.run(self._say.remove(names))
            if int(cursor) == 0:
                return

    def close(self) -> None:
        """
        Close the connections that are idle; another operation opens a new one.
        """
        self._wire.close()

    def __repr__(self) -> str:
        return f"<ClusterStore {self._layout.namespace!r} over {self._wire!r}>"


class AsyncClusterStore:
    """
    `ClusterStore` for event loops.
    """

    def __init__(self, wire: AsyncClusterWire, layout: ClusterLayout, say: Spread) -> None:
        self._wire = wire
        self._layout = layout
        self._say = say

    def watch_runs(self, met: Callable[[str, bytes], None]) -> None:
        """
        As `ClusterStore.watch_runs`.
        """
        self._wire.reigns.met = met

    async def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        reading = self._say.fetch(key, scopes)
        return reading.join(await self._wire.run(reading.legs))

    async def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        if ttl <= 0:
            return False
        kept: list[bool] = await self._wire.run(self._say.save(key, entry, ttl, absent=absent))
        return kept[0]

    async def announce(self, intent: Intent, lease_seconds: float) -> None:
        await self._wire.run(self._say.announce(intent, lease_seconds))

    async def settle(self, intent: Intent) -> None:
        await self._wire.run(self._say.settle(intent))

    async def clear(self) -> None:
        """
        As `ClusterStore.clear`.
        """
        for _ in range(2):
            self._wire.slots.doubted = True
            await self.info()
            for node in self._wire.slots.primaries:
                await self._clear(node)

    async def info(self) -> dict[str, str]:
        return _joined(await self._wire.run(self._say.info(self._wire.slots.primaries)))

    async def _clear(self, node: Node) -> None:
        cursor: bytes | str = "0"
        while True:
            ((cursor, names),) = await self._wire.run(self._say.page(node, cursor))
            await self._wire.run(self._say.remove(names))
            if int(cursor) == 0:
                return

    async def close(self) -> None:
        """
        Close the idle connections of the running event loop.
        """
        await self._wire.close()

    def __repr__(self) -> str:
        return f"<AsyncClusterStore {self._layout.namespace!r} over {self._wire!r}>"


def _joined(told: Sequence[dict[str, str]]) -> dict[str, str]:
    """
    Return what all nodes say: the first one's words, the first problem, the sum of the sizes.
    """
    joined = {**told[0], "nodes": str(len(told))}
    for each in told:
        if "problem" in each:
            joined["problem"] = each["problem"]
    for size in ("used_bytes", "max_bytes"):
        if all(each[size].isdigit() for each in told):
            joined[size] = str(sum(int(each[size]) for each in told))
    return joined
