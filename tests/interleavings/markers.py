"""
What happens besides the effects that the paths ask for?

What the database is sent, and when a read begins and ends: a program yields these between the
effects of the production paths.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ormcache.model import Scope

__all__ = [
    "EARLY",
    "LATE",
    "Asks",
    "Begins",
    "Change",
    "Got",
    "Heard",
    "OpensSnapshot",
    "Paid",
    "Query",
    "Releases",
    "RollsBack",
    "RollsBackTo",
    "SetsSavepoint",
    "Writes",
]


class Query(NamedTuple):
    """
    A statement that reads *items*, such as rows 5 and 6 of a table, and depends on *scopes*.
    """

    name: str
    items: tuple[int, ...]
    scopes: tuple[Scope, ...]


class Change(NamedTuple):
    """
    A statement that changes *items* and touches *scopes*.
    """

    name: str
    items: tuple[int, ...]
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Begins:
    """
    A transaction begins; *keeps*: it will read from one snapshot.
    """

    keeps: bool


@dataclass(frozen=True, slots=True)
class Asks:
    """
    A read begins.
    """

    query: Query


@dataclass(frozen=True, slots=True)
class Got:
    """
    A read has returned.
    """

    rows: tuple[tuple[int, int, bool], ...]
    served: bool


@dataclass(frozen=True, slots=True)
class OpensSnapshot:
    """
    The first statement of a transaction, a write, fixes what it sees.
    """


@dataclass(frozen=True, slots=True)
class Writes:
    """
    A statement that changes something is executed.
    """

    change: Change


@dataclass(frozen=True, slots=True)
class SetsSavepoint:
    """
    SAVEPOINT.
    """


@dataclass(frozen=True, slots=True)
class RollsBackTo:
    """
    ROLLBACK TO SAVEPOINT, the last one.
    """


@dataclass(frozen=True, slots=True)
class Releases:
    """
    RELEASE SAVEPOINT, the last one.
    """


@dataclass(frozen=True, slots=True)
class RollsBack:
    """
    ROLLBACK.
    """


@dataclass(frozen=True, slots=True)
class Heard:
    """
    `commit()` has returned (*error*: or raised) to the application.
    """

    delivered: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """
    The invalidations that this process owed the store have arrived there.
    """


# Seen by nobody but the actor itself, so they are no steps of their own: the first ones are taken
# together with the actor's next step, as late as can be, the others with the one before, as early
# as can be. A read begins as late and ends as early as it may: that promises it the most.
LATE = (Begins, Asks, Writes, SetsSavepoint, RollsBackTo, Releases)
EARLY = (Got, Heard, Paid, RollsBack)
