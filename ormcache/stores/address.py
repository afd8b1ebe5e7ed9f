"""
Where is the Redis that a URL names, and is the URL right?

The client library guesses: it ignores a database that is no number, and lets a query string turn
on options that the store's correctness depends on. So the URL is read here, strictly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ormcache.errors import ConfigurationError

__all__ = [
    "OPTIONS",
    "TLS_OPTIONS",
    "Address",
    "check_signs",
    "credentials",
    "database_number",
    "options_of",
    "read_address",
    "split",
]

_MALFORMED = "the Redis URL is malformed: check the host, the port, and that signs are %-quoted"


class Address(NamedTuple):
    """
    How to connect: the kind of socket, the arguments of the client's connection, a text for
    people that holds no password, whether the server is to be a node of a cluster, and how many
    replicas must have an invalidation before it counts as delivered.
    """

    kind: Literal["tcp", "tls", "unix"]
    arguments: dict[str, Any]
    text: str
    clustered: bool = False
    replicas: int = 0


def database_number(text: str) -> int:
    """
    Return the number of a database.
    """
    if not (text.isascii() and text.isdigit()):
        msg = f"the database of a Redis URL is a number, got {text!r}"
        raise ConfigurationError(msg)
    return int(text)


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        msg = f"ssl_check_hostname of a Redis URL is true or false, got {text!r}"
        raise ConfigurationError(msg)
    return text.lower() == "true"


def _requirement(text: str) -> str:
    if text not in ("required", "optional", "none"):
        msg = f"ssl_cert_reqs of a Redis URL is required, optional or none, got {text!r}"
        raise ConfigurationError(msg)
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        msg = f"wait_replicas of a Redis URL is a number of replicas, got {text!r}"
        raise ConfigurationError(msg)
    return int(text)


OPTIONS: dict[str, Callable[[str], Any]] = {
    "client_name": str,
    "db": database_number,
    "password": str,
    "username": str,
    "wait_replicas": _count,
}
TLS_OPTIONS: dict[str, Callable[[str], Any]] = {
    **OPTIONS,
    "ssl_ca_certs": str,
    "ssl_cert_reqs": _requirement,
    "ssl_certfile": str,
    "ssl_check_hostname": _switch,
    "ssl_keyfile": str,
}


def read_address(url: str) -> Address:
    """
    Return what a `redis://`, `valkey://`, `rediss://` or `unix://` URL says.

    Raises:
        ConfigurationError: Some part of it is wrong; the message never shows the password.
    """
    parts = split(url)
    if parts.scheme == "unix":
        return _unix(parts, credentials(parts) | options_of(parts, OPTIONS))
    try:
        port = parts.port
    except ValueError:
        # Its text may hold a piece of the password, where a sign in that was not quoted.
        raise ConfigurationError(_MALFORMED) from None
    arguments: dict[str, Any] = {
        "host": unquote(parts.hostname or "localhost"),
        "port": port or 6379,
    }
    if database := parts.path.strip("/"):
        arguments["db"] = database_number(database)
    tls = parts.scheme == "rediss"
    arguments |= credentials(parts) | options_of(parts, TLS_OPTIONS if tls else OPTIONS)
    text = f"{arguments['host']}:{arguments['port']}/{arguments.get('db', 0)}"
    replicas = arguments.pop("wait_replicas", 0)
    return Address("tls" if tls else "tcp", arguments, text, replicas=replicas)


def split(url: str) -> SplitResult:
    """
    Return the parts of a Redis URL, or raise `ConfigurationError`.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # Its text may hold a piece of the password, where a sign in that was not quoted.
        raise ConfigurationError(_MALFORMED) from None
    if parts.fragment:
        msg = "a Redis URL has no '#' part; write %23 for a '#' in the user name or password"
        raise ConfigurationError(msg)
    return parts


def _unix(parts: SplitResult, arguments: dict[str, Any]) -> Address:
    path = unquote(parts.path)
    if not path.strip("/"):
        msg = "a unix:// URL needs the path of the socket, such as unix:///run/redis/redis.sock"
        raise ConfigurationError(msg)
    replicas = arguments.pop("wait_replicas", 0)
    text = f"{path}, database {arguments.get('db', 0)}"
    return Address("unix", {**arguments, "path": path}, text, replicas=replicas)


def credentials(parts: SplitResult) -> dict[str, Any]:
    """
    Return the user and the password that stand before the host.
    """
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    given = {"username": user, "password": password}
    return {name: unquote(value) for name, value in given.items() if value}


def options_of(parts: SplitResult, readers: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    """
    Return what the query says; TLS is as strict as can be where it says nothing.
    """
    said: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in readers:
            raise ConfigurationError.unknown("option in the Redis URL", name, readers)
        said[name] = readers[name](value)
    if "ssl_check_hostname" in readers:
        said.setdefault("ssl_check_hostname", True)
        if said.get("ssl_cert_reqs") == "none":
            said["ssl_check_hostname"] = False
    return said


def check_signs(url: str) -> None:
    """
    Refuse a URL in which a piece of the password stands where something else is expected.

    It does, up to the '@', where a '/' or a '?' in the password is not quoted, and an error would
    show what it did not expect.

    Raises:
        ConfigurationError: The URL is malformed.
    """
    before, _, query = url.partition("://")[2].partition("?")
    path = before.partition("/")[2]
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    if any("@" in text for text in (path, *names)):
        raise ConfigurationError(_MALFORMED)
