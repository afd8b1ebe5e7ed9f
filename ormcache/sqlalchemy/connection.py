"""
Where does a read leave its usual way?

`Engine.connect()` of an enabled engine returns this `Connection`. It checks out a pooled connection
only when a statement really has to be sent, so a hit needs none; and it asks the cache between
building a statement's context and executing it, when the final SQL and parameters are known and
every listener that may change them has spoken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection
from sqlalchemy.engine.base import OptionEngine

from .attached import attached_to
from .bridge import require_greenlet
from .connectionstate import ConnectionState
from .execution import may_be_cached, may_be_read
from .reads import answer_read
from .replay import ReplayCursor, Unopened

if TYPE_CHECKING:
    from sqlalchemy.engine import CursorResult, Engine
    from sqlalchemy.engine.interfaces import Dialect, ExecutionContext
    from sqlalchemy.pool import PoolProxiedConnection


__all__ = ["CachingConnection", "CachingOptionEngine"]


class CachingConnection(Connection):
    """
    A `Connection` that answers reads from the cache and opens itself when it must.
    """

    cached_reads = False
    """Whether reads on this connection are cached: it belongs to an enabled session or engine."""

    def __init__(
        self, engine: Engine, connection: PoolProxiedConnection | None = None, **kw: Any
    ) -> None:
        attached = attached_to(engine)
        self._attached = attached
        self._waiting_state = ConnectionState()
        if attached is not None and connection is None:
            self.cached_reads = attached.core_reads
            if attached.may_wait(engine):
                connection = Unopened()  # type: ignore[assignment]  # what it is asked for, it has
            else:
                connection = _checkout(engine)
                attached.welcome(connection)
        super().__init__(engine, connection, **kw)

    # -- opening -----------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """
        Whether a pooled connection has been checked out.
        """
        return not isinstance(self._dbapi_connection, Unopened)

    @property
    def state(self) -> ConnectionState:
        """
        What has happened on this connection and in its transaction.
        """
        if self._attached is None or not self.is_open:
            return self._waiting_state
        return self._attached.state_of(self.connection) or self._waiting_state

    def open(self) -> None:
        """
        Check out a pooled connection if none was needed so far.
        """
        if self.is_open:
            return
        assert self._attached is not None
        pooled = _checkout(self.engine)
        try:
            state = self._attached.welcome(pooled)
        except BaseException:
            pooled.close()
            raise
        self._dbapi_connection = pooled
        if state is not None:
            state.snapshot = self._waiting_state.snapshot
        self._waiting_state = ConnectionState()
        if self._transaction is not None:
            super()._begin_impl(self._transaction)

    @property
    def connection(self) -> PoolProxiedConnection:
        """
        The pooled connection, as `Connection.connection`; asking for it opens it.
        """
        self.open()
        return super().connection

    def detach(self) -> None:
        """
        As `Connection.detach`.
        """
        self.open()
        super().detach()

    def _begin_impl(self, transaction: Any) -> None:
        if self.is_open:
            super()._begin_impl(transaction)

    def _commit_impl(self) -> None:
        if self.is_open:
            super()._commit_impl()
        else:
            self._waiting_state.committed()

    def _rollback_impl(self) -> None:
        if self.is_open:
            super()._rollback_impl()
        else:
            self._waiting_state.rolled_back()

    # -- executing ---------------------------------------------------------------------------

    def _execute_context(
        self,
        dialect: Dialect,
        constructor: Any,
        statement: Any,
        parameters: Any,
        execution_options: Any,
        *args: Any,
        **kw: Any,
    ) -> CursorResult[Any]:
        if not self.is_open and not (
            self.cached_reads and may_be_cached(statement, execution_options)
        ):
            self.open()
        result = super()._execute_context(
            dialect, constructor, statement, parameters, execution_options, *args, **kw
        )
        if self.is_open and not self.closed:
            self._note_generated(result.context)
        return result

    def _note_generated(self, context: Any) -> None:
        state = self.state
        generated = state.generated
        if generated is not None:
            state.generated = None
            generated.note(context, state.touched)

    def _exec_single_context(
        self, dialect: Dialect, context: ExecutionContext, statement: Any, parameters: Any
    ) -> CursorResult[Any]:
        def send() -> CursorResult[Any]:
            self._open_for(context)
            return Connection._exec_single_context(self, dialect, context, statement, parameters)

        if not self.cached_reads or not may_be_read(statement):
            return send()
        assert self._attached is not None
        return answer_read(self, self._attached, context, send)  # type: ignore[arg-type]  # the default context

    def _open_for(self, context: Any) -> None:
        """
        Give a context that was built without a database connection a real one.
        """
        if isinstance(context.cursor, ReplayCursor):
            self.open()
            context._dbapi_connection = self._dbapi_connection
            context.cursor = context.create_cursor()
            context.pre_exec()  # again: a dialect may leave notes on the cursor there

    def _execute_default(self, *args: Any, **kw: Any) -> Any:
        self.open()
        return super()._execute_default(*args, **kw)


class CachingOptionEngine(OptionEngine):
    """
    What `Engine.execution_options()` of an enabled engine returns.
    """

    _connection_cls = CachingConnection


CachingOptionEngine._option_cls = CachingOptionEngine


def _checkout(engine: Engine) -> PoolProxiedConnection:
    require_greenlet(engine.dialect)
    try:
        return engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as err:
        Connection._handle_dbapi_exception_noconnection(err, engine.dialect, engine)
        raise
