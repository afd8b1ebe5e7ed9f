"""
The way of one read through the SQLAlchemy edge: plan, fingerprint, ask the core, build the result.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from ormcache.drive import run
from ormcache.fingerprint import NoIdentityError
from ormcache.model import Outcome, Reason
from ormcache.reading import Answer, ReadRequest, read

from .execution import database_wanted, names_the_present
from .facts import Kind
from .isolation import Level, level_of, reads_snapshot
from .parameters import canonical_parameters
from .replay import ReplayCursor, buffer_rows
from .sqltext import without_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import CursorResult
    from sqlalchemy.engine.default import DefaultExecutionContext

    from ormcache.model import Rows, Scope

    from .attached import Attached
    from .connection import CachingConnection
    from .plan import Plan

__all__ = ["Read", "answer_read"]

# These take 'now' and the like for a time wherever one is expected.
_READS_NOW = ("postgresql", "sqlite")


def answer_read(
    connection: CachingConnection,
    attached: Attached,
    context: DefaultExecutionContext,
    send: Callable[[], CursorResult[Any]],
) -> CursorResult[Any]:
    """
    Return the result of a read, from the cache or by *send*.
    """
    return Read(connection, attached, context, send).answer()


class Read:
    """
    One execution on its way: first what it asks for, then the answer.
    """

    __slots__ = (
        "_asked",
        "_attached",
        "_connection",
        "_context",
        "_plan",
        "_result",
        "_send",
        "_state",
    )

    def __init__(
        self,
        connection: CachingConnection,
        attached: Attached,
        context: DefaultExecutionContext,
        send: Callable[[], CursorResult[Any]],
    ) -> None:
        self._connection = connection
        self._attached = attached
        self._context = context
        self._send = send
        self._state = connection.state
        self._asked: ReadRequest | None = None
        self._plan: Plan | None = None
        self._result: CursorResult[Any] | None = None

    def answer(self) -> CursorResult[Any]:
        cache = self._attached.cache
        request = self.request()
        if not isinstance(request, ReadRequest):
            begin = perf_counter()
            result = self._send()
            if request is not None:
                answer = Answer(Outcome.BYPASS, *request)
                self._count(answer)
                if cache.audience:
                    self._tell(answer, 0.0, perf_counter() - begin, 0.0)
            return result
        self._asked = request
        perform = self._attached.performer(self._load)
        schema = self._state.schema or self._attached.main
        assert schema is not None
        assert self._plan is not None
        answer = run(read(request), schema.watch(perform, self._plan.catalog))
        self._count(answer)
        if cache.audience:
            self._tell(
                answer, perform.store_seconds, perform.database_seconds, perform.waited_seconds
            )
        if answer.rows is not None:
            return self._replay(answer.rows)
        assert self._result is not None
        return self._result

    # -- what to ask -------------------------------------------------------------------------

    @property
    def plan(self) -> Plan | None:
        """
        What is known of the statement; None before `request`, and where that needed none.
        """
        return self._plan

    def request(self) -> ReadRequest | tuple[Reason, str] | None:
        """
        Return what to ask the core for, or why not; None where it is no read at all.
        """
        attached, context, state = self._attached, self._context, self._state
        cache = attached.cache
        if not cache.active:
            return Reason.OFF, ""
        if cache.bypassing:
            return Reason.ASKED, "bypass()"
        if cache.store_rests():
            return Reason.STORE, "it is left alone for a while"
        pooled = self._connection.connection if self._connection.is_open else None
        plan = attached.plan(
            context.statement, context.compiled, context.execution_options, state, pooled
        )
        if plan is None:
            return Reason.DATABASE, "the catalog has not been read"
        self._plan = plan
        if plan.facts.kind not in (Kind.READ, Kind.UNKNOWN):
            return None
        if plan.refusal is not None:
            return plan.refusal
        return self._refused_now(plan) or self._make_request(plan, pooled is not None)

    def _refused_now(self, plan: Plan) -> tuple[Reason, str] | None:
        """
        Return why this one execution is not cached, or None.
        """
        state, context, policy = self._state, self._context, plan.policy
        assert policy is not None
        if (wanted := database_wanted(context)) is not None:
            return Reason.ASKED, wanted
        listener = self._attached.distrusted(self._connection.engine)
        if listener is not None and not policy.vary:
            return Reason.SESSION_STATE, listener
        if state.session.unknown is not None:
            return Reason.SESSION_STATE, state.session.unknown
        for name in state.session.settings:
            if name not in policy.vary:
                return Reason.SESSION_STATE, name
        if state.failed:
            return Reason.SESSION_STATE, "a statement failed in this transaction"
        if state.touched.overlaps(plan.reads):
            return Reason.OWN_WRITES, ""
        if self._attached.dialect.name in _READS_NOW and names_the_present(context.parameters[0]):
            return Reason.PARAMETERS, "a string that may mean the present, such as 'now'"
        if level_of(self._attached, self._connection, state) is Level.NEVER:
            return Reason.ISOLATION, ""
        return None

    def _make_request(
        self,
        plan: Plan,
        holds: bool,  # noqa: FBT001 - passed on
    ) -> ReadRequest | tuple[Reason, str]:
        attached, state, policy = self._attached, self._state, plan.policy
        assert policy is not None
        cache = attached.cache
        try:
            key = self._key(plan, policy.vary)
        except NoIdentityError as exc:
            return Reason.PARAMETERS, str(exc)
        schema = state.schema or attached.main
        assert schema is not None
        schema.track(plan.reads)
        snapshot = reads_snapshot(attached, self._connection, state)
        not_served = Reason.ASKED if cache.refreshing else None
        if snapshot is not None and not snapshot.taken:
            level = level_of(attached, self._connection, state)
            if level is Level.CHOSEN_SNAPSHOT:
                not_served = Reason.SNAPSHOT  # the first read opens it
        return ReadRequest(
            key=key,
            scopes=self._scopes(plan),
            ttl=policy.ttl,
            max_rows=policy.max_rows,
            max_bytes=policy.max_bytes,
            codec=cache.codec,
            sealer=cache.sealer,
            not_served=not_served,
            not_filled=Reason.OWN_WRITES if state.touched else None,
            shadow=cache.shadowing,
            ordered=plan.facts.ordered,
            snapshot=snapshot,
            tracked=schema.tracked,
            collapse=policy.collapse,
            across_processes=policy.across_processes,
            holds=holds,
            tables=plan.reads,
        )

    def _scopes(self, plan: Plan) -> tuple[Scope, ...]:
        context, dialect = self._context, self._attached.dialect
        return plan.slicing.depends_on(
            plan.reads, context.statement, dialect.name, dialect.paramstyle, context.parameters[0]
        )

    def _key(self, plan: Plan, vary: tuple[str, ...]) -> str:
        context = self._context
        parts = [plan.key, context.statement, canonical_parameters(context.parameters[0])]
        for name in vary:
            parts += (name, *self.varied(name))
        return self._attached.cache.sealer.name(parts)

    def varied(self, name: str) -> tuple[str, str]:
        """
        Return what a name in `vary` stands for now: as set on the connection, and as registered.

        A name with neither is refused: were it a slip of the pen, tenants would share an entry.
        """
        setting = self._state.session.settings.get(name)
        registered = self._attached.cache.varied(name)
        if setting is None and registered is None:
            msg = f"vary {name!r}: register it with Cache.vary, or set it on the connection"
            raise NoIdentityError(msg)
        return repr(setting), repr(registered)

    # -- carrying it out ---------------------------------------------------------------------

    def _load(self) -> Rows | None:
        planned = self._state
        self._connection.open()
        state = self._state = self._connection.state
        if not state.means_the_same_as(planned, self._attached.main):
            # The read was planned before there was a connection, and this one is not what was
            # expected: its rows are right for the caller and for nobody else.
            assert self._asked is not None
            self._asked.not_filled = Reason.SESSION_STATE
        state.loading = True
        try:
            result = self._result = self._send()
        finally:
            state.loading = False
        plan = self._plan
        assert plan is not None
        assert plan.policy is not None
        cursor = self._context.cursor
        try:
            return buffer_rows(result, cursor, plan.policy.max_rows)
        except BaseException as exc:  # noqa: BLE001 - translated by SQLAlchemy, as a failing fetch would be
            self._connection._handle_dbapi_exception(exc, None, None, cursor, self._context)

    def _replay(self, rows: Rows) -> CursorResult[Any]:
        context: Any = self._context
        if not isinstance(context.cursor, ReplayCursor):
            context.cursor.close()
            context.cursor = ReplayCursor()
        context.cursor.play(rows, counts=self._attached.dialect.name != "sqlite")
        result: CursorResult[Any] = context._setup_result_proxy()
        return result

    def _count(self, answer: Answer) -> None:
        self._attached.cache.count(answer.outcome, answer.reason)
        if answer.reason is Reason.UNSTORABLE:
            self._attached.warn_once(
                f"ormcache does not cache results with values of type {answer.detail}: "
                "they cannot be stored exactly"
            )

    def _tell(
        self,
        answer: Answer,
        store_seconds: float,
        database_seconds: float,
        waited_seconds: float,
    ) -> None:
        plan, context, dialect = self._plan, self._context, self._attached.dialect
        self._attached.cache.audience.hear_read(
            answer,
            statement=without_values(context.statement, dialect.name, dialect.paramstyle),
            tables=plan.tables if plan is not None else (),
            store_seconds=store_seconds,
            database_seconds=database_seconds,
            waited_seconds=waited_seconds,
        )
