"""
What do we know about one enabled engine?

One object per dialect, which an engine shares with every engine derived from it by
`execution_options()`; so a write through any of them is seen.
"""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ormcache.errors import ConfigurationError

from .bridge import AwaitedStore, AwaitedWaiting
from .catalog import Catalog
from .connectionstate import ConnectionState
from .facts import Kind
from .identity import Identity, establish_identity, has_own_creator
from .options import options_key, our_options
from .plan import Plan, column_layout, make_plan
from .schema import KnownSchema
from .sqltext import analyze

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.interfaces import Compiled
    from sqlalchemy.pool import PoolProxiedConnection

    from ormcache.cache import Cache
    from ormcache.drive import Performer
    from ormcache.model import Scope
    from ormcache.protocols import Store

__all__ = ["Attached", "attached_to"]

log = logging.getLogger("ormcache")

_STATE = "ormcache"
_ATTRIBUTE = "_ormcache"
_PLANS_PER_TEXT = 1024
_MOST_SCHEMAS = 256


def attached_to(engine: Engine) -> Attached | None:
    """
    Return what is known of an enabled engine, or None for any other.
    """
    found: Attached | None = getattr(engine.dialect, _ATTRIBUTE, None)
    return found


class Attached:
    """
    The identity, the catalog and the statement plans of one engine.
    """

    def __init__(self, cache: Cache, engine: Engine) -> None:
        self.cache = cache
        self.engine = engine
        self.dialect = engine.dialect
        self.core_reads = False
        """Whether reads outside of an enabled session are cached too."""
        self.main: KnownSchema | None = None
        """That of the first connection; a hit without a connection relies on it."""
        self.varies = False
        """Whether two connections of this engine turned out to be different databases."""
        self._schemas: dict[Identity, KnownSchema] = {}
        self.users = 0
        """How many enabled targets rely on this."""
        self.hooks: Any = None
        self._plans: WeakKeyDictionary[Compiled, dict[object, tuple[object, Plan]]] = (
            WeakKeyDictionary()
        )
        self._text_plans: dict[object, tuple[object, Plan]] = {}
        self._warned: set[str] = set()
        self._awaited = AwaitedStore(cache) if engine.dialect.is_async else None
        self._waiting = AwaitedWaiting(cache.async_waiting) if self._awaited else cache.waiting
        if self._awaited is not None and cache.async_store is None:
            msg = f"an async engine needs an asynchronous store; pass async_store= beside {cache!r}"
            raise ConfigurationError(msg)
        setattr(engine.dialect, _ATTRIBUTE, self)

    def __repr__(self) -> str:
        return f"<Attached {self.dialect.name} {self.main!r} varies={self.varies}>"

    def detach(self) -> None:
        """
        Forget the engine.
        """
        delattr(self.dialect, _ATTRIBUTE)

    # -- the store ---------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """
        The cache's store, as connections of this engine may ask it.
        """
        return self._awaited or self.cache.store

    def performer(self, database: Callable[[], object]) -> Performer:
        """
        Return what carries out the effects of one read or write.
        """
        return self.cache.performer(database, self.store, self._waiting)

    def commit(
        self,
        scopes: frozenset[Scope],
        connection: PoolProxiedConnection,
        database: Callable[[], object],
        *,
        may_refuse: bool = True,
    ) -> None:
        """
        Let *database* make what was changed on *connection* permanent.
        """
        error = self.dialect.loaded_dbapi.Error

        def refused(exc: BaseException) -> bool:
            # A connection that broke, or a task that was cancelled, has not heard the answer.
            return isinstance(exc, error) and not self.dialect.is_disconnect(exc, connection, None)

        self.cache.commit(
            scopes, database, refused=refused, store=self.store, may_refuse=may_refuse
        )

    # -- connections -------------------------------------------------------------------------

    def may_wait(self, engine: Engine) -> bool:
        """
        Return whether a connection of *engine* may be opened only when it is needed.

        Not while anybody listens for connections or transactions to begin: what they tell the
        connection (a tenant, a role, a search path) changes what its statements mean. Nor where
        the application makes the connections: each may lead to another database.
        """
        if self.main is None or self.main.stale or self.varies:
            return False
        if self.main.identity.alone or self.main.identity.problem is not None:
            return False
        if self.cache.trust_listeners:
            return True
        listened = (
            engine.dispatch.engine_connect or engine.dispatch.begin or engine.pool.dispatch.checkout
        )
        return not listened and not self._connects_by_itself(engine)

    def _connects_by_itself(self, engine: Engine) -> bool:
        """
        Return whether the application decides for each connection where it leads.
        """
        return bool(self.dialect.dispatch.do_connect) or has_own_creator(engine)

    def distrusted(self, engine: Engine) -> str | None:
        """
        Return which listener may change a statement's meaning out of our sight, or None.
        """
        if self.cache.trust_listeners:
            return None
        if engine.pool.dispatch.checkout:
            return "a pool 'checkout' listener"
        # SQLAlchemy wraps the listeners that cannot replace the statement.
        if any(
            getattr(fn, "__name__", "") != "wrap_before_cursor_execute"
            for fn in engine.dispatch.before_cursor_execute
        ):
            return "a 'before_cursor_execute' listener that may rewrite SQL"
        return None

    def known_state(self, connection: PoolProxiedConnection) -> ConnectionState | None:
        """
        Return the state of a physical connection if something has happened on it.
        """
        try:
            state: ConnectionState | None = connection.info.get(_STATE)
        except (AttributeError, NotImplementedError):
            return None  # not pooled: SQLAlchemy's own first connection to a server, or none yet
        return state

    def state_of(self, connection: PoolProxiedConnection) -> ConnectionState | None:
        """
        Return the state of a physical connection; asks the server who it is the first time.

        None for a connection that SQLAlchemy made for its own first questions.
        """
        state = self.known_state(connection)
        if state is not None and state.schema is not None:
            return state
        try:
            state = connection.info.get(_STATE) or ConnectionState()
            connection.info[_STATE] = state
        except (AttributeError, NotImplementedError):
            return None
        state.asks()
        identity = establish_identity(self.engine, query_on(connection))
        state.schema = self._schema_of(identity)
        if self.main is None:
            self.main = state.schema
        elif self.main is not state.schema:
            self.varies = True
        return state

    def welcome(self, connection: PoolProxiedConnection) -> ConnectionState | None:
        """
        A connection was checked out and no transaction of the application has begun on it.

        A server that refuses our questions refuses the application's first statement too: that
        is where the application expects the error.
        """
        try:
            if self.known_state(connection) is None:
                # What a listener to 'connect' said and did not commit ends below, with our
                # questions: who asks before that hears of a role that the connection then loses.
                connection.rollback()
            state = self.state_of(connection)
            if state is not None and state.schema is not None and state.schema.stale:
                self._load(state, connection)
        except self.dialect.loaded_dbapi.Error as exc:
            log.warning("ormcache cannot ask a new connection who it is: %s", type(exc).__name__)
            state = self.known_state(connection)
        if state is not None and state.asked:
            with contextlib.suppress(self.dialect.loaded_dbapi.Error):
                connection.rollback()
            state.asked = False
        return state

    def schema_changed(self) -> None:
        """
        Somebody changed the schema, or may have: views, cascades and names must be read again.
        """
        for schema in list(self._schemas.values()):
            schema.changed()

    def _schema_of(self, identity: Identity) -> KnownSchema:
        # Atomic steps, so no lock that a fork could leave locked.
        if identity not in self._schemas and len(self._schemas) >= _MOST_SCHEMAS:
            oldest, *_ = self._schemas
            self._schemas.pop(oldest, None)
        return self._schemas.setdefault(identity, KnownSchema(identity))

    def _load(self, state: ConnectionState, connection: PoolProxiedConnection) -> Catalog:
        assert state.schema is not None
        state.asks()
        return state.schema.load(self.cache, self.store, self.dialect.name, query_on(connection))

    # -- statements --------------------------------------------------------------------------

    def plan(
        self,
        sql: str,
        compiled: Compiled | None,
        options: Mapping[str, Any],
        state: ConnectionState,
        connection: PoolProxiedConnection | None,
    ) -> Plan | None:
        """
        Return the plan of a statement; None where the catalog would be needed and cannot be read.

        Raises:
            ConfigurationError: The statement's options are wrong.
        """
        ours = our_options(options)
        schema = state.schema or self.main
        if schema is None:
            return None
        catalog = schema.catalog
        if catalog is None or (schema.stale and connection is not None):
            if connection is None:
                return None
            catalog = self._load(state, connection)
        any_schema = state.session.unknown is not None or "search_path" in state.session.settings
        version = (self.cache.policies().generation, schema.identity, any_schema)
        plans = self._text_plans if compiled is None else self._plans.setdefault(compiled, {})
        key = (sql if compiled is None else _translation(options), options_key(ours))
        known = plans.get(key)
        # Not an equal catalog: what a read fills must have been planned by the one relied on.
        if known is not None and known[0] == version and known[1].catalog is catalog:
            return known[1]
        made = self._make(sql, compiled, ours, schema.identity, catalog, any_schema)
        if len(plans) >= _PLANS_PER_TEXT:
            plans.clear()
        plans[key] = (version, made)
        return made

    def _make(
        self,
        sql: str,
        compiled: Compiled | None,
        options: dict[str, Any],
        identity: Identity,
        catalog: Catalog,
        any_schema: bool,  # noqa: FBT001 - passed through
    ) -> Plan:
        facts = analyze(sql, self.dialect.name, self.dialect.paramstyle)
        plan = make_plan(
            facts,
            options,
            identity,
            catalog,
            self.cache.policies(),
            column_layout(compiled),
            any_schema=any_schema,
        )
        for column in plan.slicing.unsliced:
            self.warn_once(
                f"ormcache cannot slice {column}, so changes are not told apart by it: the column "
                "is missing, is no whole number or UUID of the database's, or is computed; or the "
                "table has triggers, partitions or rows that cascade to each other"
            )
        if facts.kind is Kind.UNKNOWN and facts.writes is None and not options:
            self.warn_once(
                "ormcache cannot tell what a statement changes and invalidates the whole "
                "database; declare its tables with execution_options(ormcache_tables=[...]). "
                f"It begins with {_first_word(sql)!r}"
            )
        return plan

    def warn_once(self, message: str) -> None:
        """
        Log a warning the first time.
        """
        if message not in self._warned and len(self._warned) < _PLANS_PER_TEXT:
            self._warned.add(message)
            log.warning(message)


def _first_word(sql: str) -> str:
    # Letters only: what follows at once may be a value, in quotes or after a bracket.
    found = re.match(r"\s*([A-Za-z_]{1,20})", sql)
    return found[1] if found else ""


def _translation(options: Mapping[str, Any]) -> object:
    names = options.get("schema_translate_map")
    return tuple(sorted(names.items(), key=repr)) if names else None


def query_on(connection: PoolProxiedConnection) -> Any:
    def query(sql: str) -> list[tuple[Any, ...]]:
        cursor = connection.cursor()
        try:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    return query
