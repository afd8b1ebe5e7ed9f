"""
The life of a write: announce, commit, settle.

Why twice? Bumping only after the COMMIT leaves a gap in which a reader sees the new rows in the
database and the next one gets the old rows from the cache. Bumping only before it lets a reader
refill the cache with old rows in the gap. So: old entries die at the announce, nothing is filled
or served until the settle, and what was read in between lives under a token that the settle ends.

A writer that dies in between leaves its lease; whoever meets it after the deadline replaces the
token. Until then the scope is in doubt and the database answers.

The same goes for a COMMIT of which nobody heard the end: the connection broke, the task that waited
for it was cancelled. It may still be on its way, and were the scopes quiet when it arrives, what a
reader has filled just before would be old and would stay. So such a commit renews its lease instead
of settling. Where the database itself has refused, nothing can follow, and the scopes are settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .effects import Effect, announce, apply, settle
from .errors import CommitRefusedError, StoreError
from .model import Intent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .model import Scope

__all__ = ["Committed", "commit"]

_REFUSED = (
    "nothing was committed: the cache's store does not answer, and without it other processes "
    "would read old data after this commit. Repeat the transaction when the store is back, or set "
    "on_outage='proceed' to commit all the same"
)


class Committed(NamedTuple):
    """
    How the invalidations of a commit fared.
    """

    delivered: bool
    """False where the store missed one; the guarded store delivers it before it answers again."""


def commit(
    scopes: frozenset[Scope],
    refused: Callable[[BaseException], bool],
    *,
    refuse: bool = False,
) -> Generator[Effect, object, Committed]:
    """
    Make changes to *scopes* permanent.

    *refused* tells of what the database raised whether it was the database's own answer, after
    which nothing of this commit can follow.

    Raises whatever the database raised, after the invalidation. A store that fails stops no commit,
    unless *refuse* wants it to, and then only one that has not been sent.

    Raises:
        CommitRefusedError: It is to *refuse* what the store cannot be told of before.
    """
    if not scopes:
        yield from apply()
        return Committed(delivered=True)
    intent = Intent.of(scopes)
    # What takes the scopes out of doubt, or leaves them in it, when the way ends too early.
    ending = settle
    try:
        # An announce that was missed does no harm once the settle has arrived: the old entries
        # are dead before commit() returns, which is all that was promised.
        announced = yield from _attempt(announce(intent))
        _check(announced, refuse)
        try:
            yield from apply()
        except BaseException as exc:
            ending = settle if refused(exc) else announce
            raise
        return Committed(delivered=(yield from _attempt(settle(intent))))
    except GeneratorExit:
        raise  # dropped, as a killed process is: the lease runs out
    except BaseException:
        yield from _attempt(ending(intent))
        raise


def _check(announced: bool, refuse: bool) -> None:  # noqa: FBT001 - what was heard, what is wanted
    if refuse and not announced:
        raise CommitRefusedError(_REFUSED)


def _attempt(operation: Generator[Effect, object, None]) -> Generator[Effect, object, bool]:
    try:
        yield from operation
    except StoreError:
        return False
    return True
