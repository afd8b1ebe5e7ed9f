"""
What does a transaction on this connection see, and when does a statement commit itself?
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from ormcache.freshness import Snapshot

from .sessionstate import Local

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.pool import PoolProxiedConnection

    from .attached import Attached
    from .connectionstate import ConnectionState

__all__ = [
    "Level",
    "autocommits",
    "begins_nothing",
    "level_of",
    "meaning_of_local",
    "none_open",
    "reads_snapshot",
]

_BEGINS_IN_SQLITE = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


class Level(Enum):
    """
    What matters of an isolation level.
    """

    STATEMENT = "each statement sees the latest commit"
    SNAPSHOT = "the first statement fixes what the transaction sees"
    CHOSEN_SNAPSHOT = "the same, and the user asked for it"
    NEVER = "not to be cached"


def level_of(attached: Attached, connection: Connection, state: ConnectionState) -> Level:
    """
    Return what a transaction on *connection* sees; needs no database connection to be open.

    SERIALIZABLE is never cached: a server that looks for conflicts must see the reads, and a hit
    would hide one from it.
    """
    chosen = connection._execution_options.get("isolation_level")
    chosen = chosen or attached.dialect._on_connect_isolation_level
    schema = state.schema or attached.main
    if chosen is None:
        level = schema.identity.isolation if schema is not None else ""
    else:
        level = str(chosen).upper().replace("_", " ")
    if attached.dialect.name == "sqlite":
        # Whatever SQLite calls it: a transaction that has begun reads from one snapshot.
        return Level.STATEMENT if level == "AUTOCOMMIT" else Level.SNAPSHOT
    match level:
        case "READ COMMITTED" | "AUTOCOMMIT":
            return Level.STATEMENT
        case "REPEATABLE READ":
            return Level.SNAPSHOT if chosen is None else Level.CHOSEN_SNAPSHOT
        case _:
            return Level.NEVER


def reads_snapshot(
    attached: Attached, connection: Connection, state: ConnectionState
) -> Snapshot | None:
    """
    Return the snapshot of the transaction in progress, a new one for its first statement.
    """
    if level_of(attached, connection, state) not in (Level.SNAPSHOT, Level.CHOSEN_SNAPSHOT):
        return None
    if state.snapshot is None:
        state.snapshot = Snapshot()
        # What it has written, it has sent: only MySQL takes the snapshot at the first read.
        wrote = bool(state.touched) and attached.dialect.name not in ("mysql", "mariadb")
        state.snapshot.taken = wrote or state.asked
    return state.snapshot


def autocommits(connection: Connection, state: ConnectionState) -> bool:
    """
    Return whether a statement sent now is its own transaction.
    """
    pooled = connection.connection
    if state.manual:
        # Unless what failed has ended it: an `INSERT OR ROLLBACK`, of which SQLite's driver tells.
        return (
            connection.dialect.name == "sqlite"
            and _commits_each(_sqlite3(pooled))
            and none_open(pooled)
        )
    if connection._is_autocommit_isolation():
        return True
    if connection.dialect.name == "sqlite":
        return _commits_each(_sqlite3(pooled)) and none_open(pooled)
    dbapi: Any = pooled.dbapi_connection
    getter = getattr(dbapi, "get_autocommit", None)
    if getter is not None:
        return bool(getter())
    if connection.dialect.driver == "mysqlconnector" and dbapi.in_transaction:
        return False  # its `autocommit` asks the server
    return getattr(dbapi, "autocommit", False) is True


def meaning_of_local(connection: Connection, state: ConnectionState) -> Local:
    """
    Return how long a setting holds that is said to be LOCAL now.
    """
    if connection.dialect.name in ("mysql", "mariadb"):
        return Local.SESSION
    return Local.NOTHING if autocommits(connection, state) else Local.TRANSACTION


def begins_nothing(connection: Connection, statement: str) -> bool:
    """
    Return whether a write is its own transaction because SQLite's driver sends no BEGIN for it.

    The driver looks at the first word only: `WITH … UPDATE` and DDL commit themselves unless a
    transaction is open already.
    """
    if connection.dialect.name != "sqlite" or _BEGINS_IN_SQLITE.match(statement):
        return False
    return none_open(connection.connection)


def none_open(pooled: PoolProxiedConnection) -> bool:
    """
    Return whether SQLite's driver says that no transaction is open.
    """
    try:
        return not getattr(_sqlite3(pooled), "in_transaction", True)
    except Exception:  # noqa: BLE001 - closed: each driver has an error of its own for it
        return False


def _sqlite3(pooled: PoolProxiedConnection) -> Any:
    driver = pooled.driver_connection
    return getattr(driver, "_conn", driver)  # that of aiosqlite wraps one of sqlite3


def _commits_each(driver: Any) -> bool:
    if getattr(driver, "isolation_level", "") is None:
        return True
    try:
        return getattr(driver, "autocommit", None) is True
    except driver.ProgrammingError:
        # An in-memory database of aiosqlite, which tells only its own thread. What was committed
        # unnoticed is found when it is to be rolled back.
        return False
