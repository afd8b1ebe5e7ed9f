"""
What must a database be able to do to take part in the demonstration?

To be filled with the flights, and to serve applications that ask the same questions and make the
same changes, by the names that `workload` uses: a question is asked about a subject, a change is of
one number in one row of a table. An answer consists of plain values in a definite order, so that
two answers can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ormcache import Cache

__all__ = [
    "Application",
    "Database",
    "Day",
    "DemoError",
    "InUseError",
    "OpenDatabase",
    "RefusedError",
    "Subjects",
    "Wording",
    "Work",
]

Day = tuple[str, int, int]
"""
An airport, a month and a day.
"""


class DemoError(Exception):
    """
    The demonstration cannot take place; the message says why, without secrets.
    """


class InUseError(DemoError):
    """
    The demonstration's schema or database is there already, and may not be ours.
    """


class RefusedError(DemoError):
    """
    The database did not answer, or did not do as it was told.
    """


class Work(NamedTuple):
    """
    What a database has carried out, and the seconds it was busy with it.
    """

    requests: int
    """Statements, or commands."""
    seconds: float

    def plus(self, further: Work) -> Work:
        """
        Return both together.
        """
        return Work(self.requests + further.requests, self.seconds + further.seconds)

    def since(self, earlier: Work) -> Work:
        """
        Return what has been done since an earlier reading.
        """
        return Work(self.requests - earlier.requests, self.seconds - earlier.seconds)


class Wording(NamedTuple):
    """
    How things are called where this database is at home.
    """

    work: str
    """What it carries out, such as "statements"."""
    reads: str
    """What the application does, such as "ORM reads"."""
    asked: str
    """What the cache answers: one of those may consist of several."""
    listing: str
    """A read of some rows with what belongs to them."""
    writing: str
    """A change, as a kind of step."""
    writes: str
    """Several of them."""
    uncounted: str
    """Why nobody counted its work."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """
    What can be asked for: each list in the order of its keys.
    """

    flights: Sequence[int]
    planes: Sequence[str]
    airports: Sequence[str]
    hours: Sequence[tuple[str, Any]]
    days: Sequence[Day]
    months: Sequence[int]
    origins: Sequence[str]


class Application(Protocol):
    """
    One process's worth of application; its reads may come from a cache.
    """

    def ask(self, question: str, subject: Any) -> object:
        """
        Return the answer to a question, as a request of a user's would.
        """

    def change(self, table: str, key: Any, attribute: str, value: int) -> None:
        """
        Change one number, for everybody to see.
        """

    def work_so_far(self) -> Work | None:
        """
        Return what the database has done, for this application or altogether; None where nobody
        counts it. Only differences between two readings mean anything.
        """


class Database(Protocol):
    """
    An empty place in a database, there for the demonstration only.
    """

    wording: Wording

    def load(self, flights: int, loaded: Callable[[int], object]) -> None:
        """
        Fill it; calls *loaded* with the number of rows after each batch.

        Args:
            flights: how many flights at most, in the order of the file, which begins in January
        """

    def subjects(self) -> Subjects:
        """
        Return what it holds.
        """

    def application(self, cache: Cache | None = None) -> AbstractContextManager[Application]:
        """
        Within the block there is an application that begins with nothing prepared.
        """


OpenDatabase = Callable[[], AbstractContextManager[Database]]
"""
Within the block there is an empty place; after it there is none. Raises `InUseError`.
"""
