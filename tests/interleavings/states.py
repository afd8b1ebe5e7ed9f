"""
What is there to know about the whole system at one moment?

Everything in here is a value: compared, hashed and kept by the hundred thousand. The database is
the list of its commits, so its content after any number of them is known for ever.
"""

from typing import Any, NamedTuple

from ormcache.model import Scope

__all__ = [
    "EMPTY",
    "FINISHED",
    "IDLE",
    "Actor",
    "Failed",
    "Loaded",
    "Orphan",
    "Reading",
    "State",
    "Transaction",
    "version",
]

FINISHED = 1_000


class Failed(NamedTuple):
    """
    An effect was answered by raising this.
    """

    error: type[BaseException]


class Loaded(NamedTuple):
    """
    An effect was answered by these rows: item, version, and whether the change is the reader's.
    """

    rows: tuple[tuple[int, int, bool], ...]


class Reading(NamedTuple):
    """
    A read in progress, and what was true when it began.
    """

    items: tuple[int, ...] = ()
    promised: tuple[int, ...] = ()
    seen: tuple[int, ...] = ()


class Transaction(NamedTuple):
    """
    A transaction in progress, as the database and a watcher of the protocol see it.
    """

    keeps: bool = False
    """Whether it reads from one snapshot; otherwise each statement sees the latest commit."""
    snapshot: int = -1
    """How many commits the snapshot holds; -1: not taken yet."""
    frames: tuple[frozenset[int], ...] = (frozenset(),)
    """The items it has written: one set for each savepoint on top of the first."""
    scopes: tuple[Scope, ...] = ()
    """What it has announced."""
    announced: bool = False
    exposed: bool = False
    """Whether something took its lease away, so that its gap is not covered."""
    commit: int = 0
    """The number of its commit; 0: it has not been committed."""
    pending: bool = False
    """Whether its COMMIT is on its way to the database, and nobody waits for it."""
    floors: Reading = Reading()
    """With a snapshot: what was true when its first read began."""
    served: tuple[tuple[int, int], ...] = ()
    """With a snapshot: item and version of the hits before it was taken."""

    @property
    def written(self) -> frozenset[int]:
        """
        Every item it has written and not undone.
        """
        return frozenset().union(*self.frames)


EMPTY = Transaction()
IDLE = Reading()


class Actor(NamedTuple):
    """
    One process, connection or session, at a point of its program.

    It is what it was answered: its transaction is a generator, and a generator that is sent the
    same answers is at the same place.
    """

    program: int
    stage: int = 0
    """Which transaction of its program it is in."""
    answers: tuple[Any, ...] = ()
    transaction: Transaction = EMPTY
    reading: Reading = IDLE
    owes: int = 0
    """The number of its commit of which the store has not heard; 0: there is none."""


class Orphan(NamedTuple):
    """
    A transaction that nobody waits for any more: killed, or of an end that nobody heard.
    """

    written: tuple[int, ...]
    scopes: tuple[Scope, ...]
    exposed: bool
    commit: int
    """The number of its commit; 0: it is still on its way to the database."""


class State(NamedTuple):
    """
    The database, the store, the actors, and what was promised to whom.
    """

    log: tuple[tuple[int, ...], ...]
    """The commits so far, each with the items it changed."""
    promised: tuple[int, ...]
    """By item: the version that every read which begins now must see at least."""
    seen: tuple[int, ...]
    """By item: the newest version that some read has returned."""
    exposed: tuple[int, ...]
    """The commits whose gap between COMMIT and settle was not covered by a lease."""
    budget: int
    """How many faults may still happen."""
    entries: tuple[tuple[str, bytes, float], ...]
    tokens: tuple[tuple[Scope, bytes, tuple[tuple[str, int], ...]], ...]
    """With the leases and how long they run."""
    late: tuple[Any, ...]
    """Store operations that are still on their way."""
    orphans: tuple[Orphan, ...]
    actors: tuple[Actor, ...]


def version(log: tuple[tuple[int, ...], ...], moment: int, item: int) -> int:
    """
    Return the version of *item* after the first *moment* commits.
    """
    return sum(item in commit for commit in log[:moment])
