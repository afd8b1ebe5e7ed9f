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
from collections.abc import Sequence
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as BrokenConnection

from ormcache.stores.address import Address
from ormcache.stores.dialog import Command, Dialog, Talk, greet
from ormcache.stores.link import BELIEVED, UNNAMED
from ormcache.stores.reigns import Reigns
from ormcache.stores.wire import MOST_IDLE, failed
from ormcache.stores.within import Within

__all__ = ["AsyncLink", "AsyncWire"]

_T = TypeVar("_T")

_KINDS: dict[str, Any] = {
    "tcp": Connection,
    "tls": SSLConnection,
    "unix": UnixDomainSocketConnection,
}


class AsyncLink:
    """
    One connection of one event loop to one reign of a server, its `generation`.
    """

    def __init__(self, address: Address, reigns: Reigns) -> None:
        self.address = address
        self.generation = b""
        self._reigns = reigns
        self._greet_at = 0.0
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
        Connect.
        """
        await self._connection.connect()

    async def talk(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns, or raise what it or the network raised.
        """
        if monotonic() > self._greet_at:
            await self.greet()
        return await self._talk(dialog(self.generation))

    async def greet(self) -> None:
        """
        Learn which reign of which server is at the other end, or raise where it is of no use.
        """
        now = monotonic()
        generation = await self._talk(greet(clustered=self.address.clustered))
        if generation != self.generation:
            self.generation = generation
            self._reigns.meet(self.address.text, generation)
        self._greet_at = now + BELIEVED

    @property
    def doubtful(self) -> bool:
        """
        Whether it is time to greet, before anything is believed.
        """
        return monotonic() > self._greet_at

    async def send(self, commands: Sequence[Command]) -> None:
        """
        Send *commands* at once; each has an answer to `receive`.
        """
        packed = self._connection.pack_commands(commands)
        await self._connection.send_packed_command(packed, check_health=False)

    async def receive(self) -> Any:
        """
        Return the next answer, or raise what the server or the network refused.
        """
        return await self._connection.read_response()

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

    def __init__(self, address: Address, timeout: float, reigns: Reigns | None = None) -> None:
        self.address = address
        self.timeout = timeout
        self.reigns = reigns or Reigns()
        self._idle: WeakKeyDictionary[asyncio.AbstractEventLoop, list[AsyncLink]] = (
            WeakKeyDictionary()
        )
        self._pid = os.getpid()

    async def run(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns; it may be begun twice, as `Wire.run` says.

        Raises:
            StoreError: It did not work out in time, or at all.
        """
        try:
            async with Within(self.timeout):
                return await self.perform(dialog)
        except Exception as exc:
            raise failed(self.address.text, exc) from exc

    async def perform(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns, or raise whatever went wrong; bounded by whoever awaits it.
        """
        idle = self.links()
        while idle and idle[-1].generation != self.reigns.current[self.address.text]:
            idle.pop().drop()  # leads to a server that another has taken over from
        if idle:
            try:
                return await self._use(idle, idle.pop(), dialog)
            except BrokenConnection:
                # Closed while idle: the server was restarted, or has a time limit. The others
                # are as old, and a fresh one tells whether it really is gone.
                await self.close()
        return await self._use(idle, AsyncLink(self.address, self.reigns), dialog)

    def open(self) -> AsyncLink:
        """
        Return a new link, which has yet to connect.
        """
        return AsyncLink(self.address, self.reigns)

    def give(self, link: AsyncLink) -> None:
        """
        Keep *link*, on which nothing is under way, for the next operation of this event loop.
        """
        idle = self.links()
        if len(idle) < MOST_IDLE:
            idle.append(link)
        else:
            link.drop()

    async def close(self) -> None:
        """
        Close the idle links of the running event loop.
        """
        idle = self.links()
        while idle:
            idle.pop().drop()
        # A transport tells its protocol of the end in the loop's next round.
        await asyncio.sleep(0)

    async def _use(self, idle: list[AsyncLink], link: AsyncLink, dialog: Dialog[_T]) -> _T:
        clean = False
        try:
            if not link.generation:
                await link.open()
            result = await link.talk(dialog)
            clean = True
            return result
        finally:
            if clean and len(idle) < MOST_IDLE:
                idle.append(link)
            else:
                link.drop()

    def links(self) -> list[AsyncLink]:
        """
        Return the idle links of the running event loop, for whoever takes one out or puts it back.
        """
        if self._pid != os.getpid():
            # After a fork: these sockets are the parent's, and its answers come in on them.
            self._idle = WeakKeyDictionary()
            self._pid = os.getpid()
        return self._idle.setdefault(asyncio.get_running_loop(), [])

    def __repr__(self) -> str:
        return f"<AsyncWire to {self.address.text}, {sum(map(len, self._idle.values()))} idle>"
