"""
The life of a write: announce, commit, settle.

Why twice? Bumping only after the COMMIT leaves a gap in which a reader sees the new rows in the
database and the next one gets the old rows from the cache. Bumping only before it lets a reader
refill the cache with old rows in the gap. So: old entries die at the announce, nothing is filled
or served until the settle, and what was read in between lives under a token that the settle ends.

A writer that dies in between leaves its lease; whoever meets it after the deadline replaces the
token. Until then the scope is in doubt and the database answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .effects import Effect, announce, apply, settle
from .errors import StoreError
from .model import Intent

if TYPE_CHECKING:
    from collections.abc import Generator

    from .model import Scope

__all__ = ["Committed", "commit"]


class Committed(NamedTuple):
    """
    How the invalidations of a commit fared.
    """

    delivered: bool
    """False where the store missed one; the guarded store delivers it before it answers again."""


def commit(scopes: frozenset[Scope]) -> Generator[Effect, object, Committed]:
    """
    Make changes to *scopes* permanent.

    Raises whatever the database raised, after settling: a COMMIT that failed may have been
    carried out all the same (the connection broke before the answer), so an unknown outcome
    counts as committed. A store that fails never stops a commit.
    """
    if not scopes:
        yield from apply()
        return Committed(delivered=True)
    intent = Intent.of(scopes)
    # An announce that was missed does no harm once the settle has arrived: the old entries are
    # dead before commit() returns, which is all that was promised.
    yield from _attempt(announce(intent))
    try:
        yield from apply()
    except GeneratorExit:
        raise
    except BaseException:
        yield from _attempt(settle(intent))
        raise
    settled = yield from _attempt(settle(intent))
    return Committed(delivered=settled)


def _attempt(operation: Generator[Effect, object, None]) -> Generator[Effect, object, bool]:
    try:
        yield from operation
    except StoreError:
        return False
    return True
