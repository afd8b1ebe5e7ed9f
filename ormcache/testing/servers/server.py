"""
What does someone hold who asked for a server?
"""

import re
import secrets
from types import TracebackType
from typing import Literal, NoReturn, Protocol, Self
from urllib.parse import urlsplit

from ormcache.testing.servers.errors import ServerNotOurs
from ormcache.testing.servers.product import Product

Source = Literal["environment", "docker", "wheel", "binary", "apt"]


class Host(Protocol):
    """
    What a server runs in: a private process, a container, or a place we know nothing of.
    """

    def stop(self) -> None:
        """
        Ends the server and keeps its data.
        """

    def start(self) -> None:
        """
        Starts it again at the same address; returns when it is ready.
        """

    def pause(self) -> None:
        """
        Freezes it: connections stay open and nothing answers.
        """

    def resume(self) -> None:
        """
        Lets it go on.
        """

    def close(self) -> None:
        """
        Ends it for good and leaves nothing behind.
        """


class Borrowed:
    """
    The host of a server that someone else runs.
    """

    def __init__(self, product: Product) -> None:
        self._product = product

    def stop(self) -> None:
        self._refuse("stopped")

    def start(self) -> None:
        self._refuse("started")

    def pause(self) -> None:
        self._refuse("paused")

    def resume(self) -> None:
        self._refuse("resumed")

    def close(self) -> None:
        """
        Leaves the server alone.
        """

    def _refuse(self, done: str) -> NoReturn:
        variable = self._product.variable
        raise ServerNotOurs(
            f"the {self._product.title} server that {variable} names is not ours to be {done}; "
            f"unset {variable} to get a private one"
        )


class Server:
    """
    A real server; as a context manager it is closed at the end of the block.

    Attributes:
        url: where it is, without the name of a driver
        source: where it came from
        description: what it is, in words for a person; holds no password
        can_restart: whether `stop`, `start`, `pause` and `resume` work
        host: what it runs in
    """

    def __init__(
        self, product: Product, host: Host, url: str, source: Source, description: str
    ) -> None:
        self.url = url
        self.source: Source = source
        self.description = description
        self.can_restart = source != "environment"
        self._product = product
        self.host = host
        self._created: list[str] = []

    def stop(self) -> None:
        """
        Stops the server; its data and its port are kept for `start`.
        """
        self.host.stop()

    def start(self) -> None:
        """
        Starts a stopped server on the same port; returns when it is ready.
        """
        self.host.start()

    def pause(self) -> None:
        """
        Freezes the server: connections stay open and nothing answers, as in many outages.
        """
        self.host.pause()

    def resume(self) -> None:
        """
        Lets a paused server go on where it stood.
        """
        self.host.resume()

    def create_database(self, name: str) -> str:
        """
        The URL of a fresh, empty database on this server.

        A private server makes `name` anew, dropping what had that name. On a server from the
        environment the name gets a random ending, and the database is dropped by `close`. Redis
        databases have no names: a private server gives the next number, and a server from the
        environment the database it was configured with, because others may use the rest.

        Args:
            name: lower-case letters, digits and underscores, beginning with a letter
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name):
            raise ValueError(
                f"{name!r} is no name for a database: use up to 41 lower-case letters, digits "
                "and underscores, beginning with a letter"
            )
        if self.can_restart:
            return self._product.create_database(self.url, name)
        if not self._product.databases_are_ours:
            return self.url
        name = f"{name}_{secrets.token_hex(4)}"
        self._created.append(name)
        return self._product.create_database(self.url, name)

    def close(self) -> None:
        """
        Stops the server and removes its data; a server from the environment goes on running.
        """
        try:
            while self._created:
                self._product.drop_database(self.url, self._created.pop())
        finally:
            self.host.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        address = urlsplit(self.url).netloc.rpartition("@")[2]
        return f"<Server {self.description} at {address}>"
