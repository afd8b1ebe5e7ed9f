"""
Which databases and which store are tortured?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from ormcache.errors import ConfigurationError
from ormcache.testing import servers
from ormcache.testing.torture.faults import FAULTS, Fault
from ormcache.testing.torture.worker import is_mongo

__all__ = ["Stack", "stack"]

_SOURCES: tuple[servers.Source, ...] = ("environment", "wheel", "docker", "binary", "apt")
_NAMES = {
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
}
_ABANDONED = {"transactionLifetimeLimitSeconds": "3"}
"""MongoDB does not notice that a client was killed: its transaction goes on until this is over."""


@dataclass(frozen=True)
class Stack:
    """
    What the applications are given.
    """

    databases: Mapping[str, str]
    """URLs by the name for the report."""
    store_url: str
    own_store: servers.Server | None
    namespace: str
    descriptions: list[str]

    def possible(self, names: Sequence[str]) -> list[Fault]:
        """
        Return the faults of these names, by default all, that can be done here.
        """
        known = {fault.name for fault in FAULTS}
        for name in names:
            if name not in known:
                raise ConfigurationError.unknown("fault", name, known)
        wanted = [fault for fault in FAULTS if not names or fault.name in names]
        found = [fault for fault in wanted if self._possible(fault)]
        if not found:
            raise ConfigurationError(
                "none of these faults can be done here: some need a store that the torture starts "
                "itself, so leave --store out; others a redis:// URL with a host and a port"
            )
        return found

    def _possible(self, fault: Fault) -> bool:
        if fault.own_store:
            return self.own_store is not None
        return fault.act == "direct" or urlsplit(self.store_url).scheme in ("redis", "valkey")


@contextmanager
def stack(
    databases: Sequence[str], store: str | None, tell: Callable[[str], object]
) -> Iterator[Stack]:
    """
    Within the block there are databases and a store: those given, or servers of ours.

    Raises:
        ConfigurationError: A URL is wrong.
        ServerUnavailable: A server could not be had.
    """
    descriptions: list[str] = []

    def describe(text: str) -> None:
        descriptions.append(text)
        tell(text)

    if store is not None and store.startswith("memory:"):
        raise ConfigurationError(
            "--store must name a server: memory:// is shared with no other process"
        )
    with ExitStack() as stack:
        named = _named(databases) if databases else _own_databases(stack, describe)
        own = None
        if store is None:
            own = stack.enter_context(servers.redis(persist=True, sources=_SOURCES))
            describe(own.description)
        url = own.url if own is not None else str(store)
        harmed = own if own is not None and own.can_restart else None
        yield Stack(named, url, harmed, f"torture-{uuid4().hex[:8]}", descriptions)


def _own_databases(stack: ExitStack, describe: Callable[[str], object]) -> dict[str, str]:
    named = {}
    starts: dict[str, Callable[[], servers.Server]] = {
        "PostgreSQL": lambda: servers.postgres(sources=_SOURCES),
        "MariaDB": lambda: servers.mysql(sources=_SOURCES),
        "MongoDB": lambda: servers.mongodb(sources=_SOURCES, settings=_ABANDONED),
    }
    for name, start in starts.items():
        server = stack.enter_context(start())
        describe(server.description)
        named[name] = server.create_database("torture")
    return named


def _named(databases: Sequence[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for url in databases:
        name = "MongoDB" if is_mongo(url) else _NAMES.get(url.partition(":")[0].partition("+")[0])
        if name is None:
            raise ConfigurationError(
                "--database takes the URL of a PostgreSQL, MySQL, MariaDB or MongoDB, such as "
                "postgresql://user:password@host/database"
            )
        count = sum(known.partition(" ")[0] == name for known in named)
        named[f"{name} {count + 1}" if count else name] = url
    return named
