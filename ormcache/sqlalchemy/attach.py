"""
What does enabling a cache on something of SQLAlchemy's change, and how is it undone?
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm import Session

from ormcache.errors import ConfigurationError
from ormcache.forked import begin_anew_after_fork

from .attached import Attached, attached_to
from .connection import CachingConnection, CachingOptionEngine
from .targets import SyncSessions, binds_of, engines_of, sync_engine, sync_sessions
from .writes import DialectHooks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.orm import SessionTransaction

    from ormcache.cache import Cache

    from .targets import Listeners

__all__ = ["Enabled", "EnabledSession", "enable"]

_WANTED = (
    "a Session class or object, a sessionmaker, a scoped_session, an Engine, or the asynchronous "
    "kind of one of these"
)


class Enabled(Protocol):
    """
    Something that a cache is enabled on.
    """

    target: object

    def remove(self) -> None:
        """
        Restore it.
        """
        ...


def enable(cache: Cache, target: Any) -> Enabled:
    """
    Enable *cache* on *target* and return what undoes it.
    """
    if (engine := sync_engine(target)) is not None:
        return EnabledEngine(cache, engine, core_reads=True, target=target)
    if (sessions := sync_sessions(target)) is not None:
        return EnabledSession(cache, target, sessions)
    msg = f"a cache can be enabled on {_WANTED}, not on {target!r}"
    raise ConfigurationError(msg)


class EnabledEngine:
    """
    An engine whose connections are ours and whose dialect reports every write.
    """

    def __init__(
        self, cache: Cache, engine: Engine, *, core_reads: bool, target: object = None
    ) -> None:
        self.target = target
        self._engine: Any = engine
        known = attached_to(engine)
        if known is not None and known.cache is not cache:
            msg = f"another cache is enabled on {engine!r}; disable that one first"
            raise ConfigurationError(msg)
        self._owner = known is None
        attached = known or Attached(cache, engine)
        self.attached = attached
        self._gave_core_reads = core_reads and not attached.core_reads
        attached.core_reads = attached.core_reads or core_reads
        attached.users += 1
        if self._owner:
            attached.hooks = DialectHooks(attached)
            attached.hooks.install()
        self._shadowed = "_connection_cls" not in self._engine.__dict__
        if self._shadowed:
            self._engine._connection_cls = CachingConnection
            self._engine._option_cls = CachingOptionEngine

    def remove(self) -> None:
        """
        Restore the engine; the last user of its dialect uncovers that too.
        """
        attached = self.attached
        if self._gave_core_reads:
            attached.core_reads = False
        attached.users -= 1
        if self._shadowed:
            self._engine.__dict__.pop("_connection_cls", None)
            self._engine.__dict__.pop("_option_cls", None)
        if attached.users == 0:
            attached.hooks.remove()
            attached.detach()


class EnabledSession:
    """
    Sessions whose reads are cached, on whatever engines they turn out to use.
    """

    def __init__(self, cache: Cache, target: object, sessions: SyncSessions) -> None:
        self.target = target
        self._cache = cache
        self._sessions = sessions
        self._engines: dict[int, EnabledEngine] = {}
        self._asked: set[type[Session]] = set()
        self.begin_anew()
        begin_anew_after_fork(self)
        try:
            for engine in engines_of(target):
                self._attach(engine)
        except BaseException:
            self._forget()
            raise
        self._listeners: Listeners = {
            "after_transaction_create": self._before_begin,
            "after_begin": self._after_begin,
        }
        sessions.listen(self._listeners)

    def begin_anew(self) -> None:
        """
        Have a lock that nobody holds.
        """
        self._attaching = threading.Lock()

    def remove(self) -> None:
        """
        Stop listening, and restore the engines that were attached for these sessions.
        """
        self._sessions.unlisten(self._listeners)
        self._forget()

    def _forget(self) -> None:
        for enabled in self._engines.values():
            enabled.remove()
        self._engines.clear()

    def _attach(self, engine: Engine) -> None:
        if id(engine) in self._engines:
            return
        with self._attaching:
            if id(engine) not in self._engines:
                self._engines[id(engine)] = EnabledEngine(self._cache, engine, core_reads=False)

    def _before_begin(self, session: Session, transaction: SessionTransaction) -> None:
        # The last moment at which a connection can still become one of ours.
        if transaction.parent is None:
            for bind in self._binds(session):
                if (engine := sync_engine(getattr(bind, "engine", bind))) is not None:
                    self._attach(engine)

    def _binds(self, session: Session) -> Iterable[object]:
        kind = type(session)
        if kind.get_bind is Session.get_bind:
            return binds_of(session)
        if kind in self._asked:
            return ()
        try:
            bind = session.get_bind()
        except Exception:  # noqa: BLE001 - it wants to know for which statement, or cannot know yet
            return ()
        self._asked.add(kind)
        return (bind,)

    def _after_begin(self, _session: Session, _transaction: object, connection: Connection) -> None:
        # An engine that `get_bind()` tells for some statements only is met here for the first time:
        # this transaction's writes are seen, its reads are cached from the next one on.
        self._attach(connection.engine)
        if isinstance(connection, CachingConnection):
            connection.cached_reads = True
