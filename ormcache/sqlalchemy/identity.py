"""
Which database is at the other end of this connection, and as whom do we speak to it?

The same URL is not always the same database, and two URLs may be one: the server says who it is.
Asked once per physical connection, with queries that cannot fail for lack of a privilege.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ormcache.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

__all__ = ["Identity", "establish_identity", "has_own_creator"]


_POSTGRESQL = """
SELECT current_database(),
       (SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = current_database()),
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
       current_user::text, session_user::text, pg_catalog.pg_is_in_recovery(),
       current_setting('default_transaction_isolation'),
       concat_ws('|', current_setting('search_path'), current_setting('TimeZone'),
                 current_setting('DateStyle'), current_setting('IntervalStyle'),
                 current_setting('extra_float_digits'), current_setting('bytea_output'),
                 current_setting('client_encoding'), current_setting('lc_monetary'),
                 current_setting('lc_numeric'), current_setting('lc_time'),
                 current_setting('row_security'))
"""

_MYSQL_VARIABLES = (
    # who the server is
    ("server_uuid", "server_uid", "hostname", "port", "datadir"),
    # what changes the meaning or the form of a result
    (
        "character_set_client",
        "character_set_results",
        "collation_connection",
        "div_precision_increment",
        "group_concat_max_len",
        "lc_time_names",
        "sql_mode",
        "sql_select_limit",
        "time_zone",
        "system_time_zone",
    ),
    # may it be written, and what does a transaction see
    ("read_only", "super_read_only", "transaction_isolation", "tx_isolation"),
)

# Arguments of the drivers' `connect` that change what they make of a value.
_CONVERTING = frozenset(
    """
    connection_class connection_factory context conv converter_class converter_str_fallback
    cursor_class cursor_cls cursor_factory cursorclass detect_types factory raw record_class
    row_factory use_unicode
    """.split()
)


@dataclass(frozen=True, slots=True)
class Identity:
    """
    What a server said of itself and of our session.
    """

    database: str
    """An opaque name of server and database, the prefix of every scope."""
    session: str
    """A digest of the user and the settings that change what a statement returns."""
    isolation: str
    """The level a transaction has unless it asks for another, such as `REPEATABLE READ`."""
    problem: str | None = None
    """Why reads of this connection must not be cached; its writes still invalidate."""
    alone: bool = False
    """Whether no other connection can see this database (SQLite in memory)."""


def establish_identity(
    engine: Engine, query: Callable[[str], Sequence[tuple[Any, ...]]]
) -> Identity:
    """
    Return the identity of the database that *query* runs its SQL on.
    """
    name = engine.dialect.name
    if name == "postgresql":
        return _postgresql(engine, query)
    if name in ("mysql", "mariadb"):
        return _mysql(engine, query)
    if name == "sqlite":
        return _sqlite(engine, query)
    database = digest((name, str(engine.url)))[:16]
    return Identity(database, "", "", problem=f"the {name} dialect is not supported")


def _postgresql(engine: Engine, query: Callable[[str], Sequence[tuple[Any, ...]]]) -> Identity:
    name, oid, system, user, login, standby, isolation, settings = query(_POSTGRESQL)[0]
    return Identity(
        database=digest(("postgresql", str(system), str(oid), str(name)))[:16],
        session=digest((str(user), str(login), str(settings), _driver(engine))),
        isolation=_level(isolation),
        # A standby replays with a delay: it would fill the cache with rows older than the tokens.
        problem="the server is a standby" if standby else None,
    )


def _mysql(engine: Engine, query: Callable[[str], Sequence[tuple[Any, ...]]]) -> Identity:
    wanted = ", ".join(f"'{name}'" for group in _MYSQL_VARIABLES for name in group)
    rows = query(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({wanted})")
    said = {_text(name).lower(): _text(value) for name, value in rows}
    database, user = query("SELECT DATABASE(), CURRENT_USER()")[0]
    server, session, _ = ([said.get(name, "") for name in group] for group in _MYSQL_VARIABLES)
    read_only = "ON" in (said.get("read_only"), said.get("super_read_only"))
    return Identity(
        # Databases of one server share their scopes: a statement may name several of them.
        database=digest(("mysql", *server))[:16],
        session=digest((_text(database), _text(user), *session, _driver(engine))),
        isolation=_level(said.get("transaction_isolation") or said.get("tx_isolation") or ""),
        problem="the server is read-only, as a replica is" if read_only else None,
    )


def _sqlite(engine: Engine, query: Callable[[str], Sequence[tuple[Any, ...]]]) -> Identity:
    files = {schema: file for _, schema, file in query("PRAGMA database_list")}
    session = digest((_driver(engine),))
    attached = sorted(set(files) - {"main", "temp"})
    path = files.get("main")
    if not path:
        return _sqlite_in_memory(engine, session)
    stat = os.stat(path)  # noqa: PTH116 - a path of SQLite's, not of ours
    database = digest(("sqlite", os.path.realpath(path), str(stat.st_dev), str(stat.st_ino)))[:16]
    problem = f"database {attached[0]!r} is attached" if attached else None
    return Identity(database, session, "SNAPSHOT", problem)


def _sqlite_in_memory(engine: Engine, session: str) -> Identity:
    plain = engine.url.database in (None, "", ":memory:") and not engine.url.query
    # `cache=shared` makes several connections one database, which SQLite does not tell.
    private = plain and not has_own_creator(engine)
    problem = None if private else "an in-memory database that other connections may share"
    return Identity(uuid4().hex[:16], session, "SNAPSHOT", problem, alone=True)


def has_own_creator(engine: Engine) -> bool:
    """
    Return whether the application passed a `creator`, so that the URL tells nothing.
    """
    creator = getattr(engine.pool, "_creator", None)
    return getattr(creator, "__module__", "") != "sqlalchemy.engine.create"


def _driver(engine: Engine) -> str:
    # Drivers return different types for the same column; so may a JSON deserializer.
    dialect = engine.dialect
    loads = _named(getattr(dialect, "_json_deserializer", None))
    return f"{dialect.name}+{dialect.driver}/{loads}/{_conversions(engine)}"


def _conversions(engine: Engine) -> str:
    """
    Return what the URL and `connect_args` tell the driver about the types of values.
    """
    creator: Any = engine.pool._creator
    if has_own_creator(engine):
        return ""
    cells = dict(zip(creator.__code__.co_freevars, creator.__closure__ or (), strict=True))
    told = cells["cparams"].cell_contents if "cparams" in cells else {}
    return repr([(name, _named(told[name])) for name in sorted(_CONVERTING & told.keys())])


def _named(value: Any) -> str:
    """
    Return a text that is the same for the same setting in another process.
    """
    if isinstance(value, dict):
        return repr(sorted((_named(key), _named(each)) for key, each in value.items()))
    if value is None or isinstance(value, (int, str)):
        return repr(value)
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _level(said: str) -> str:
    return said.upper().replace("-", " ").replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return value.decode()
    return "" if value is None else str(value)
