"""
What does enabling a cache on something of SQLAlchemy's change, and how is it undone?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ormcache.errors import ConfigurationError

from .attached import Attached, attached_to
from .connection import CachingConnection, CachingOptionEngine
from .writes import DialectHooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ormcache.cache import Cache

__all__ = ["Enabled", "EnabledSession", "enable", "engines_of"]

_WANTED = "a Session class or object, a sessionmaker, a scoped_session or an Engine"


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
    if isinstance(target, Engine):
        return EnabledEngine(cache, target, core_reads=True)
    if isinstance(target, Session | sessionmaker | scoped_session) or (
        isinstance(target, type) and issubclass(target, Session)
    ):
        return EnabledSession(cache, target)
    msg = f"a cache can be enabled on {_WANTED}, not on {target!r}"
    raise ConfigurationError(msg)


class EnabledEngine:
    """
    An engine whose connections are ours and whose dialect reports every write.
    """

    def __init__(self, cache: Cache, engine: Engine, *, core_reads: bool) -> None:
        self.target: object = engine
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

    def __init__(self, cache: Cache, target: Any) -> None:
        self.target: object = target
        self._cache = cache
        self._engines: dict[int, EnabledEngine] = {}
        for bind in engines_of(target):
            self._attach(bind)
        event.listen(target, "after_begin", self._after_begin)

    def remove(self) -> None:
        """
        Stop listening, and restore the engines that were attached for these sessions.
        """
        event.remove(self.target, "after_begin", self._after_begin)
        for enabled in self._engines.values():
            enabled.remove()
        self._engines.clear()

    def _attach(self, engine: Engine) -> None:
        if id(engine) not in self._engines:
            self._engines[id(engine)] = EnabledEngine(self._cache, engine, core_reads=False)

    def _after_begin(self, _session: Session, _transaction: object, connection: Connection) -> None:
        # An engine that only `get_bind()` knew is met here for the first time: this transaction's
        # writes are seen, its reads are cached from the next one on.
        self._attach(connection.engine)
        if isinstance(connection, CachingConnection):
            connection.cached_reads = True


def engines_of(target: Any) -> Iterator[Engine]:
    """
    Yield the engines that something to enable a cache on is known to use.
    """
    if isinstance(target, scoped_session):
        target = target.session_factory
    if isinstance(target, sessionmaker):
        given = [target.kw.get("bind"), *(target.kw.get("binds") or {}).values()]
    elif isinstance(target, Session):
        given = [target.bind]
    elif isinstance(target, Engine):
        given = [target]
    else:
        given = []
    for bind in given:
        engine = getattr(bind, "engine", bind)
        if isinstance(engine, Engine):
            yield engine
