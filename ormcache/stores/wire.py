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
from ormcache.stores.dialog import Dialog, Talk, greet

__all__ = ["MOST_IDLE", "UNNAMED", "Link", "Wire", "failed"]

_T = TypeVar("_T")

_KINDS: dict[str, Any] = {
    "tcp": Connection,
    "tls": SSLConnection,
    "unix": UnixDomainSocketConnection,
}
UNNAMED: dict[str, None] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(AbstractConnection).parameters
    else {"lib_name": None, "lib_version": None}
)
"""
Introducing the library by name would cost two more round trips for each connection; which argument
says so depends on its version.
"""

MOST_IDLE = 64


class _Deadline:
    """
    By when the operation under way ends, in seconds of the monotonic clock.
    """

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at


class _BoundedSocket:
    """
    A socket whose waits all end by one deadline, however slowly bytes trickle in.
    """

    def __init__(self, sock: Any, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

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
        left = self._deadline.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Link:
    """
    One open connection to one run of a server, its `generation`.
    """

    def __init__(self, address: Address, deadline: float) -> None:
        self._deadline = _Deadline(deadline)
        left = max(deadline - time.monotonic(), 0.001)
        self._connection = _KINDS[address.kind](
            **address.arguments,
            # RESP2 needs no greeting and lets the server say nothing unasked.
            protocol=2,
            socket_timeout=left,
            socket_connect_timeout=left,
            redis_connect_func=_once(self._deadline),
            **UNNAMED,
        )
        try:
            self._connection.connect()
            self.generation = self._talk(greet())
        except BaseException:
            self.close()
            raise

    def talk(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns, or raise what it or the network raised.
        """
        return self._talk(dialog(self.generation))

    def renew(self, deadline: float) -> None:
        """
        Give the link to another operation, which ends by *deadline*.
        """
        self._deadline.at = deadline

    def close(self) -> None:
        """
        Drop the connection, whatever is still under way on it.
        """
        self._connection.disconnect()

    def _talk(self, talk: Talk[_T]) -> _T:
        try:
            command = next(talk)
            while True:
                try:
                    self._connection.send_command(*command)
                    answer = self._connection.read_response()
                except Exception as exc:  # noqa: BLE001 - the dialog decides what to do about it
                    command = talk.throw(exc)
                else:
                    command = talk.send(answer)
        except StopIteration as stop:
            value: _T = stop.value
            return value


def _once(deadline: _Deadline) -> Callable[[Any], None]:
    """
    Return what bounds a connection's socket when it has been connected for the first time.

    It knows no `Link`: were a dropped link part of a cycle, its socket would stay open until the
    garbage collector came by.
    """
    connected = False

    def bind(connection: Any) -> None:
        nonlocal connected
        if connected:
            # The library reconnects by itself; that could be another run of the server.
            msg = "the connection was lost"
            raise BrokenConnection(msg)
        connected = True
        # The library has no public way to wrap its socket, and none to end several waits by one
        # deadline.
        connection._sock = _BoundedSocket(connection._sock, deadline)  # noqa: SLF001 (see above)
        connection.on_connect()

    return bind


class Wire:
    """
    Links to one address, shared by threads, none by two operations at once.

    *timeout* is the seconds that one operation may take, connecting included.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self.address = address
        self.timeout = timeout
        self.met: Callable[[str, bytes], object] = lambda _address, _generation: None
        """Told of each new link: where to, and the generation it has there."""
        # The last one given back is the next one taken: append and pop are atomic, so no lock
        # that a fork could leave locked.
        self._idle: list[Link] = []
        self._generation = b""
        self._pid = os.getpid()

    def run(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns; it may be begun twice.

        Every operation of a store may be: settling or announcing again is bumping again. The same
        goes for a command that is carried out late, after its operation was given up: a bump more,
        or a lease that runs out.

        Raises:
            StoreError: It did not work out in time, or at all.
        """
        deadline = time.monotonic() + self.timeout
        try:
            return self._run(dialog, deadline)
        except Exception as exc:
            raise failed(self.address, exc) from exc

    def close(self) -> None:
        """
        Close the links that are idle.
        """
        while (link := self._take()) is not None:
            link.close()

    def _run(self, dialog: Dialog[_T], deadline: float) -> _T:
        link = self._take()
        if link is not None:
            link.renew(deadline)
            try:
                return self._use(link, dialog)
            except BrokenConnection:
                # Closed while idle: the server was restarted, or has a time limit. The others
                # are as old, and a fresh one tells whether it really is gone.
                self.close()
        link = Link(self.address, deadline)
        self._generation = link.generation
        self.met(self.address.text, link.generation)
        return self._use(link, dialog)

    def _use(self, link: Link, dialog: Dialog[_T]) -> _T:
        clean = False
        try:
            result = link.talk(dialog)
            clean = True
            return result
        finally:
            if clean and len(self._idle) < MOST_IDLE:
                self._idle.append(link)
            else:
                link.close()

    def _take(self) -> Link | None:
        if self._pid != os.getpid():
            # After a fork: these sockets are the parent's, and its answers come in on them.
            self._idle = []
            self._pid = os.getpid()
        try:
            while (link := self._idle.pop()).generation != self._generation:
                link.close()  # leads to a server that another has taken over from
        except IndexError:
            return None
        return link

    def __repr__(self) -> str:
        return f"<Wire to {self.address.text}, {len(self._idle)} idle>"


def failed(address: Address, exc: Exception) -> StoreError:
    """
    Return the error for an operation that failed, of whatever kind.

    The library raises what it stumbles over when the peer talks nonsense.
    """
    said = str(exc) if isinstance(exc, StoreError) else f"{type(exc).__name__}: {exc}"
    return StoreError(f"{address.text}: {said}")
