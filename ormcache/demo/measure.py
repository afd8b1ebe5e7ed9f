"""
How long does each step take, and is each answer right?

A sequence is carried out first without and then with the cache, from the same state of the data.
So the database's own answer is known for every single cached one, including those right after a
write, and a stale one cannot hide between samples.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from ormcache import Cache, CommitEvent, Outcome, ReadEvent, Reason, ShadowDifference

from .models import Flight
from .statements import Work, work_so_far
from .workload import Kind, Step, Write, reads_in

__all__ = [
    "Freshness",
    "Result",
    "Run",
    "Seen",
    "Tally",
    "carry_out",
    "differing",
    "show_freshness",
    "undone",
]


@dataclass(frozen=True)
class Run:
    """
    A sequence carried out: for each step its kind, seconds and answer.
    """

    kinds: list[Kind]
    seconds: list[float]
    answers: list[bytes]
    """A digest of each answer, values and types."""
    work: Work | None
    """What the database did; None where it does not say."""

    def quantile(self, kind: Kind, share: float) -> float:
        """
        Return the seconds within which this share of the steps of *kind* was done.
        """
        found = sorted(s for k, s in zip(self.kinds, self.seconds, strict=True) if k is kind)
        return found[min(int(share * len(found)), len(found) - 1)] if found else 0.0


@dataclass
class Tally:
    """
    An observer that counts how reads were answered, statement by statement.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    """Why statements were no hits, where there is a reason besides "not seen before"."""
    last: Outcome | None = None

    def on_read(self, event: ReadEvent) -> None:
        self.outcomes[event.outcome] += 1
        self.last = event.outcome
        if event.reason is not None:
            self.reasons[event.reason, event.detail] += 1

    def on_commit(self, event: CommitEvent) -> None:
        pass

    def on_difference(self, event: ShadowDifference) -> None:
        pass

    @property
    def hit_rate(self) -> float:
        """
        Return the share of hits among everything that was asked, bypasses included.
        """
        return self.outcomes[Outcome.HIT] / (self.outcomes.total() or 1)


def carry_out(
    steps: Sequence[Step],
    sessions: sessionmaker[Session],
    counters: Engine,
    done: Callable[[], object] = lambda: None,
) -> Run:
    """
    Carry out *steps*, each in a session of its own; calls *done* after each.

    Args:
        counters: an engine of its own to ask the database what it has done
    """
    seconds: list[float] = []
    answers: list[bytes] = []
    before = work_so_far(counters)
    for step in steps:
        started = time.perf_counter()
        with sessions() as session:
            answer = step(session)
        seconds.append(time.perf_counter() - started)
        # `repr` tells 1, True, 1.0 and Decimal(1) apart.
        answers.append(blake2b(repr(answer).encode(), digest_size=16).digest())
        done()
    after = work_so_far(counters)
    work = after.since(before) if before and after else None
    return Run([step.kind for step in steps], seconds, answers, work)


def differing(steps: Sequence[Step], database: Run, cached: Run) -> list[Step]:
    """
    Return the steps whose cached answer is not the database's.
    """
    answers = zip(steps, database.answers, cached.answers, strict=True)
    return [step for step, right, given in answers if right != given]


@contextmanager
def undone(steps: Sequence[Step], sessions: sessionmaker[Session]) -> Iterator[None]:
    """
    After the block, the rows that *steps* change are as they were before it.
    """
    writes = {
        (step.model, step.key, step.attribute): step for step in steps if isinstance(step, Write)
    }
    with sessions() as session:
        originals = {
            place: getattr(session.get_one(step.model, step.key), step.attribute)
            for place, step in writes.items()
        }
    yield
    with sessions.begin() as session:
        for (model, key, attribute), value in originals.items():
            setattr(session.get_one(model, key), attribute, value)


class Seen(NamedTuple):
    """
    What a reader was shown, how it was answered, and in how many seconds.
    """

    value: int | None
    outcome: Outcome | None
    seconds: float


class Freshness(NamedTuple):
    """
    A flight's delay as one application sees it, while another one changes it.
    """

    before: Seen
    written: int
    after: Seen
    again: Seen

    @property
    def stale(self) -> int:
        """
        Return how many of the reads after the commit showed the old value.
        """
        return sum(seen.value != self.written for seen in (self.after, self.again))


def show_freshness(
    key: int, reader: sessionmaker[Session], tally: Tally, store: Cache, writer: Engine
) -> Freshness:
    """
    Let an application read a flight, another one change it, and the first read it twice more.

    Args:
        store: a cache of the other application's own, on the same store
        writer: an engine of its own
    """

    def read() -> Seen:
        started = time.perf_counter()
        with reader() as session:
            value = session.get_one(Flight, key).arr_delay
        return Seen(value, tally.last, time.perf_counter() - started)

    other = sessionmaker(writer)
    store.enable(other)
    read()
    before = read()
    written = (before.value or 0) + 60
    with other.begin() as session:
        session.get_one(Flight, key).arr_delay = written
    return Freshness(before, written, read(), read())


class Result(NamedTuple):
    """
    Everything the demonstration found out.
    """

    flights: int
    steps: Sequence[Step]
    database: Run
    cached: Run
    tally: Tally
    freshness: Freshness
    differing: Sequence[Step]

    @property
    def reads(self) -> int:
        """
        Return how many reads each run consists of.
        """
        return reads_in(self.steps)

    @property
    def stale(self) -> int:
        """
        Return how many answers were not what the database would have given.
        """
        return len(self.differing) + self.freshness.stale
