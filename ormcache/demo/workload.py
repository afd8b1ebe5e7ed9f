"""
What does an application ask its database, and what does it change?

A sequence of steps, each of which would be a request to a web application. The same seed over the
same data gives the same sequence. The application's users are interested in a few flights, days and
airports at a time, and in some far more than in others: the n-th most popular one is asked for
about 1/n times as often as the first.
"""

from __future__ import annotations

import enum
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .database import Application, Subjects

__all__ = ["Kind", "Read", "Step", "Write", "reads_in", "sequence"]


class Kind(enum.Enum):
    """
    What a step is for.
    """

    LOOKUP = "lookup"
    LIST = "list"
    AGGREGATE = "aggregate"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Read:
    """
    One question.
    """

    kind: Kind
    question: str
    subject: Any

    def __call__(self, application: Application) -> object:
        return application.ask(self.question, self.subject)

    def __str__(self) -> str:
        return f"{self.question} {self.subject!r}"


@dataclass(frozen=True, slots=True)
class Write:
    """
    One row changed, and the change committed.
    """

    table: str
    key: Any
    attribute: str
    value: int
    kind = Kind.WRITE

    def __call__(self, application: Application) -> object:
        application.change(self.table, self.key, self.attribute, self.value)
        return None

    def __str__(self) -> str:
        return f"{self.table} {self.key!r}: {self.attribute} = {self.value}"


Step = Read | Write


_READS_PER_WRITE = 750
_FEWEST_WRITES = 4
_POPULAR = 40
"""Of how many flights, planes, days… the application's users want to know at present."""


def sequence(known: Subjects, reads: int, seed: int = 2013) -> list[Step]:
    """
    Return *reads* reads with a write among every 750 of them, or among every quarter.

    Each write stands between two reads of the row that it changes.
    """
    mix = _Mix(known, random.Random(seed))  # noqa: S311 - a workload, not a secret
    every = max(3, min(_READS_PER_WRITE, reads // _FEWEST_WRITES))
    steps: list[Step] = []
    for number in range(0, reads, every):
        here = min(every, reads - number)
        change = mix.change() if here == every else []
        before = [mix.read() for _ in range((here - reads_in(change)) // 2)]
        after = [mix.read() for _ in range(here - reads_in(change) - len(before))]
        steps += [*before, *change, *after]
    return steps


def reads_in(steps: Sequence[Step]) -> int:
    """
    Return how many of *steps* are reads.
    """
    return sum(isinstance(step, Read) for step in steps)


class _Mix:
    """
    Draws steps at random.
    """

    def __init__(self, known: Subjects, rng: random.Random) -> None:
        self._rng = rng
        flights = self._popular(known.flights)
        planes = self._popular(known.planes)
        airports = self._popular(known.airports)
        hours = self._popular(known.hours)
        days = self._popular(known.days)
        months = self._popular(known.months)
        origins = self._popular(known.origins)
        # Of 100 reads, how many are which.
        self._reads: list[tuple[int, Kind, str, Callable[[], Any]]] = [
            (39, Kind.LOOKUP, "flight", flights),
            (18, Kind.LOOKUP, "plane", planes),
            (15, Kind.LOOKUP, "airport", airports),
            (3, Kind.LOOKUP, "weather", hours),
            (11, Kind.LIST, "departures", days),
            (3, Kind.LIST, "rotation", planes),
            (6, Kind.LIST, "held_up", days),
            (1, Kind.AGGREGATE, "punctuality", months),
            (2, Kind.AGGREGATE, "busiest", origins),
            (2, Kind.AGGREGATE, "wind", origins),
        ]
        self._weights = [weight for weight, *_ in self._reads]
        writes: list[tuple[str, str, str, Callable[[], Any]]] = [
            ("weather", "weather", "wind_dir", hours),
            ("plane", "planes", "seats", planes),
            ("flight", "flights", "arr_delay", flights),
            ("airport", "airports", "alt", airports),
        ]
        self._writes = itertools.cycle(writes)
        # No row holds such a value, nor the one after it: each write is a change.
        self._values = itertools.count(10_000, 2)

    def read(self) -> Read:
        """
        Return one read.
        """
        [(_, kind, question, subject)] = self._rng.choices(self._reads, self._weights)
        return Read(kind, question, subject())

    def change(self) -> list[Step]:
        """
        Return a write between two reads of the row.
        """
        question, table, attribute, subject = next(self._writes)
        key = subject()
        read = Read(Kind.LOOKUP, question, key)
        return [read, Write(table, key, attribute, next(self._values)), read]

    def _popular(self, items: Sequence[Any]) -> Callable[[], Any]:
        ranked = self._rng.sample(items, min(len(items), _POPULAR))
        weights = list(itertools.accumulate(1 / rank for rank in range(1, len(ranked) + 1)))
        return lambda: self._rng.choices(ranked, cum_weights=weights)[0]
