"""
Would this statement be cached, and why?

The answer is the read path's own: SQLAlchemy builds the statement (see `asking`), and the read is
asked what it would ask the cache for, without being carried out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.orm import Query

from ormcache.errors import ConfigurationError
from ormcache.explanation import Explanation, origins_of
from ormcache.fingerprint import NoIdentityError
from ormcache.model import Reason
from ormcache.policy import Policy
from ormcache.reading import ReadRequest
from ormcache.touched import TouchedScopes

from .advice import NOT_ENABLED, TOO_EARLY, Circumstances, advice
from .asking import Asked, asked, executable
from .attached import Attached, attached_to
from .connection import CachingConnection
from .connectionstate import ConnectionState
from .options import our_options, overridden
from .plan import readable, tables_that_count
from .reads import Read
from .sqltext import without_values
from .targets import engines_of

if TYPE_CHECKING:
    from sqlalchemy.engine.default import DefaultExecutionContext

    from ormcache.cache import Cache
    from ormcache.model import Scope
    from ormcache.policy import Found

    from .attach import Enabled
    from .plan import Plan

__all__ = ["explain"]


def explain(
    cache: Cache, enabled: list[Enabled], statement: Any, parameters: Any, bind: Any
) -> Explanation:
    """
    Return what the cache would do with *statement*; see `Cache.explain`.
    """
    statement = executable(statement)
    if bind is None:
        bind = _usual_bind(statement, enabled)
    try:
        return _explain(cache, statement, parameters, bind)
    except MissingGreenlet as exc:
        msg = (
            "this needs an answer of the database's, such as its catalog; in asynchronous code: "
            "await session.run_sync(lambda s: cache.explain(statement, bind=s))"
        )
        raise ConfigurationError(msg) from exc


def _explain(cache: Cache, statement: Any, parameters: Any, bind: Any) -> Explanation:
    with asked(statement, parameters, bind) as where:
        attached = attached_to(where.connection.engine)
        if attached is None or attached.cache is not cache:
            msg = f"this cache is not enabled on {where.connection.engine!r}; enable it there first"
            raise ConfigurationError(msg)
        explainer = _Explainer(attached, where)
        if where.context is None:
            return explainer.of_change(statement)
        return explainer.of_read(where.context)


class _Explainer:
    def __init__(self, attached: Attached, where: Asked) -> None:
        self._attached = attached
        self._where = where
        self._connection = where.connection
        self._state = _state_of(attached, where.connection)

    def of_read(self, context: DefaultExecutionContext) -> Explanation:
        """
        Explain a query, or a text that may be one.
        """
        plan = self._plan(context.statement, context.compiled, context.execution_options)
        request: ReadRequest | tuple[Reason, str] | None
        with self._once_flushed():
            if not self._where.reads_are_cached:
                request, vary = (Reason.OFF, self._why_not_enabled()), {}
            else:
                assert isinstance(self._connection, CachingConnection)
                read = Read(self._connection, self._attached, context, _never)
                request, vary = read.request(), _vary(read, plan)
            if plan is not None and request is None:
                return self._changing([plan], context.statement)
            return self._reading(context, plan, request, vary)

    def of_change(self, statement: Any) -> Explanation:
        """
        Explain DML or DDL: what it would invalidate.
        """
        given = statement.get_execution_options()
        options = self._connection.get_execution_options().union(given)
        compiled = [self._compiled(each, options) for each in _each_sent(statement)]
        plans = [self._plan(each.string, each, options) for each in compiled]
        return self._changing([plan for plan in plans if plan is not None], compiled[0].string)

    # -- what is known of the statement ------------------------------------------------------

    def _plan(self, sql: str, compiled: Any, options: Mapping[str, Any]) -> Plan | None:
        connection = self._connection
        waits = isinstance(connection, CachingConnection) and not connection.is_open
        pooled = None if waits else connection.connection
        return self._attached.plan(sql, compiled, options, self._state, pooled)

    def _compiled(self, element: Any, options: Mapping[str, Any]) -> Any:
        names = options.get("schema_translate_map")
        return element.compile(
            dialect=self._attached.dialect,
            schema_translate_map=names,
            render_schema_translate=names is not None,
        )

    def _why_not_enabled(self) -> str:
        if not isinstance(self._connection, CachingConnection):
            return TOO_EARLY
        return NOT_ENABLED

    @contextmanager
    def _once_flushed(self) -> Iterator[None]:
        """
        Within the block, the connection's state is what it would be after an autoflush.
        """
        state = self._state
        touched, snapshot = state.touched, state.snapshot
        state.touched = TouchedScopes()
        state.touched.touch(touched.all())
        for table in self._where.flushed:
            compiled = self._compiled(delete(table), {})
            plan = self._plan(compiled.string, compiled, {})
            state.touched.touch(plan.writes if plan is not None else ())
        try:
            yield
        finally:
            # The transaction's first read begins its snapshot; this was none.
            state.touched, state.snapshot = touched, snapshot

    # -- what comes of it --------------------------------------------------------------------

    def _reading(
        self,
        context: DefaultExecutionContext,
        plan: Plan | None,
        request: ReadRequest | tuple[Reason, str] | None,
        vary: Mapping[str, bool],
    ) -> Explanation:
        options = our_options(context.execution_options)
        found = self._found(plan, options)
        served, stored, reason, detail = _verdict(request)
        policy = plan.policy if plan is not None else None
        origins = _origins(policy, found, options)
        listener = self._attached.distrusted(self._connection.engine)
        given = Circumstances(plan, found, origins, vary, self._state, listener)
        return Explanation(
            statement=self._shown(context.statement),
            kind=plan.facts.kind.value if plan is not None else "unknown",
            served=served,
            stored=stored,
            reason=reason,
            detail=detail,
            advice=advice(reason, detail, given) if reason is not None else "",
            tables=plan.tables if plan is not None else (),
            scopes=request.scopes if isinstance(request, ReadRequest) else _whole(plan),
            invalidates=tuple(sorted(plan.writes)) if plan is not None else (),
            policy=policy,
            origins=origins,
            vary=vary,
            key=request.key if isinstance(request, ReadRequest) and (served or stored) else None,
            engine=repr(self._connection.engine),
        )

    def _changing(self, plans: list[Plan], sql: str) -> Explanation:
        written: frozenset[Scope] = frozenset().union(*(plan.writes for plan in plans))
        return Explanation(
            statement=self._shown(sql),
            kind=plans[0].facts.kind.value if plans else "unknown",
            served=False,
            stored=False,
            reason=None,
            detail="",
            advice="",
            tables=tuple(sorted({table for plan in plans for table in plan.tables})),
            scopes=(),
            invalidates=tuple(sorted(written)),
            policy=None,
            origins={},
            vary={},
            key=None,
            engine=repr(self._connection.engine),
        )

    def _found(self, plan: Plan | None, options: dict[str, Any]) -> dict[str, Found | None]:
        if plan is None:
            return {}
        policies = self._attached.cache.policies()
        tables = sorted(tables_that_count(plan.facts, options), key=readable)
        return {readable(table): policies.find(*table) for table in tables}

    def _shown(self, sql: str) -> str:
        dialect = self._attached.dialect
        return without_values(sql, dialect.name, dialect.paramstyle)


def _whole(plan: Plan | None) -> tuple[Scope, ...]:
    return plan.reads if plan is not None else ()


def _verdict(
    request: ReadRequest | tuple[Reason, str] | None,
) -> tuple[bool, bool, Reason | None, str]:
    """
    Return whether a read is served, whether it is stored, and why not both.
    """
    assert request is not None
    if not isinstance(request, ReadRequest):
        return False, False, *request
    if request.snapshot is not None and request.snapshot.unusable:
        return False, False, Reason.SNAPSHOT, ""
    not_served = request.not_served or (Reason.SHADOW if request.shadow else None)
    not_filled = request.not_filled
    return not_served is None, not_filled is None, not_served or not_filled, ""


def _vary(read: Read, plan: Plan | None) -> dict[str, bool]:
    names = plan.policy.vary if plan is not None and plan.policy is not None else ()
    return {name: _has_value(read, name) for name in names}


def _has_value(read: Read, name: str) -> bool:
    try:
        read.varied(name)
    except NoIdentityError:
        return False
    return True


def _origins(
    policy: Policy | None, found: Mapping[str, Found | None], options: dict[str, Any]
) -> dict[str, str]:
    if policy is None:
        return {}
    every = {table: each for table, each in found.items() if each is not None}
    # With a table lacking, only what the statement says counts.
    counting = every if len(every) == len(found) else {}
    return origins_of(policy, counting, overridden(options.get("ormcache")))


def _each_sent(statement: Any) -> list[Any]:
    element = statement.element if statement.is_from_statement else statement
    subject = element._propagate_attrs.get("plugin_subject")
    if getattr(element, "is_insert", False) and subject is not None:
        # The ORM inserts into every table of a class with inheritance.
        return [insert(table) for table in subject.mapper.tables]
    return [element]


def _usual_bind(statement: Any, enabled: list[Enabled]) -> Any:
    if isinstance(statement, Query) and statement.session is not None:
        return statement.session
    targets: list[Any] = [each.target for each in enabled]
    if not targets:
        msg = "this cache is enabled on nothing yet: cache.enable(...) comes first"
        raise ConfigurationError(msg)
    engines = [list(engines_of(target)) for target in targets]
    same = all(engines) and len({attached_to(each) for found in engines for each in found}) == 1
    if len(targets) > 1 and not same:
        named = ", ".join(map(repr, targets))
        msg = f"this cache is enabled on {named}: say which is meant, explain(..., bind=...)"
        raise ConfigurationError(msg)
    return next((each for each in targets if not isinstance(each, Engine)), targets[0])


def _state_of(attached: Attached, connection: Connection) -> ConnectionState:
    if isinstance(connection, CachingConnection):
        return connection.state
    return attached.state_of(connection.connection) or ConnectionState()


def _never() -> CursorResult[Any]:
    raise AssertionError("explaining sends nothing")
