"""
Which primary keys did the database make for new rows?

Until they are known, an INSERT without them may have made any row appear, and touches as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ormcache.touched import TouchedScopes

    from .slices import Placed

__all__ = ["Generated"]


@dataclass(frozen=True, slots=True)
class Generated:
    """
    An INSERT that was sent.
    """

    context: Any
    placed: Placed
    only_one: bool
    """Whether nothing else has touched what it touches until its keys are known."""

    def note(self, context: Any, touched: TouchedScopes) -> None:
        """
        The execution in *context* has ended well: touch no more than what it changed.
        """
        if context is not self.context or not self.only_one:
            return
        placed = self.placed.with_keys(_keys(context, counted=self.placed.counted))
        if placed is not self.placed:
            touched.refine(self.placed.bulk, placed.scopes)


def _keys(context: Any, *, counted: bool) -> Sequence[Mapping[str, Any]]:
    """
    Return the primary keys that SQLAlchemy has been told, by column, as the database has them.

    *counted*: the number that the driver tells of a new row is its key. If not, it is something
    else to go by only where the statement returns the key itself.
    """
    columns = list(context.compiled.statement.table.primary_key)
    returned = context.compiled.effective_returning or ()
    if not counted and not all(any(column is each for each in returned) for column in columns):
        return ()
    # A type of the application's may show another value than the one that is stored.
    if not all(type(column.type).__module__.startswith("sqlalchemy.") for column in columns):
        return ()
    names = [column.name.casefold() for column in columns]
    return [dict(zip(names, row, strict=True)) for row in context.inserted_primary_key_rows]
