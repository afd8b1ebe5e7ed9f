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

__all__ = ["Address", "check_signs", "read_address"]


_MALFORMED = "the Redis URL is malformed: check the host, the port, and that signs are %-quoted"


class Address(NamedTuple):
    """
    How to connect: the kind of socket, the arguments of the client's connection, and a text for
    people that holds no password.
    """

    kind: Literal["tcp", "tls", "unix"]
    arguments: dict[str, Any]
    text: str


def _database(text: str) -> int:
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


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "client_name": str,
    "db": _database,
    "password": str,
    "username": str,
}
_TLS_OPTIONS: dict[str, Callable[[str], Any]] = {
    **_OPTIONS,
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
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Its text may hold a piece of the password, where a sign in that was not quoted.
        raise ConfigurationError(_MALFORMED) from None
    if parts.fragment:
        msg = "a Redis URL has no '#' part; write %23 for a '#' in the user name or password"
        raise ConfigurationError(msg)
    arguments = _credentials(parts)
    if parts.scheme == "unix":
        return _unix(parts, arguments | _query(parts, _OPTIONS))
    tls = parts.scheme == "rediss"
    arguments |= {"host": unquote(parts.hostname or "localhost"), "port": port or 6379}
    if database := parts.path.strip("/"):
        arguments["db"] = _database(database)
    if tls:
        arguments["ssl_check_hostname"] = True
    arguments |= _query(parts, _TLS_OPTIONS if tls else _OPTIONS)
    if arguments.get("ssl_cert_reqs") == "none":
        arguments["ssl_check_hostname"] = False
    text = f"{arguments['host']}:{arguments['port']}/{arguments.get('db', 0)}"
    return Address("tls" if tls else "tcp", arguments, text)


def _unix(parts: SplitResult, arguments: dict[str, Any]) -> Address:
    path = unquote(parts.path)
    if not path.strip("/"):
        msg = "a unix:// URL needs the path of the socket, such as unix:///run/redis/redis.sock"
        raise ConfigurationError(msg)
    return Address(
        "unix", {**arguments, "path": path}, f"{path}, database {arguments.get('db', 0)}"
    )


def _credentials(parts: SplitResult) -> dict[str, Any]:
    given = {"username": parts.username, "password": parts.password}
    return {name: unquote(value) for name, value in given.items() if value}


def _query(parts: SplitResult, readers: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    said = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in readers:
            raise ConfigurationError.unknown("option in the Redis URL", name, readers)
        said[name] = readers[name](value)
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
