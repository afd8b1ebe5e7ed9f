"""
Where does PostgreSQL come from?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from ormcache.demo.database import OpenDatabase, RefusedError
from ormcache.errors import ConfigurationError
from ormcache.testing import servers

from .database import postgresql

__all__ = ["serve"]

_COUNTING = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_planning": "on",
}


@contextmanager
def serve(
    url: str | None, sources: tuple[servers.Source, ...], tell: Callable[[str], object]
) -> Iterator[OpenDatabase]:
    """
    Within the block there is a PostgreSQL, that of the user's *url* or one of ours.

    Raises:
        ConfigurationError: The URL is wrong.
        RefusedError: The database refused something within the block.
        ServerUnavailable: No server could be had.
    """
    try:
        if url is not None:
            given = _postgresql(url)
            tell(f"PostgreSQL at {given.host or 'the default address'}, from --database-url")
            yield partial(postgresql, given, private=False)
            return
        with servers.postgres(settings=_COUNTING, sources=sources) as server:
            tell(server.description)
            private = server.source != "environment"
            yield partial(postgresql, _postgresql(server.url), private=private)
    except DBAPIError as exc:
        raise RefusedError(f"the database refused: {str(exc.orig).strip()}") from exc


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
            f"pg_stat_statements, or MongoDB, with --mongo; --database-url is for "
            f"{url.get_backend_name()}"
        )
    return url.set(drivername="postgresql+psycopg")
