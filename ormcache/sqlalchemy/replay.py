"""
How do stored rows get back through SQLAlchemy?

Through SQLAlchemy: it compiles the statement and builds the result as always, over a cursor that
holds the stored rows. Types, loaders and the identity map behave because they are SQLAlchemy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ormcache.model import Column, Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import CursorResult
    from sqlalchemy.engine.interfaces import DBAPICursor

import sys
from collections import deque

from sqlalchemy.engine.cursor import (
    BufferedRowCursorFetchStrategy,
    FullyBufferedCursorFetchStrategy,
)

__all__ = ["ReplayCursor", "Unopened", "buffer_rows"]


class Unopened:
    """
    Stands where a `Connection` keeps its pooled connection, until one is really needed.
    """

    __slots__ = ()

    is_valid = True
    dbapi_connection = None

    def cursor(self, *_: object, **__: object) -> ReplayCursor:
        """
        Return a cursor that waits for stored rows.
        """
        return ReplayCursor()

    def close(self) -> None:
        """
        Nothing was checked out.
        """

    def _close_special(self, transaction_reset: bool = False) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's name
        """
        Nothing was checked out.
        """

    def invalidate(self, *_: object, **__: object) -> None:
        """
        Nothing was checked out.
        """


class ReplayCursor:
    """
    A DBAPI cursor over rows that are already here.

    Dialects that leave notes on a cursor may do so; nobody reads them here.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._position = 0
        self.arraysize = 1
        self.description: list[tuple[Any, ...]] | None = None
        self.lastrowid = None
        self.rowcount = -1

    def play(self, rows: Rows, *, counts: bool) -> None:
        """
        Hold *rows*; *counts*: whether the driver tells the number of rows of a SELECT.
        """
        self.description = [
            (name, code, None, None, None, None, None) for name, code in rows.columns
        ]
        self._rows = rows.rows
        self.rowcount = len(rows.rows) if counts else -1

    def fetchall(self) -> list[tuple[Any, ...]]:
        """
        Return the rows that are left.
        """
        rest = self._rows[self._position :] if self._position else self._rows
        self._position = len(self._rows)
        return rest

    def fetchone(self) -> tuple[Any, ...] | None:
        """
        Return the next row, or None.
        """
        at = self._position
        if at >= len(self._rows):
            return None
        self._position = at + 1
        return self._rows[at]

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """
        Return the next rows.
        """
        at = self._position
        some = self._rows[at : at + (size or self.arraysize)]
        self._position = at + len(some)
        return some

    def close(self) -> None:
        """
        Let go of the rows.
        """
        self._rows = []

    async def _async_soft_close(self) -> None:
        """
        Tell an `AsyncConnection`, which asks its driver's cursors, that nothing is left to fetch.
        """


def buffer_rows(result: CursorResult[Any], cursor: DBAPICursor, max_rows: int) -> Rows | None:
    """
    Take the rows from the driver's *cursor* once, and let *result* go on from the same buffer.

    Returns None where there are more than *max_rows*; the result then streams the rest itself.
    """
    description = cursor.description
    if description is None:
        return None
    rows = _plain_rows(cursor.fetchmany(max_rows + 1))
    if len(rows) > max_rows:
        result.cursor_strategy = BufferedRowCursorFetchStrategy(
            cursor, {"max_row_buffer": max_rows}, initial_buffer=deque(rows)
        )
        return None
    result.cursor_strategy = FullyBufferedCursorFetchStrategy(cursor, initial_buffer=rows)
    return Rows(tuple(Column(d[0], d[1] if type(d[1]) is int else None) for d in description), rows)


def _plain_rows(rows: Iterable[Any]) -> list[Any]:
    """
    Return rows as tuples where the driver has a list or a class of its own for them.

    A row of another class stays what it is and is refused by the codec: a dict, for one, has no
    order that SQLAlchemy relies on.
    """
    rows = list(rows)
    others = set(map(type, rows)) - {tuple}
    if others and others <= _row_classes():
        return list(map(tuple, rows))
    return rows


def _row_classes() -> set[type]:
    found: set[type] = {list}
    for module, name in (("asyncpg", "Record"), ("sqlite3", "Row")):
        if module in sys.modules:
            found.add(getattr(sys.modules[module], name))
    return found
