"""
On what of SQLAlchemy's can a cache be enabled, and what does that come down to?

To engines and to `Session`: an `AsyncEngine` and an `AsyncSession` are thin faces of these.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Listeners = Mapping[str, Callable[..., None]]

__all__ = ["SyncSessions", "binds_of", "engines_of", "sync_bind", "sync_engine", "sync_sessions"]

_CLASS = "sync_session_class"


class SyncSessions:
    """
    The ordinary sessions behind a target: where they are bound, and how to listen to them.
    """

    def __init__(self, listened: Any, binds: Sequence[object]) -> None:
        self._listened = listened
        self.binds = tuple(bind for bind in binds if bind is not None)

    def listen(self, listeners: Listeners) -> None:
        """
        Call each of *listeners* at the event it stands under.
        """
        for name, listener in listeners.items():
            event.listen(self._listened, name, listener)

    def unlisten(self, listeners: Listeners) -> None:
        """
        Undo `listen`.
        """
        for name, listener in listeners.items():
            event.remove(self._listened, name, listener)


class _AsyncSessions(SyncSessions):
    """
    Those that a class of asynchronous sessions, or a maker of them, is going to make.

    They get a class of their own to listen to, put where SQLAlchemy looks for it: *settings* are
    the attributes of the class, or the arguments of the maker.
    """

    def __init__(
        self, settings: MutableMapping[str, Any], ordinary: type[Session], binds: Sequence[object]
    ) -> None:
        super().__init__(type(ordinary.__name__, (ordinary,), {}), binds)
        self._settings = settings
        self._before = settings.get(_CLASS)

    def listen(self, listeners: Listeners) -> None:
        super().listen(listeners)
        self._settings[_CLASS] = self._listened

    def unlisten(self, listeners: Listeners) -> None:
        super().unlisten(listeners)
        if self._before is None:
            del self._settings[_CLASS]
        else:
            self._settings[_CLASS] = self._before


class _Attributes(MutableMapping[str, Any]):
    """
    The attributes of a class that are not inherited.
    """

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __getitem__(self, name: str) -> Any:
        return vars(self._cls)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self._cls, name, value)

    def __delitem__(self, name: str) -> None:
        delattr(self._cls, name)

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self._cls))

    def __len__(self) -> int:
        return len(vars(self._cls))


def sync_engine(target: object) -> Engine | None:
    """
    Return the engine that *target* is or stands for, or None where it is no engine.
    """
    if isinstance(target, Engine):
        return target
    library = _asyncio()
    if library is not None and isinstance(target, library.AsyncEngine):
        engine: Engine = target.sync_engine
        return engine
    return None


def sync_sessions(target: Any) -> SyncSessions | None:
    """
    Return the sessions that *target* is or makes, or None where it has nothing to do with any.
    """
    if isinstance(target, Session) or (isinstance(target, type) and issubclass(target, Session)):
        return SyncSessions(target, [getattr(target, "bind", None)])
    if isinstance(target, sessionmaker):
        return SyncSessions(target, _binds_of(target))
    if isinstance(target, scoped_session):
        return SyncSessions(target, _binds_of(target.session_factory))
    library = _asyncio()
    return None if library is None else _sync_side(target, library)


def sync_bind(bind: Any) -> Any:
    """
    Return the ordinary engine, connection or session behind an asynchronous one, or *bind* itself.
    """
    library = _asyncio()
    if library is None:
        return bind
    if isinstance(bind, library.AsyncConnection):
        return bind.sync_connection
    if isinstance(bind, library.async_scoped_session):
        bind = bind.registry() if bind.registry.has() else bind.session_factory
    if isinstance(bind, library.async_sessionmaker) or (
        isinstance(bind, type) and issubclass(bind, library.AsyncSession)
    ):
        bind = bind()
    return (
        bind.sync_session if isinstance(bind, library.AsyncSession) else sync_engine(bind) or bind
    )


def binds_of(session: Session) -> set[object]:
    """
    Return what *session* itself is bound to, for whatever statement.
    """
    # Public from SQLAlchemy 2.1 on.
    binds: Any = getattr(session, "binds", None) or getattr(session, "_Session__binds", {})
    return {session.bind, *binds.values()} - {None}


def engines_of(target: Any) -> Iterator[Engine]:
    """
    Yield the engines that something to enable a cache on is known to use.
    """
    sessions = sync_sessions(target)
    for bind in (target,) if sessions is None else sessions.binds:
        if (engine := sync_engine(getattr(bind, "engine", bind))) is not None:
            yield engine


def _sync_side(target: Any, library: Any) -> SyncSessions | None:
    if isinstance(target, library.AsyncSession):
        return sync_sessions(target.sync_session)
    if isinstance(target, type) and issubclass(target, library.AsyncSession):
        made: Any = target
        return _AsyncSessions(_Attributes(target), made.sync_session_class, [])
    if isinstance(target, library.async_scoped_session):
        target = target.session_factory
    if isinstance(target, library.async_sessionmaker):
        ordinary = target.kw.get(_CLASS) or target.class_.sync_session_class
        if isinstance(ordinary, sessionmaker):  # called like a class; advanced-alchemy has it so
            return SyncSessions(ordinary, [*_binds_of(target), *_binds_of(ordinary)])
        return _AsyncSessions(target.kw, ordinary, _binds_of(target))
    return None


def _asyncio() -> Any:
    # Whoever has an object of this library has imported it.
    return sys.modules.get("sqlalchemy.ext.asyncio")


def _binds_of(maker: Any) -> list[object]:
    settings: dict[str, Any] = getattr(maker, "kw", {})
    return [settings.get("bind"), *(settings.get("binds") or {}).values()]
