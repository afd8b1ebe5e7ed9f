"""
Where does MongoDB come from?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pymongo.errors import ConfigurationError as WrongURL, InvalidURI, PyMongoError

from ormcache.demo.database import OpenDatabase, RefusedError
from ormcache.errors import ConfigurationError
from ormcache.testing import servers

from .database import connected, mongodb

__all__ = ["serve"]

_SCHEMES = ("mongodb://", "mongodb+srv://")


@contextmanager
def serve(
    url: str | None, sources: tuple[servers.Source, ...], tell: Callable[[str], object]
) -> Iterator[OpenDatabase]:
    """
    Within the block there is a MongoDB, that of the user's *url* or one of ours.

    Raises:
        ConfigurationError: The URL is wrong.
        RefusedError: The database refused something within the block, or did not answer.
        ServerUnavailable: No server could be had.
    """
    try:
        if url is not None:
            _check(url)
            tell("MongoDB from --database-url")
            yield partial(mongodb, url)
            return
        with servers.mongodb(sources=sources) as server:
            tell(server.description)
            yield partial(mongodb, server.url)
    except PyMongoError as exc:
        # What follows the first comma describes every server of the deployment.
        reason = str(exc).partition(", Timeout:")[0].partition(", full error:")[0]
        raise RefusedError(f"the database refused: {reason}") from exc


def _check(url: str) -> None:
    if not url.startswith(_SCHEMES):
        raise ConfigurationError(
            "with --mongo, --database-url looks like mongodb://user:password@host:27017"
        )
    try:
        connected(url, connect=False).close()
    except (InvalidURI, WrongURL, ValueError):
        # Its text may hold a password.
        raise ConfigurationError(
            "--database-url is not a URL that PyMongo takes; it looks like "
            "mongodb://user:password@host:27017, with % encoded as in other URLs"
        ) from None
