"""
How does what the cache would have served differ from what the database answered?
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .effects import Effect, fetch
from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator

    from .model import Rows, Scope, TokenState

__all__ = ["compare"]


def compare(
    scopes: tuple[Scope, ...],
    before: tuple[TokenState, ...],
    cached: Rows,
    rows: Rows,
    *,
    ordered: bool,
) -> Generator[Effect, object, tuple[int, int, int] | None]:
    """
    Return rows cached, rows in the database and rows that differ; None where they are equal, or
    where a commit since the tokens *before* may be the reason.
    """
    differing = _differing(cached.rows, rows.rows, ordered=ordered)
    if not differing:
        return None
    try:
        after = (yield from fetch(None, scopes)).tokens
    except StoreError:
        return None
    # A commit between fetch and query is no difference: the hit would have been right then.
    return (len(cached.rows), len(rows.rows), differing) if after == before else None


def _differing(
    cached: list[tuple[object, ...]], rows: list[tuple[object, ...]], *, ordered: bool
) -> int:
    # By representation: equal values of different types differ, and nan equals nan.
    ours, theirs = [repr(row) for row in cached], [repr(row) for row in rows]
    if ordered:
        pairs = sum(a != b for a, b in zip(ours, theirs, strict=False))
        return pairs + abs(len(ours) - len(theirs))
    return max((Counter(ours) - Counter(theirs)).total(), (Counter(theirs) - Counter(ours)).total())
