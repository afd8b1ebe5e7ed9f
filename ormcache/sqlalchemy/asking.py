"""
What would this statement be, here and now, at the moment before it is sent?

SQLAlchemy itself builds it, with the session's listeners, options and parameters, on a connection
that can send nothing. Neither the statement nor a flush is executed, and what a session holds
stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Never

from sqlalchemy import TextClause, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Query, Session, scoped_session, sessionmaker
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.ddl import ExecutableDDLElement

from ormcache.errors import ConfigurationError

from .attach import EnabledSession
from .connection import CachingConnection
from .replay import Unopened
from .targets import sync_bind

if TYPE_CHECKING:
    from sqlalchemy.engine.default import DefaultExecutionContext

__all__ = ["Asked", "asked", "executable"]

_STATEMENTS = "a select(), text(), a Query, insert(), update(), delete(), DDL or a SQL string"
_BINDS = (
    "an Engine, a Connection, a Session, a sessionmaker, a scoped_session, or the asynchronous "
    "kind of one of these"
)


class Asked(NamedTuple):
    """
    A statement, and where it would run.
    """

    connection: Connection
    """The one that would be used, open or not. It must not be used after the block."""
    context: DefaultExecutionContext | None
    """What SQLAlchemy made of it; None for DML and DDL, which are not built."""
    reads_are_cached: bool
    """Whether the connection belongs to something that the cache is enabled on."""
    flushed: tuple[Any, ...] = ()
    """The tables that would be flushed before."""


def executable(statement: Any) -> Any:
    """
    Return what is executed for *statement*: a string is for `text()`.

    Raises:
        ConfigurationError: It is no statement.
    """
    if isinstance(statement, str):
        return text(statement)
    known = isinstance(statement, Query | ExecutableDDLElement) or (
        isinstance(statement, Executable)
        and (
            statement.is_select
            or statement.is_dml
            or statement.is_from_statement
            or isinstance(statement, TextClause)
        )
    )
    if known:
        return statement
    msg = f"explain takes {_STATEMENTS}, not a {type(statement).__name__}"
    raise ConfigurationError(msg)


@contextmanager
def asked(statement: Any, parameters: Any, bind: Any) -> Iterator[Asked]:
    """
    Yield what *statement* is on *bind*; connections that were needed for it are open that long.

    Raises:
        ConfigurationError: *bind* is of the wrong kind, or leads to no engine.
    """
    bind = sync_bind(bind)
    if isinstance(bind, Engine | Connection) and not _is_orm(statement):
        with bind.connect() if isinstance(bind, Engine) else _kept(bind) as connection:
            cached = getattr(connection, "cached_reads", False)
            yield Asked(connection, _built(connection, statement, parameters), cached)
        return
    stand_in = _StandIn(_session_of(bind))
    try:
        yield stand_in.ask(statement, parameters)
    except UnboundExecutionError as exc:
        msg = f"{bind!r} leads to no engine for this statement; say which: explain(..., bind=...)"
        raise ConfigurationError(msg) from exc
    finally:
        stand_in.close()


class _StandIn:
    """
    A session that stands for another one: it asks as that one would.
    """

    def __init__(self, given: Session) -> None:
        self._given = given
        self._session = copy.copy(given)
        self._session._transaction = self._session._nested_transaction = None
        vars(self._session).update(
            _connection_for_bind=lambda bind, *_, **__: _Probe(self._real(bind)),
            _autoflush=self._autoflush,
            connection=self._own_connection,
        )
        self._would_flush = False

    def ask(self, statement: Any, parameters: Any) -> Asked:
        if not _is_read(statement):
            subject = statement._propagate_attrs.get("plugin_subject")
            bind = self._session.get_bind(mapper=subject, clause=statement)
            return self._asked(self._real(bind), None)
        try:
            if isinstance(statement, Query):
                query = statement.params(parameters or {}).with_session(self._session)
                query._iter()
            else:
                self._session.execute(statement, parameters)
        except _Built as built:
            return self._asked(built.connection, built.context)
        msg = "a listener to 'do_orm_execute' answers this statement: it never gets to the cache"
        raise ConfigurationError(msg)

    def close(self) -> None:
        """
        Let go of the transaction that was begun to ask.
        """
        if self._session._transaction is not None:
            self._session._transaction.close()

    def _asked(self, connection: Connection, context: DefaultExecutionContext | None) -> Asked:
        listeners = self._given.dispatch.after_begin
        enabled = any(isinstance(getattr(fn, "__self__", None), EnabledSession) for fn in listeners)
        cached = enabled and isinstance(connection, CachingConnection)
        return Asked(
            connection,
            context,
            cached or getattr(connection, "cached_reads", False),
            _changed_tables(self._given) if self._would_flush else (),
        )

    def _autoflush(self) -> None:
        # Called exactly where, and only if, SQLAlchemy would flush now.
        self._would_flush = self._given.autoflush and not self._given._flushing

    def _own_connection(self, bind_arguments: Any = None, **_: Any) -> Connection:
        # A listener asks for it, to tell or ask the database something before the statement.
        return self._real(self._session.get_bind(**(bind_arguments or {})))

    def _real(self, bind: Any) -> Connection:
        held = _connection_in(self._given, bind)
        if held is not None:
            return held
        if isinstance(bind, Connection):
            return bind
        connection = self._begin(bind)
        if not isinstance(connection, CachingConnection):
            # Its engine was unknown until this moment; from the next transaction on, reads are
            # cached.
            self.close()
            connection = self._begin(bind)
        return connection

    def _begin(self, bind: Any) -> Connection:
        return type(self._given)._connection_for_bind(self._session, bind)


class _Probe(Connection):
    """
    A connection that builds statements as another one would, and can send nothing.
    """

    def __init__(self, real: Connection) -> None:
        # Without SQLAlchemy's own __init__: no listener must take it for a new connection.
        self.__dict__.update(real.__dict__)
        self._dbapi_connection: Any = Unopened()
        self._real = real

    def _begin_impl(self, _transaction: Any) -> None:
        pass

    def _exec_single_context(
        self, _dialect: Any, context: Any, _statement: Any, _parameters: Any
    ) -> Never:
        raise _Built(self._real, context)


class _Built(BaseException):
    """
    No error: the statement is built, and this is where it would be sent.
    """

    def __init__(self, connection: Connection, context: DefaultExecutionContext) -> None:
        super().__init__()
        self.connection = connection
        self.context = context


def _built(
    connection: Connection, statement: Any, parameters: Any
) -> DefaultExecutionContext | None:
    if not _is_read(statement):
        return None
    try:
        _Probe(connection).execute(statement, parameters)
    except _Built as built:
        return built.context
    raise AssertionError(statement)


def _is_read(statement: Any) -> bool:
    if isinstance(statement, Query):
        return True
    element = statement.element if statement.is_from_statement else statement
    return bool(element.is_select or element._is_text_clause)


def _is_orm(statement: Any) -> bool:
    if isinstance(statement, Query):
        return True
    return bool(statement._propagate_attrs.get("compile_state_plugin") == "orm")


@contextmanager
def _kept(connection: Connection) -> Iterator[Connection]:
    yield connection


def _session_of(bind: Any) -> Session:
    if isinstance(bind, scoped_session):
        bind = bind.registry() if bind.registry.has() else bind.session_factory
    if isinstance(bind, Engine | Connection):
        return Session(bind)
    if isinstance(bind, sessionmaker) or (isinstance(bind, type) and issubclass(bind, Session)):
        return bind()
    if isinstance(bind, Session):
        return bind
    msg = f"explain(..., bind=...) takes {_BINDS}, not {bind!r}"
    raise ConfigurationError(msg)


def _connection_in(session: Session, bind: Any) -> Connection | None:
    """
    Return the connection that the session's transaction already has for *bind*, or None.
    """
    transaction = session._transaction
    while transaction is not None:
        if bind in transaction._connections:
            return transaction._connections[bind][0]
        transaction = transaction._parent
    return None


def _changed_tables(session: Session) -> tuple[Any, ...]:
    changed = [*session.new, *session.deleted, *filter(session.is_modified, session.dirty)]
    tables = (table for each in changed for table in each.__mapper__.tables)
    return tuple(dict.fromkeys(tables))
