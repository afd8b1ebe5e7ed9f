"""
How do Redis and Valkey keep entries and tokens?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from ormcache.model import Fetched, Intent, Scope
from ormcache.stores.address import read_address
from ormcache.stores.async_wire import AsyncWire
from ormcache.stores.dialog import Vocabulary
from ormcache.stores.layout import Layout
from ormcache.stores.wire import Wire

__all__ = ["AsyncRedisStore", "RedisStore"]


class RedisStore:
    """
    A store in a single Redis (6 or later) or Valkey server.

    The user it connects as needs INFO, MGET, SET, GET, DEL, EVAL, EVALSHA, TIME; for `clear`, SCAN
    and UNLINK.
    """

    def __init__(self, wire: Wire, layout: Layout) -> None:
        self._wire = wire
        self._layout = layout
        self._say = Vocabulary(layout)

    @classmethod
    def from_url(cls, url: str, namespace: str, *, timeout: float = 0.05) -> Self:
        """
        Return the store at *url*, connecting when it is first used.

        Raises:
            ConfigurationError: The URL or the namespace is wrong.
        """
        return cls(Wire(read_address(url), timeout), Layout(namespace))

    def asynchronous(self) -> AsyncRedisStore:
        """
        Return the same store for event loops, over connections of its own.
        """
        return AsyncRedisStore(AsyncWire(self._wire.address, self._wire.timeout), self._layout)

    def watch_runs(self, met: Callable[[str, bytes], None]) -> None:
        """
        Tell *met* of the address and the server's run at the other end of each new connection.
        """
        self._wire.met = met

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

    def __init__(self, wire: AsyncWire, layout: Layout) -> None:
        self._wire = wire
        self._layout = layout
        self._say = Vocabulary(layout)

    def watch_runs(self, met: Callable[[str, bytes], None]) -> None:
        """
        As `RedisStore.watch_runs`.
        """
        self._wire.met = met

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
