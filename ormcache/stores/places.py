"""
Where are the servers that a URL of several names, and is the URL right?

    redis+sentinel://host1:26379,host2:26379/service/0     whichever server the sentinels name
    redis+cluster://host1:6379,host2:6379                  every node that these know

`rediss+…` is the same over TLS, sentinels included; `valkey+…` is the same as `redis+…`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote

from ormcache.errors import ConfigurationError
from ormcache.stores.address import (
    OPTIONS,
    TLS_OPTIONS,
    Address,
    credentials,
    database_number,
    options_of,
    read_address,
    split,
)

__all__ = ["Cluster", "Node", "Place", "Sentinels", "read_place"]

Node = tuple[str, int]
"""
The host and the port of one of several servers.
"""

_HOST = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]+)(?::(\d{1,5}))?")
_LOGIN = ("username", "password")
_SENTINEL_LOGIN: dict[str, Callable[[str], Any]] = {
    "sentinel_password": str,
    "sentinel_username": str,
}


class Sentinels(NamedTuple):
    """
    The sentinels, what they call the service, and how to connect to whoever they name.
    """

    sentinels: tuple[Address, ...]
    service: str
    arguments: dict[str, Any]
    tls: bool
    replicas: int = 0

    @property
    def text(self) -> str:
        """
        The place for people, without a password.
        """
        return f"{self.service} of {', '.join(each.text for each in self.sentinels)}"

    def at(self, node: Node) -> Address:
        """
        Return how to connect to the primary at *node*.
        """
        host, port = node
        database = self.arguments.get("db", 0)
        text = f"{host}:{port}/{database}, {self.service}"
        return Address(
            "tls" if self.tls else "tcp", {**self.arguments, "host": host, "port": port}, text
        )


class Cluster(NamedTuple):
    """
    The nodes that are asked first, and how to connect to any.
    """

    seeds: tuple[Node, ...]
    arguments: dict[str, Any]
    tls: bool
    replicas: int = 0

    @property
    def text(self) -> str:
        """
        The place for people, without a password.
        """
        return "the cluster of " + ", ".join(f"{host}:{port}" for host, port in self.seeds)

    def at(self, node: Node) -> Address:
        """
        Return how to connect to *node*.
        """
        host, port = node
        return Address(
            "tls" if self.tls else "tcp",
            {**self.arguments, "host": host, "port": port},
            f"{host}:{port}",
            clustered=True,
        )


Place = Address | Sentinels | Cluster
"""
What a URL names: one server, or several that take each other's places.
"""


def read_place(url: str) -> Place:
    """
    Return what the URL of a Redis or Valkey store says.

    Raises:
        ConfigurationError: Some part of it is wrong; the message never shows a password.
    """
    scheme, _, kind = url.partition("://")[0].lower().partition("+")
    if not kind:
        return read_address(url)
    parts = split(url)
    tls = scheme == "rediss"
    return _sentinels(parts, tls=tls) if kind == "sentinel" else _cluster(parts, tls=tls)


def _sentinels(parts: SplitResult, *, tls: bool) -> Sentinels:
    readers = TLS_OPTIONS if tls else OPTIONS
    said = credentials(parts) | options_of(parts, readers | _SENTINEL_LOGIN)
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        msg = "a Sentinel URL names the service: redis+sentinel://host:26379/service/0"
        raise ConfigurationError(msg)
    if database:
        said["db"] = database_number(database)
    replicas = said.pop("wait_replicas", 0)
    own = {name: said.pop(f"sentinel_{name}", None) for name in _LOGIN}
    # The servers' login and database are none of the sentinels'.
    asked = {name: value for name, value in said.items() if name not in (*_LOGIN, "db")}
    asked |= {name: value for name, value in own.items() if value}
    sentinels = tuple(
        Address("tls" if tls else "tcp", {**asked, "host": host, "port": port}, f"{host}:{port}")
        for host, port in _nodes(parts, 26379)
    )
    return Sentinels(sentinels, unquote(service), said, tls, replicas)


def _cluster(parts: SplitResult, *, tls: bool) -> Cluster:
    said = credentials(parts) | options_of(parts, TLS_OPTIONS if tls else OPTIONS)
    if parts.path.strip("/") not in ("", "0") or said.pop("db", 0):
        msg = "a Redis cluster has database 0 only: leave the database out of its URL"
        raise ConfigurationError(msg)
    replicas = said.pop("wait_replicas", 0)
    return Cluster(_nodes(parts, 6379), said, tls, replicas)


def _nodes(parts: SplitResult, usual_port: int) -> tuple[Node, ...]:
    nodes = []
    for place in parts.netloc.rpartition("@")[2].split(","):
        found = _HOST.fullmatch(place.strip())
        if not found or int(found[2] or usual_port) > 65535:
            msg = (
                "the hosts of this Redis URL look like host1:port,host2:port; one of them does not"
            )
            raise ConfigurationError(msg)
        nodes.append((unquote(found[1].strip("[]")), int(found[2] or usual_port)))
    return tuple(nodes)
