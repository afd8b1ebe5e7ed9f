"""
How do Redis and Valkey keep entries and tokens?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from ormcache.errors import ConfigurationError
from ormcache.model import Fetched, Intent, Scope
from ormcache.stores.address import Address
from ormcache.stores.async_wire import AsyncWire
from ormcache.stores.dialog import Vocabulary
from ormcache.stores.layout import Layout
from ormcache.stores.places import Sentinels, read_place
from ormcache.stores.reigns import Reigns
from ormcache.stores.sentinel import AsyncSentinelWire, SentinelWire
from ormcache.stores.wire import Wire

__all__ = ["AsyncRedisStore", "RedisStore"]


class RedisStore:
    """
    A store in one Redis (6 or later) or Valkey server, or in whichever one sentinels name.

    The user it connects as needs INFO, MGET, SET, GET, DEL, EVAL, EVALSHA, TIME; for `clear`, SCAN
    and UNLINK.
    """

    def __init__(self, place: Address | Sentinels, timeout: float, layout: Layout) -> None:
        self._reigns = Reigns()
        self._place = place
        self._wire = (
            SentinelWire(place, timeout, self._reigns)
            if isinstance(place, Sentinels)
            else Wire(place, timeout, self._reigns)
        )
        self._layout = layout
        self._say = Vocabulary(layout, place.replicas, timeout)

    @classmethod
    def from_url(cls, url: str, namespace: str, *, timeout: float = 0.05) -> Self:
        """
        Return the store at *url*, connecting when it is first used.

        Raises:
            ConfigurationError: The URL or the namespace is wrong.
        """
        place = read_place(url)
        if not isinstance(place, Address | Sentinels):
            msg = "a store in a cluster is a ClusterStore"
            raise ConfigurationError(msg)
        return cls(place, timeout, Layout(namespace))

    def asynchronous(self) -> AsyncRedisStore:
        """
        Return the same store for event loops, over connections of its own.
        """
        timeout = self._wire.timeout
        wire = (
            AsyncSentinelWire(self._place, timeout, self._reigns)
            if isinstance(self._place, Sentinels)
            else AsyncWire(self._place, timeout, self._reigns)
        )
        return AsyncRedisStore(wire, self._layout, self._say)

    def watch_runs(self, met: Callable[[str, bytes], None]) -> None:
        """
        Tell *met* which run of a server reigns at a place, whenever that is looked at.
        """
        self._reigns.met = met

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        if key is None and not scopes:
            return Fetched(None, ())
        return self._wire.run(self._say.fetch(key, scopes))

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        if ttl <= 0:
            return False
        return self._wire.run(self._say.save(key, entry, ttl, absent=absent))

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        self._wire.run(self._say.announce(intent, lease_seconds))

    def settle(self, intent: Intent) -> None:
        self._wire.run(self._say.settle(intent))

    def clear(self) -> None:
        """
        Remove every entry and token of this namespace, and nothing else.

        It walks over all keys of the server's database, page by page: the timeout bounds each
        page, not the whole.

        An open intent loses its lease here. What is read meanwhile is kept under a token created
        after this, and the settle, which comes after the commit, replaces that one, too.
        """
        cursor: bytes | str = "0"
        while True:
            cursor, names = self._wire.run(self._say.page(cursor))
            if names:
                self._wire.run(self._say.remove(names))
            if int(cursor) == 0:
                return

    def info(self) -> dict[str, str]:
        return self._wire.run(self._say.info())

    def close(self) -> None:
        """
        Close the connections that are idle; another operation opens a new one.
        """
        self._wire.close()

    def __repr__(self) -> str:
        return f"<RedisStore {self._layout.namespace!r} over {self._wire!r}>"


class AsyncRedisStore:
    """
    `RedisStore` for event loops.
    """

    def __init__(self, wire: AsyncWire, layout: Layout, say: Vocabulary) -> None:
        self._wire = wire
        self._layout = layout
        self._say = say

    def watch_runs(self, met: Callable[[str, bytes], None]) -> None:
        """
        As `RedisStore.watch_runs`.
        """
        self._wire.reigns.met = met

    async def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        if key is None and not scopes:
            return Fetched(None, ())
        return await self._wire.run(self._say.fetch(key, scopes))

    async def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        if ttl <= 0:
            return False
        return await self._wire.run(self._say.save(key, entry, ttl, absent=absent))

    async def announce(self, intent: Intent, lease_seconds: float) -> None:
        await self._wire.run(self._say.announce(intent, lease_seconds))

    async def settle(self, intent: Intent) -> None:
        await self._wire.run(self._say.settle(intent))

    async def clear(self) -> None:
        """
        As `RedisStore.clear`.
        """
        cursor: bytes | str = "0"
        while True:
            cursor, names = await self._wire.run(self._say.page(cursor))
            if names:
                await self._wire.run(self._say.remove(names))
            if int(cursor) == 0:
                return

    async def info(self) -> dict[str, str]:
        return await self._wire.run(self._say.info())

    async def close(self) -> None:
        """
        Close the idle connections of the running event loop.
        """
        await self._wire.close()

    def __repr__(self) -> str:
        return f"<AsyncRedisStore {self._layout.namespace!r} over {self._wire!r}>"
