"""
What do we know about one enabled engine?

One object per dialect, which an engine shares with every engine derived from it by
`execution_options()`; so a write through any of them is seen.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ormcache.effects import Effect, Fetch, Save
from ormcache.errors import StoreError
from ormcache.model import Fetched, database_scope, table_scope

from .catalog import Catalog, load_catalog
from .connectionstate import ConnectionState
from .identity import Identity, establish_identity
from .options import options_key, our_options
from .plan import Plan, column_layout, make_plan
from .sqltext import analyze

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.interfaces import Compiled
    from sqlalchemy.pool import PoolProxiedConnection

    from ormcache.cache import Cache
    from ormcache.model import Scope, Token, TokenState

__all__ = ["Attached", "attached_to"]

log = logging.getLogger("ormcache")

_STATE = "ormcache"
_ATTRIBUTE = "_ormcache"
_PLANS_PER_TEXT = 1024


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
        self.identity: Identity | None = None
        """That of the first connection; a hit without a connection relies on it."""
        self.varies = False
        """Whether two connections of this engine had different identities."""
        self.catalog: Catalog | None = None
        self.tracked: tuple[Scope, ...] = ()
        """Every scope that a cacheable read depended on, for snapshot vectors."""
        self._schema_token: Token | None = None
        self._stale = False
        self.users = 0
        """How many enabled targets rely on this."""
        self.hooks: Any = None
        self._lock = threading.Lock()
        self._plans: WeakKeyDictionary[Compiled, dict[object, tuple[object, Plan]]] = (
            WeakKeyDictionary()
        )
        self._text_plans: dict[object, tuple[object, Plan]] = {}
        self._warned: set[str] = set()
        setattr(engine.dialect, _ATTRIBUTE, self)

    def __repr__(self) -> str:
        state = "unknown" if self.identity is None else self.identity.database
        return f"<Attached {self.dialect.name} database={state} tracked={len(self.tracked)}>"

    def detach(self) -> None:
        """
        Forget the engine.
        """
        delattr(self.dialect, _ATTRIBUTE)

    # -- connections -------------------------------------------------------------------------

    def may_wait(self, engine: Engine) -> bool:
        """
        Return whether a connection of *engine* may be opened only when it is needed.

        Not while anybody listens for connections or transactions to begin: what they tell the
        connection (a tenant, a role, a search path) changes what its statements mean.
        """
        if self.identity is None or self.varies or self._stale or self.identity.alone:
            return False
        if self.identity.problem is not None:
            return False
        if self.cache.trust_listeners:
            return True
        return not (
            engine.dispatch.engine_connect or engine.dispatch.begin or engine.pool.dispatch.checkout
        )

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
            fn.__name__ != "wrap_before_cursor_execute"
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
        if state is not None and state.identity is not None:
            return state
        try:
            state = connection.info.get(_STATE) or ConnectionState()
            connection.info[_STATE] = state
        except (AttributeError, NotImplementedError):
            return None
        state.asks()
        state.identity = establish_identity(self.engine, _query_on(connection))
        if self.identity is None:
            self.identity = state.identity
        elif self.identity != state.identity:
            self.varies = True
        return state

    def welcome(self, connection: PoolProxiedConnection) -> ConnectionState | None:
        """
        A connection was checked out and no transaction of the application has begun on it.
        """
        state = self.state_of(connection)
        if state is None:
            return None
        if self.catalog is None or self._stale:
            self._load_catalog(connection, state)
        if state.asked:
            connection.rollback()
            state.asked = False
        return state

    def _load_catalog(self, connection: PoolProxiedConnection, state: ConnectionState) -> Catalog:
        state.asks()
        # Both before the queries: what changes during them makes the catalog stale again.
        self._stale = False
        if self.identity is not None:
            self._schema_token = self.cache.token_of(database_scope(self.identity.database))
        self.catalog = catalog = load_catalog(self.dialect.name, _query_on(connection))
        self._track_policies(catalog)
        return catalog

    def _track_policies(self, catalog: Catalog) -> None:
        """
        Track the tables that a policy names before anything reads them.

        So the first transaction that reads from a snapshot has them in its vector.
        """
        if self.identity is None:
            return
        policies = self.cache.policies()
        named = {name.rpartition(".")[2] for layer in policies.layers for name in layer}
        database = self.identity.database
        here = [t for t in catalog.tables if t.name in named and t.schema in catalog.search_path]
        self.track(
            (
                database_scope(database),
                *(table_scope(database, t.schema or "", t.name) for t in here),
            )
        )

    # -- the schema --------------------------------------------------------------------------

    def schema_changed(self) -> None:
        """
        Somebody changed the schema, or may have: views, cascades and names must be read again.
        """
        self._stale = True

    def watch_schema(self, perform: Callable[[Effect], object]) -> Callable[[Effect], object]:
        """
        Return *perform*, which on the way learns from the tokens that the schema may have changed.

        DDL and whatever nobody can place give the whole database a new token. What a read depends
        on was then worked out from a catalog that may be no more, so it leaves nothing behind.
        """

        def watching(effect: Effect) -> object:
            if isinstance(effect, Save) and self._stale:
                msg = "the schema may have changed"
                raise StoreError(msg)
            answer = perform(effect)
            if isinstance(effect, Fetch) and isinstance(answer, Fetched):
                self._saw_tokens(effect.scopes, answer.tokens)
            return answer

        return watching

    def _saw_tokens(self, scopes: Sequence[Scope], states: Sequence[TokenState]) -> None:
        if scopes and scopes[0].endswith("/*") and states[0].token != self._schema_token:
            self._stale = True

    def track(self, scopes: Sequence[Scope]) -> None:
        """
        Remember scopes for the snapshot vectors to come.
        """
        if not set(scopes) <= set(self.tracked):
            with self._lock:
                self.tracked = tuple(dict.fromkeys((*self.tracked, *scopes)))

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
        identity = state.identity or self.identity
        catalog = self.catalog
        if identity is None or catalog is None or (self._stale and connection is not None):
            if connection is None:
                return None
            catalog = self._load_catalog(connection, state)
            identity = state.identity or self.identity
            assert identity is not None
        any_schema = state.session.unknown is not None or "search_path" in state.session.settings
        policies = self.cache.policies()
        version = (policies.generation, catalog, identity, any_schema)
        plans = self._text_plans if compiled is None else self._plans.setdefault(compiled, {})
        key = (sql if compiled is None else _translation(options), options_key(ours))
        known = plans.get(key)
        if known is not None and known[0] == version:
            return known[1]
        made = self._make(sql, compiled, ours, identity, catalog, any_schema=any_schema)
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
        *,
        any_schema: bool,
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
        if facts.writes is None and facts.kind.value == "unknown":
            self.warn_once(
                "ormcache cannot tell what a statement changes and invalidates the whole database; "
                f"declare its tables with execution_options(ormcache_tables=[...]): {sql[:200]}"
            )
        return plan

    def warn_once(self, message: str) -> None:
        """
        Log a warning the first time.
        """
        if message not in self._warned and len(self._warned) < _PLANS_PER_TEXT:
            self._warned.add(message)
            log.warning(message)


def _translation(options: Mapping[str, Any]) -> object:
    names = options.get("schema_translate_map")
    return tuple(sorted(names.items(), key=repr)) if names else None


def _query_on(connection: PoolProxiedConnection) -> Any:
    def query(sql: str) -> list[tuple[Any, ...]]:
        cursor = connection.cursor()
        try:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    return query
