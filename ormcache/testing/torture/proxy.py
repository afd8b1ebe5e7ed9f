"""
What if the network between an application and its store is slow, or gone?

A process that passes bytes on between the two and does to them what it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Literal
from urllib.parse import urlsplit

__all__ = ["Mode", "Proxy"]

Mode = Literal["pass", "delay", "reset", "hang"]
"""
Pass on at once; pass on a little later; end all connections and refuse others; let bytes vanish.
"""

_LATEST = 0.03
_TIMEOUT = 10.0


class Proxy:
    """
    A proxy process before the store at *url*; *url* of this object leads through it.
    """

    def __init__(self, context: ForkServerContext, url: str) -> None:
        place = urlsplit(url)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        credentials = place.netloc.rpartition("@")[0]
        netloc = f"{credentials}@127.0.0.1:{port}" if credentials else f"127.0.0.1:{port}"
        self.url = place._replace(netloc=netloc).geturl()
        self._orders, theirs = context.Pipe()
        target = (place.hostname or "127.0.0.1", place.port or 6379)
        self._process = context.Process(
            target=_serve, args=(listener, target, theirs), daemon=True, name="proxy"
        )
        self._process.start()
        listener.close()
        theirs.close()

    def set(self, mode: Mode) -> None:
        """
        Treat bytes like this from now on; returns when it is so.
        """
        self._orders.send(mode)
        if not self._orders.poll(_TIMEOUT):
            raise TimeoutError("the proxy between the applications and the store does not answer")
        self._orders.recv()

    def close(self) -> None:
        """
        End the process.
        """
        self._process.terminate()
        self._process.join()
        self._orders.close()


def _serve(listener: socket.socket, target: tuple[str, int], orders: Connection) -> None:
    asyncio.run(_Pipes(target, orders).serve(listener))


class _Pipes:
    """
    All connections that go through the proxy.
    """

    def __init__(self, target: tuple[str, int], orders: Connection) -> None:
        self.target = target
        self.mode: Mode = "pass"
        self.sides: set[_Side] = set()
        self._orders = orders
        self._ended = asyncio.Event()

    async def serve(self, listener: socket.socket) -> None:
        """
        Pass bytes on until the one who gives the orders is gone.
        """
        loop = asyncio.get_running_loop()
        loop.add_reader(self._orders.fileno(), self._obey)
        server = await loop.create_server(lambda: _Client(self), sock=listener)
        async with server:
            await self._ended.wait()

    def _obey(self) -> None:
        try:
            mode: Mode = self._orders.recv()
        except EOFError:
            self._ended.set()
            return
        # What vanished leaves its connection in disorder: nobody may use it afterwards.
        if mode == "reset" or self.mode == "hang":
            for side in tuple(self.sides):
                side.abort()
        self.mode = mode
        with contextlib.suppress(OSError):
            self._orders.send(mode)


class _Side(asyncio.Protocol):
    """
    One of the two connections of a pipe.
    """

    def __init__(self, pipes: _Pipes) -> None:
        self._pipes = pipes
        self._transport: asyncio.Transport | None = None
        self._due = 0.0
        self._early: list[bytes] = []
        self.peer: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pipes.sides.add(self)
        for data in self._early:
            transport.write(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self.peer is None or self._pipes.mode == "hang":
            return
        if self._pipes.mode == "delay":
            loop = asyncio.get_running_loop()
            # Never before what was sent earlier.
            wait = random.SystemRandom().uniform(0, _LATEST)
            self._due = max(self._due, loop.time() + wait)
            loop.call_at(self._due, self.peer.write, data)
        else:
            self.peer.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pipes.sides.discard(self)
        if self.peer is not None:
            self.peer.abort()

    def write(self, data: bytes) -> None:
        """
        Send *data*, once connected.
        """
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        """
        End the connection at once.
        """
        if self._transport is not None:
            self._transport.abort()


class _Client(_Side):
    """
    The side of an application; it makes the side of the store.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._pipes.mode == "reset":
            self.abort()
        else:
            self.peer = _Side(self._pipes)
            self.peer.peer = self
            self._connecting = asyncio.ensure_future(self._connect(self.peer))

    async def _connect(self, peer: _Side) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: peer, *self._pipes.target)
        except OSError:
            self.abort()
        if self._transport is None or self._transport.is_closing():
            peer.abort()
