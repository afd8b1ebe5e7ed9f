"""
What may a test expect of the cache: how reads end, and what is sent to the database?

    with assert_reads(cache, hits=1, misses=0):
        view(request)
    with assert_database_statements(0, engine):
        view(request)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from ormcache.errors import ConfigurationError
from ormcache.recording import Recording

__all__ = ["Recorder", "assert_database_statements", "assert_reads"]


class Recorder(Protocol):
    """
    What records a block: an `ormcache.Cache`.
    """

    def record(self) -> AbstractContextManager[Recording]:
        """
        Note how each read and commit of the block ends.
        """
        ...


@contextmanager
def assert_reads(
    cache: Recorder,
    *,
    hits: int | None = None,
    misses: int | None = None,
    bypasses: int | None = None,
) -> Iterator[Recording]:
    """
    Check how many reads of the block end in which way; what is not given is not checked.

    Yields the block's recording. Counts what `Cache.record` sees: the block's own reads.

    Raises:
        AssertionError: There were more or fewer; the message lists them all.
    """
    __tracebackhide__ = True
    with cache.record() as log:
        yield log
    expected = {"hits": hits, "misses": misses, "bypasses": bypasses}
    wrong = [
        f"{count} {name} expected, there were {getattr(log, name)}"
        for name, count in expected.items()
        if count is not None and count != getattr(log, name)
    ]
    if wrong:
        raise AssertionError("\n".join([*wrong, str(log)]))


@contextmanager
def assert_database_statements(expected: int, *targets: Any) -> Iterator[list[str]]:
    """
    Check how many statements are really sent to the database in the block.

    Yields the list that they are added to, with placeholders instead of values. Counts every
    thread's; an `executemany` is one statement, BEGIN and COMMIT are none.

    Args:
        expected: How many.
        targets: Where: engines, connections, sessions, their factories; sync or async.

    Raises:
        AssertionError: There were more or fewer; the message lists them all.
    """
    from sqlalchemy import event

    __tracebackhide__ = True
    sent: list[str] = []

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engines = {id(engine): engine for target in targets for engine in _engines(target)}
    if not engines:
        msg = "say where statements are counted: assert_database_statements(n, engine)"
        raise ConfigurationError(msg)
    for engine in engines.values():
        event.listen(engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        for engine in engines.values():
            event.remove(engine, "before_cursor_execute", count)
    if len(sent) != expected:
        listed = [f"{at}. {' '.join(sql.split())}" for at, sql in enumerate(sent, 1)]
        head = f"{expected} database statements expected, {len(sent)} sent"
        raise AssertionError("\n".join([head, *listed]))


def _engines(target: Any) -> list[Any]:
    """
    Return the engines of what a statement can be executed on, by what SQLAlchemy's objects have.
    """
    factory = getattr(target, "session_factory", target)  # a scoped_session's
    settings = getattr(factory, "kw", None)  # a sessionmaker's
    if settings is not None:
        binds = [settings.get("bind"), *(settings.get("binds") or {}).values()]
    else:
        session = getattr(target, "sync_session", target)  # an AsyncSession's
        binds = [getattr(session, "bind", session)]
    of_sync = (getattr(bind, "sync_engine", bind) for bind in binds)  # an AsyncEngine's
    engines = [found for bind in of_sync if (found := getattr(bind, "engine", None)) is not None]
    if not engines:
        msg = f"statements are counted on an engine, and {target!r} leads to none"
        raise ConfigurationError(msg)
    return engines
