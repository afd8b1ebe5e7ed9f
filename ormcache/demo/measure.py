"""
How long does each step take, and is each answer right?

Two applications carry out one sequence by turns, some steps at a time: one asks the database, one
the cache. So whatever else the machine does slows both, and the database's own answer is known for
every single cached one, including those right after a commit: a stale one cannot hide.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

from ormcache import CommitEvent, Outcome, ReadEvent, Reason, ShadowDifference

from .database import Application, Wording, Work
from .freshness import Freshness
from .workload import Kind, Step, Write, reads_in

__all__ = ["Result", "Run", "Tally", "compare", "differing"]


_TURN = 100
"""Steps that one application carries out before it is the other one's turn."""


@dataclass
class Run:
    """
    What one application did: for each step its kind, seconds and answer.
    """

    application: Application
    kinds: list[Kind] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    """A digest of each answer, values and types."""
    work: Work | None = field(default_factory=lambda: Work(0, 0.0))
    """What the database did for it; None where it does not say."""

    def carry_out(self, steps: Sequence[Step]) -> None:
        """
        Carry out *steps*.
        """
        before = self.application.work_so_far()
        for step in steps:
            started = time.perf_counter()
            answer = step(self.application)
            self.seconds.append(time.perf_counter() - started)
            self.kinds.append(step.kind)
            # `repr` tells 1, True, 1.0 and Decimal(1) apart.
            self.answers.append(blake2b(repr(answer).encode(), digest_size=16).digest())
        after = self.application.work_so_far()
        if self.work and before and after:
            self.work = self.work.plus(after.since(before))
        else:
            self.work = None

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


def compare(
    steps: Sequence[Step],
    database: Run,
    cached: Run,
    done: Callable[[int], object] = lambda _: None,
) -> None:
    """
    Let both applications carry out *steps* by turns; calls *done* with how many both have done.
    """
    for block in _blocks(steps):
        # A write that no cache sees: the next step of the other application, which is the same
        # write with another value, makes up for it before anybody reads.
        database.carry_out([_rehearsed(step) for step in block])
        cached.carry_out(block)
        done(len(block))


def _blocks(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """
    Divide *steps*: a write stands alone, because both must have made it before one reads on.
    """
    for kind, group in itertools.groupby(steps, type):
        several = list(group)
        size = 1 if kind is Write else _TURN
        for start in range(0, len(several), size):
            yield several[start : start + size]


def _rehearsed(step: Step) -> Step:
    # Another value: or the second write would be none, and the cache would never hear of it.
    return replace(step, value=step.value + 1) if isinstance(step, Write) else step


def differing(steps: Sequence[Step], database: Run, cached: Run) -> list[Step]:
    """
    Return the steps whose cached answer is not the database's.
    """
    answers = zip(steps, database.answers, cached.answers, strict=True)
    return [step for step, right, given in answers if right != given]


class Result(NamedTuple):
    """
    Everything the demonstration found out.
    """

    wording: Wording
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
