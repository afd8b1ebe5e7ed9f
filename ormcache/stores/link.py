"""
How does one connection bring a command to the server, and bring back the answer in time?

The client library's pool and command layer cost more than the command itself, and its timeouts
start anew with every packet. So its connection object is used directly, and each socket wait ends
by the operation's one deadline.

The one wait that cannot be bounded from here is the resolution of the host's name.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ConnectionError as BrokenConnection

from ormcache.stores.address import Address
from ormcache.stores.dialog import Command, Dialog, Talk, greet
from ormcache.stores.reigns import Reigns

__all__ = ["BELIEVED", "UNNAMED", "Link"]

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

BELIEVED = 1.0
"""
Seconds for which a server is believed to be what it was: a primary, and the same one. A server can
be demoted under an open connection, and goes on answering reads with what it still knows.
"""


_LATE, _MOST_LATE = 0.005, 10


class _Deadline:
    """
    By when the operation under way ends, in seconds of the monotonic clock.

    It is there for a store that keeps us waiting. A thread that comes too late because others kept
    the processor has not waited: it gets a few short waits more, as its answer may be there. Were
    it to count as a failure, a burst of requests would take the cache away when it is needed.
    """

    __slots__ = ("_late", "at")

    def __init__(self, at: float) -> None:
        self.begin(at)

    def begin(self, at: float) -> None:
        """
        Give the deadline to another operation.
        """
        self.at = at
        self._late = 0

    def left(self) -> float:
        """
        Return how long, in seconds, the next wait may take, or raise `TimeoutError`.
        """
        left = self.at - time.monotonic()
        if left > 0:
            return left
        self._late += 1
        if self._late > _MOST_LATE:
            raise TimeoutError
        return _LATE


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
        self._sock.settimeout(self._deadline.left())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Link:
    """
    One open connection to one reign of a server, its `generation`; see `greet`.
    """

    def __init__(self, address: Address, deadline: float, reigns: Reigns) -> None:
        self.address = address
        self.generation = b""
        self._reigns = reigns
        self._deadline = _Deadline(deadline)
        self._greet_at = 0.0
        left = self._deadline.left()
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
        except BaseException:
            self.close()
            raise

    def talk(self, dialog: Dialog[_T], deadline: float) -> _T:
        """
        Return what *dialog* returns, or raise what it or the network raised.
        """
        self._deadline.begin(deadline)
        if deadline > self._greet_at:
            self.greet(deadline)
        return self._talk(dialog(self.generation))

    def greet(self, deadline: float) -> None:
        """
        Learn which reign of which server is at the other end, or raise where it is of no use.
        """
        generation = self._talk(greet(clustered=self.address.clustered))
        # Whose server is the same has nothing to tell of a place where there may be another by now.
        if generation != self.generation:
            self.generation = generation
            self._reigns.meet(self.address.text, generation)
        self._greet_at = deadline + BELIEVED

    def renew(self, deadline: float) -> None:
        """
        Give the link to another operation, which ends by *deadline*.
        """
        self._deadline.begin(deadline)

    @property
    def doubtful(self) -> bool:
        """
        Whether it is time to greet, before anything is believed.
        """
        return self._deadline.at > self._greet_at

    def send(self, commands: Sequence[Command]) -> None:
        """
        Send *commands* at once; each has an answer to `receive`.
        """
        packed = self._connection.pack_commands(commands)
        self._connection.send_packed_command(packed, check_health=False)

    def receive(self) -> Any:
        """
        Return the next answer, or raise what the server or the network refused.
        """
        return self._connection.read_response()

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
