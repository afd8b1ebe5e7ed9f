"""
How does one operation reach the server and come back within its deadline?

The client library's pool and command layer cost more than the command itself, and its timeouts
start anew with every packet. So its connection object is used directly, each socket wait ends by
the operation's one deadline, and a connection is used again only after a clean answer: one that
was left in the middle could hand the previous command's answer to the next.

The one wait that cannot be bounded from here is the resolution of the host's name.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from redis.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ConnectionError as BrokenConnection

from ormcache.errors import StoreError
from ormcache.stores.address import Address

__all__ = ["Link", "Wire"]

T = TypeVar("T")

_KINDS: dict[str, Any] = {
    "tcp": Connection,
    "tls": SSLConnection,
    "unix": UnixDomainSocketConnection,
}
# Introducing the library by name would cost two more round trips for each connection; which
# argument says so depends on its version.
_UNNAMED: dict[str, None] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(AbstractConnection).parameters
    else {"lib_name": None, "lib_version": None}
)
_MOST_IDLE = 64
_GENERATION = 12


class _BoundedSocket:
    """
    A socket whose waits all end by one deadline, however slowly bytes trickle in.
    """

    def __init__(self, sock: Any, deadline: float) -> None:
        self._sock = sock
        self.deadline = deadline

    def sendall(self, data: Any) -> None:
        self._bound()
        self._sock.sendall(data)

    def recv(self, size: int) -> Any:
        self._bound()
        return self._sock.recv(size)

    def recv_into(self, buffer: Any) -> Any:
        self._bound()
        return self._sock.recv_into(buffer)

    def _bound(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Link:
    """
    One open connection to one run of a server.

    `generation` names that run. A server that restarts, or a replica that takes over, may come
    back with tokens as they were some time ago, together with the entries that matched them; but
    no connection survives that, so what is read over this one belongs to this run alone.
    """

    def __init__(self, address: Address, deadline: float) -> None:
        self._deadline = deadline
        self._socket: _BoundedSocket | None = None
        left = max(deadline - time.monotonic(), 0.001)
        self._connection = _KINDS[address.kind](
            **address.arguments,
            # RESP2 needs no greeting and lets the server say nothing unasked.
            protocol=2,
            socket_timeout=left,
            socket_connect_timeout=left,
            redis_connect_func=self._bind,
            **_UNNAMED,
        )
        try:
            self._connection.connect()
            self.server = self._greet()
        except BaseException:
            self.close()
            raise
        self.generation = self.server["run_id"].encode()[:_GENERATION]

    def ask(self, *command: bytes | str | float) -> Any:
        """
        Return the server's answer to *command*, or raise what it or the network raised.
        """
        self._connection.send_command(*command)
        return self._connection.read_response()

    def renew(self, deadline: float) -> None:
        """
        Give the link to another operation, which ends by *deadline*.
        """
        self._deadline = deadline
        if self._socket is not None:
            self._socket.deadline = deadline

    def close(self) -> None:
        """
        Drop the connection, whatever is still under way on it.
        """
        self._connection.disconnect()

    def facts(self) -> dict[str, str]:
        """
        Return what the server says about itself now.
        """
        lines = bytes(self.ask("INFO")).decode("utf-8", "replace").splitlines()
        pairs = (line.partition(":") for line in lines)
        return {name: value for name, separator, value in pairs if separator}

    def _bind(self, connection: Any) -> None:
        if self._socket is not None:
            # The library reconnects by itself; that could be another run of the server.
            msg = "the connection was lost"
            raise BrokenConnection(msg)
        # The library has no public way to wrap its socket, and none to end several waits by one
        # deadline.
        self._socket = _BoundedSocket(connection._sock, self._deadline)  # noqa: SLF001 (see above)
        connection._sock = self._socket  # noqa: SLF001 (see above)
        connection.on_connect()

    def _greet(self) -> dict[str, str]:
        facts = self.facts()
        if not facts.get("run_id"):
            msg = "the server does not tell its run_id, so its restarts could go unnoticed"
            raise StoreError(msg)
        if facts.get("role", "master") != "master":
            msg = "the server is a replica, which lags behind; name the primary in the URL"
            raise StoreError(msg)
        if facts.get("cluster_enabled", "0") != "0":
            msg = "the server is part of a Redis cluster, which ormcache does not support yet"
            raise StoreError(msg)
        return facts


class Wire:
    """
    Links to one address, shared by threads, none by two operations at once.

    *timeout* is the seconds that one operation may take, connecting included.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        # The last one given back is the next one taken: append and pop are atomic, so no lock
        # that a fork could leave locked.
        self._idle: list[Link] = []
        self._pid = os.getpid()

    def run(self, work: Callable[[Link], T]) -> T:
        """
        Return what *work* returns, given a link; it may be run twice.

        Every operation of a store may be: settling or announcing again is bumping again. The same
        goes for a command that is carried out late, after its operation was given up: a bump more,
        or a lease that runs out.

        Raises:
            StoreError: It did not work out in time, or at all.
        """
        deadline = time.monotonic() + self._timeout
        try:
            return self._run(work, deadline)
        except StoreError as exc:
            msg = f"{self._address.text}: {exc}"
            raise StoreError(msg) from exc
        except Exception as exc:
            # Any kind: the library raises what it stumbles over when the peer talks nonsense.
            msg = f"{self._address.text}: {type(exc).__name__}: {exc}"
            raise StoreError(msg) from exc

    def close(self) -> None:
        """
        Close the links that are idle.
        """
        while (link := self._take()) is not None:
            link.close()

    def _run(self, work: Callable[[Link], T], deadline: float) -> T:
        link = self._take()
        if link is not None:
            link.renew(deadline)
            try:
                return self._use(link, work)
            except BrokenConnection:
                # Closed while idle: the server was restarted, or has a time limit. The others
                # are as old, and a fresh one tells whether it really is gone.
                self.close()
        return self._use(Link(self._address, deadline), work)

    def _use(self, link: Link, work: Callable[[Link], T]) -> T:
        clean = False
        try:
            result = work(link)
            clean = True
            return result
        finally:
            if clean and len(self._idle) < _MOST_IDLE:
                self._idle.append(link)
            else:
                link.close()

    def _take(self) -> Link | None:
        if self._pid != os.getpid():
            # After a fork: these sockets are the parent's, and its answers come in on them.
            self._idle = []
            self._pid = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def __repr__(self) -> str:
        return f"<Wire to {self._address.text}, {len(self._idle)} idle>"
