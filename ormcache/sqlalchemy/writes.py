"""
Where does every statement and every real commit of an engine pass?

Through its dialect: `after_commit` of a session fires on RELEASE SAVEPOINT and, on an external
connection, before the real commit; the engine's `commit` event fires before it, and plain Core has
no event after it. So the methods of the dialect that talk to the driver are wrapped, on the
enabled engine's own dialect object and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.interfaces import ExecuteStyle

from ormcache.drive import run
from ormcache.errors import CommitRefusedError
from ormcache.reading import read_uncached

from .facts import Kind
from .generated import Generated
from .isolation import autocommits, begins_nothing, meaning_of_local, none_open, reads_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection
    from sqlalchemy.pool import PoolProxiedConnection

    from ormcache.model import Scope

    from .attached import Attached
    from .connectionstate import ConnectionState
    from .plan import Plan
    from .slices import Placed

__all__ = ["DialectHooks"]

_STATEMENTS = ("do_execute", "do_executemany", "do_execute_no_params")
_BOUNDARIES = (
    "do_commit",
    "do_rollback",
    "do_begin_twophase",
    "do_prepare_twophase",
    "do_savepoint",
    "do_rollback_to_savepoint",
    "do_release_savepoint",
    "do_commit_twophase",
    "do_rollback_twophase",
)


_BEGINS = re.compile(r"\s*(BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_ROLLS_BACK = re.compile(r"\s*(ROLLBACK|ABORT)\b(?!.*\b(TO|PREPARED)\b)", re.IGNORECASE | re.DOTALL)
# Sent as SQL text; those of begin_nested() are followed by name.
_RELEASES = re.compile(r"\s*RELEASE\b(?!.*\bsa_savepoint_)", re.IGNORECASE | re.DOTALL)
_OF_ANOTHER = re.compile(r"\s*(COMMIT\s+PREPARED|XA\s+COMMIT)\b", re.IGNORECASE)


class DialectHooks:
    """
    The wrapped methods of one dialect object.
    """

    def __init__(self, attached: Attached) -> None:
        self._attached = attached
        self._dialect: Any = attached.dialect

    def install(self) -> None:
        """
        Shadow the dialect's methods with ours.
        """
        for name in _STATEMENTS:
            setattr(self._dialect, name, self._wrap_statement(getattr(self._dialect, name)))
        for name in _BOUNDARIES:
            setattr(
                self._dialect, name, getattr(self, f"_{name[3:]}")(getattr(self._dialect, name))
            )

    def remove(self) -> None:
        """
        Uncover the dialect's own methods.
        """
        for name in (*_STATEMENTS, *_BOUNDARIES):
            self._dialect.__dict__.pop(name, None)

    # -- statements --------------------------------------------------------------------------

    def _wrap_statement(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def send(cursor: Any, statement: str, *args: Any, **kw: Any) -> Any:
            context = kw.get("context") or (args[-1] if args else None)
            connection: Connection | None = getattr(context, "root_connection", None)
            if connection is None:
                return original(cursor, statement, *args, **kw)
            parameters = args[0] if len(args) > 1 else None

            def database() -> Any:
                return original(cursor, statement, *args, **kw)

            try:
                return self._send(connection, context, statement, parameters, database)
            except Exception:
                self._failed(connection)
                raise

        return send

    def _failed(self, connection: Connection) -> None:
        """
        In PostgreSQL a failed statement makes all that follow it fail, up to a rollback. In MySQL
        a deadlock, for one, ends the transaction, and where each statement commits itself unless
        one was begun, the next one does.
        """
        state = self._attached.known_state(connection.connection)
        if state is None:
            return
        if self._dialect.name == "postgresql":
            state.failed = not autocommits(connection, state)
        elif state.manual:
            state.unsure = True

    def _send(
        self,
        connection: Connection,
        context: Any,
        statement: str,
        parameters: Any,
        original: Callable[[], Any],
    ) -> Any:
        attached = self._attached
        state = attached.state_of(connection.connection)
        if state is None:  # SQLAlchemy's own first questions to a new server
            return original()
        options = context.execution_options
        plan = attached.plan(statement, context.compiled, options, state, connection.connection)
        assert plan is not None  # with a connection at hand the catalog can be read
        facts = plan.facts
        if facts.kind is Kind.READ and not plan.writes and not facts.changes_session:
            return self._send_read(connection, state, plan, original)
        if facts.changes_session:
            state.session.said(statement, parameters, meaning_of_local(connection, state))
            # From now on it matters which connection of the pool one gets.
            attached.varies = attached.varies or state.session.lasts
        if facts.kind is Kind.TRANSACTION:
            return self._send_boundary(connection, state, plan, statement, original)
        placed = self._placed(plan, context, statement, parameters)
        return self._send_write(connection, state, plan, placed, context, statement, original)

    def _send_read(
        self,
        connection: Connection,
        state: ConnectionState,
        plan: Plan,
        original: Callable[[], Any],
    ) -> Any:
        snapshot = reads_snapshot(self._attached, connection, state)
        if snapshot is None:
            return original()
        takes = bool(plan.facts.reads) or self._dialect.name not in ("mysql", "mariadb")

        def database() -> None:
            snapshot.taken = snapshot.taken or takes
            original()

        if state.loading or not takes:
            return database()
        attached = self._attached
        # Only where caching would otherwise be lost for the rest of this transaction.
        schema = state.schema
        if schema is None or not schema.tracked:
            return database()
        perform = attached.performer(database)
        run(read_uncached(snapshot, schema.tracked), schema.watch(perform))
        return None

    def _send_boundary(
        self,
        connection: Connection,
        state: ConnectionState,
        plan: Plan,
        statement: str,
        original: Callable[[], Any],
    ) -> Any:
        pooled = connection.connection
        result: Any = None
        if self._dialect.name == "sqlite" and _RELEASES.match(statement):
            # In SQLite the outermost RELEASE is the commit, where SAVEPOINT began the transaction.
            self._attached.commit(state.touched.all(), pooled, original)
        elif state.committing or not plan.facts.implicit_commit:
            result = original()
            if _ROLLS_BACK.match(statement):
                state.rolled_back()
        else:  # COMMIT, END, COMMIT PREPARED … as SQL text; in MySQL, BEGIN commits too
            of_another = _OF_ANOTHER.match(statement) is not None
            scopes = self._everything(state) if of_another else state.touched.all()
            self._commit_now(state, pooled, scopes, original)
        if _BEGINS.match(statement):
            state.manual = True
        return result

    def _send_write(
        self,
        connection: Connection,
        state: ConnectionState,
        plan: Plan,
        placed: Placed | None,
        context: Any,
        statement: str,
        original: Callable[[], Any],
    ) -> Any:
        facts = plan.facts
        scopes = plan.writes | plan.slicing.bulk
        if placed is not None:
            scopes |= placed.scopes
        generated = self._generated(state, placed, context)
        # Before it is sent: a statement that fails may have done part of its work.
        state.touched.touch(scopes)
        if facts.kind is Kind.DDL or facts.writes is None:
            self._attached.schema_changed()
        snapshot = state.snapshot
        if snapshot is not None and self._dialect.name not in ("mysql", "mariadb"):
            snapshot.taken = True
        pooled = connection.connection
        if facts.kind is Kind.CALL or state.unsure:
            # A procedure may commit inside and go on: it stays touched for the commit to come.
            return self._attached.commit(state.touched.all(), pooled, original)
        if facts.implicit_commit or (plan.writes and autocommits(connection, state)):
            return self._commit_now(state, pooled, state.touched.all(), original)
        if plan.commits_itself or begins_nothing(connection, statement):
            return self._attached.commit(scopes, pooled, original)
        state.generated = generated
        return original()

    def _placed(self, plan: Plan, context: Any, statement: str, parameters: Any) -> Placed | None:
        """
        Return which rows a change is about, by the parameters as the driver gets them.
        """
        dialect = self._dialect
        sql: str | None = statement
        rows = parameters
        if context.execute_style is ExecuteStyle.INSERTMANYVALUES:
            # One of several batches: each row's parameters are in the context only, and a listener
            # may have replaced them since.
            trusted = self._attached.distrusted(context.root_connection.engine) is None
            sql, rows = (context.statement if trusted else None), context.parameters
        elif context.execute_style is not ExecuteStyle.EXECUTEMANY:
            rows = [parameters]
        return plan.slicing.touches(sql, dialect.name, dialect.paramstyle, rows)

    def _generated(
        self, state: ConnectionState, placed: Placed | None, context: Any
    ) -> Generated | None:
        known = state.generated
        if known is not None and known.context is context:
            return known  # the next batch of one INSERT
        if placed is None or not placed.generated or not getattr(context, "isinsert", False):
            return None
        if context.compiled is None:
            return None
        return Generated(context, placed, only_one=not state.touched.has(placed.bulk))

    def _commit_now(
        self,
        state: ConnectionState,
        connection: PoolProxiedConnection,
        scopes: frozenset[Scope],
        original: Callable[[], Any],
    ) -> None:
        sent = True
        try:
            self._attached.commit(scopes, connection, original)
        except CommitRefusedError:
            # What was changed before is still to be committed, or rolled back.
            sent = False
            raise
        finally:
            if sent:
                state.committed()

    def _everything(self, state: ConnectionState) -> frozenset[Scope]:
        schema = state.schema or self._attached.main
        return frozenset() if schema is None else frozenset({schema.whole})

    # -- boundaries --------------------------------------------------------------------------

    def _commit(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_commit(dbapi_connection: PoolProxiedConnection) -> None:
            state = self._attached.known_state(dbapi_connection)
            if state is None or state.committing:
                return original(dbapi_connection)
            return self._end_with_commit(
                state,
                dbapi_connection,
                state.touched.all(),
                lambda: original(dbapi_connection),
                lambda: self._dialect.do_rollback(dbapi_connection),
            )

        return do_commit

    def _end_with_commit(
        self,
        state: ConnectionState,
        connection: PoolProxiedConnection,
        scopes: frozenset[Scope],
        original: Callable[[], None],
        undo: Callable[[], None],
        *,
        may_refuse: bool = True,
    ) -> None:
        state.committing = True
        ended = state.committed
        try:
            self._attached.commit(scopes, connection, original, may_refuse=may_refuse)
        except CommitRefusedError:
            # As after a commit that the database refuses: no lock is held any more, and nothing is
            # left that could be committed with what comes next.
            ended = state.rolled_back
            undo()
            raise
        finally:
            state.committing = False
            ended()

    def _rollback(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_rollback(dbapi_connection: PoolProxiedConnection) -> None:
            state = self._attached.known_state(dbapi_connection)
            if state is None or state.committing:
                return original(dbapi_connection)
            if state.touched and self._dialect.name == "sqlite" and none_open(dbapi_connection):
                # Committed out of our sight, by the driver's own `commit()` or `executescript()`.
                return self._end_with_commit(
                    state,
                    dbapi_connection,
                    state.touched.all(),
                    lambda: original(dbapi_connection),
                    lambda: None,
                    may_refuse=False,
                )
            try:
                return original(dbapi_connection)
            finally:
                state.rolled_back()

        return do_rollback

    def _savepoint(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_savepoint(connection: Connection, name: str) -> None:
            state = self._attached.state_of(connection.connection)
            begins = self._dialect.name == "sqlite" and none_open(connection.connection)
            original(connection, name)
            if state is not None:
                state.touched.savepoint(name)
                if begins:
                    state.began_with = name

        return do_savepoint

    def _rollback_to_savepoint(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_rollback_to_savepoint(connection: Connection, name: str) -> None:
            original(connection, name)
            if (state := self._attached.state_of(connection.connection)) is not None:
                state.touched.rollback_to(name)
                state.session.rolled_back_to_savepoint()
                state.failed = False

        return do_rollback_to_savepoint

    def _release_savepoint(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_release_savepoint(connection: Connection, name: str) -> None:
            state = self._attached.state_of(connection.connection)
            if state is not None and state.began_with == name:
                return self._commit_now(
                    state,
                    connection.connection,
                    state.touched.all(),
                    lambda: original(connection, name),
                )
            original(connection, name)
            if state is not None:
                state.touched.release(name)
            return None

        return do_release_savepoint

    def _begin_twophase(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_begin_twophase(connection: Connection, xid: Any) -> None:
            original(connection, xid)
            if (state := self._attached.state_of(connection.connection)) is not None:
                state.xid = xid

        return do_begin_twophase

    def _prepare_twophase(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_prepare_twophase(connection: Connection, xid: Any) -> None:
            state = self._attached.state_of(connection.connection)
            if state is None or state.committing or not self._attached.cache.refuses:
                return original(connection, xid)
            # The last moment at which to refuse; the commit announces again.
            return self._attached.commit(
                state.touched.all(), connection.connection, lambda: original(connection, xid)
            )

        return do_prepare_twophase

    def _commit_twophase(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_commit_twophase(
            connection: Connection,
            xid: Any,
            is_prepared: bool = True,  # noqa: FBT001, FBT002 - the dialect's signature
            recover: bool = False,  # noqa: FBT001, FBT002
        ) -> None:
            def send() -> None:
                original(connection, xid, is_prepared, recover)

            state = self._attached.state_of(connection.connection)
            if state is None:
                return send()
            # A transaction prepared on another connection, perhaps before a crash: nobody here
            # knows what it changed.
            ours = state.xid is not None and state.xid == xid
            scopes = state.touched.all() if ours else self._everything(state)
            return self._end_with_commit(
                state,
                connection.connection,
                scopes,
                send,
                lambda: self._dialect.do_rollback_twophase(connection, xid, is_prepared=False),
                # Whoever has prepared was promised that it can be committed.
                may_refuse=not is_prepared,
            )

        return do_commit_twophase

    def _rollback_twophase(self, original: Callable[..., None]) -> Callable[..., None]:
        def do_rollback_twophase(
            connection: Connection,
            xid: Any,
            is_prepared: bool = True,  # noqa: FBT001, FBT002 - the dialect's signature
            recover: bool = False,  # noqa: FBT001, FBT002
        ) -> None:
            state = self._attached.state_of(connection.connection)
            if state is not None:
                state.committing = True
            try:
                original(connection, xid, is_prepared, recover)
            finally:
                if state is not None:
                    state.committing = False
                    state.rolled_back()

        return do_rollback_twophase
