"""
How does one operation of an event loop reach the server and come back within its deadline?

As `wire` does it for threads: the client library's connection object is used directly, one
deadline bounds the whole operation, and a connection is used again only after a clean answer. A
task that is cancelled in the middle leaves a connection that is closed, not one that would hand
its answer to the next.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as BrokenConnection

from ormcache.stores.address import Address
from ormcache.stores.dialog import Dialog, Talk, greet
from ormcache.stores.wire import MOST_IDLE, UNNAMED, failed

__all__ = ["AsyncLink", "AsyncWire"]

_T = TypeVar("_T")

_KINDS: dict[str, Any] = {
    "tcp": Connection,
    "tls": SSLConnection,
    "unix": UnixDomainSocketConnection,
}


class AsyncLink:
    """
    One open connection of one event loop to one run of a server, its `generation`.
    """

    def __init__(self, address: Address) -> None:
        self.generation = b""
        self._connection = _KINDS[address.kind](
            **address.arguments,
            protocol=2,
            # The operation's own deadline bounds every wait.
            socket_timeout=None,
            socket_connect_timeout=None,
            redis_connect_func=_once(),
            **UNNAMED,
        )

    async def open(self) -> None:
        """
        Connect, and learn which run of the server is at the other end.
        """
        await self._connection.connect()
        self.generation = await self._talk(greet())

    async def talk(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns, or raise what it or the network raised.
        """
        return await self._talk(dialog(self.generation))

    def drop(self) -> None:
        """
        Drop the connection, whatever is still under way on it; waits for nothing.
        """
        writer = self._connection._writer  # noqa: SLF001 - its own way to close waits, and a cancelled task must not
        if writer is not None:
            writer.transport.abort()
            self._connection._reader = self._connection._writer = None  # noqa: SLF001 - as above

    async def _talk(self, talk: Talk[_T]) -> _T:
        try:
            command = next(talk)
            while True:
                try:
                    await self._connection.send_command(*command)
                    answer = await self._connection.read_response()
                except Exception as exc:  # noqa: BLE001 - the dialog decides what to do about it
                    command = talk.throw(exc)
                else:
                    command = talk.send(answer)
        except StopIteration as stop:
            value: _T = stop.value
            return value


def _once() -> Any:
    connected = False

    async def bind(connection: Any) -> None:
        nonlocal connected
        if connected:
            # The library reconnects by itself; that could be another run of the server.
            msg = "the connection was lost"
            raise BrokenConnection(msg)
        connected = True
        await connection.on_connect()

    return bind


class AsyncWire:
    """
    Links to one address, each for the event loop that opened it, none for two tasks at once.

    *timeout* is the seconds that one operation may take, connecting included.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self.address = address
        self.timeout = timeout
        self.met: Callable[[str, bytes], object] = lambda _address, _generation: None
        """Told of each new link: where to, and the generation it has there."""
        self._idle: WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncLink]] = (
            WeakKeyDictionary()
        )
        self._generation = b""
        self._pid = os.getpid()

    async def run(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns; it may be begun twice, as `Wire.run` says.

        Raises:
            StoreError: It did not work out in time, or at all.
        """
        try:
            async with asyncio.timeout(self.timeout):
                return await self._run(dialog)
        except Exception as exc:
            raise failed(self.address, exc) from exc

    async def close(self) -> None:
        """
        Close the idle links of the running event loop.
        """
        idle = self._links()
        while idle:
            idle.pop().drop()
        # A transport tells its protocol of the end in the loop's next round.
        await asyncio.sleep(0)

    async def _run(self, dialog: Dialog[_T]) -> _T:
        idle = self._links()
        while idle and idle[-1].generation != self._generation:
            idle.pop().drop()  # leads to a server that another has taken over from
        if idle:
            try:
                return await self._use(idle, idle.pop(), dialog)
            except BrokenConnection:
                # Closed while idle: the server was restarted, or has a time limit. The others
                # are as old, and a fresh one tells whether it really is gone.
                await self.close()
        return await self._use(idle, AsyncLink(self.address), dialog)

    async def _use(self, idle: list[AsyncLink], link: AsyncLink, dialog: Dialog[_T]) -> _T:
        clean = False
        try:
            if not link.generation:
                await link.open()
                self._generation = link.generation
                self.met(self.address.text, link.generation)
            result = await link.talk(dialog)
            clean = True
            return result
        finally:
            if clean and len(idle) < MOST_IDLE:
                idle.append(link)
            else:
                link.drop()

    def _links(self) -> list[AsyncLink]:
        if self._pid != os.getpid():
            # After a fork: these sockets are the parent's, and its answers come in on them.
            self._idle = WeakKeyDictionary()
            self._pid = os.getpid()
        return self._idle.setdefault(asyncio.get_running_loop(), [])

    def __repr__(self) -> str:
        return f"<AsyncWire to {self.address.text}, {sum(map(len, self._idle.values()))} idle>"
