"""
Which reads were wrong?

    stale         older than a commit that had returned before the read began
    owed          the same, but the commit's invalidation was still owed by a writer that could not
                  reach the store while others could: the documented limit of `proceed`
    uncommitted   a value that was rolled back, or whose commit had not even begun
    torn          two values in one register at once
    backwards     older than what the same process had read before
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ormcache.testing.history.journal import BYPASSED, HIT, Kind, Record, records
from ormcache.testing.history.past import Past

__all__ = ["Finding", "Phase", "Tally", "check"]

_KEPT = 20


class Phase(NamedTuple):
    """
    A stretch of time with a name, until the next phase begins.
    """

    name: str
    began: int


class Finding(NamedTuple):
    """
    One wrong read: what is wrong, whose it was, and the least value that it should have found.
    """

    wrong: str
    process: str
    read: Record
    least: int


@dataclass
class Tally:
    """
    What happened in one phase.
    """

    reads: int = 0
    hits: int = 0
    bypassed: int = 0
    stale: int = 0
    owed: int = 0
    uncommitted: int = 0
    torn: int = 0
    backwards: int = 0
    commits: int = 0
    rolled_back: int = 0
    conflicts: int = 0
    refused: int = 0
    errors: int = 0
    longest_without_hit: float = 0.0
    """Seconds between two hits of one process."""
    findings: list[Finding] = field(default_factory=list)

    def found(self, finding: Finding) -> None:
        """
        Count a wrong read; the first of each kind are kept.
        """
        count = getattr(self, finding.wrong) + 1
        setattr(self, finding.wrong, count)
        if count <= _KEPT:
            self.findings.append(finding)


def check(journals: Sequence[Path], past: Past, phases: Sequence[Phase]) -> dict[str, Tally]:
    """
    Return what happened in each phase, by its name. Phases are in order and share names at will.
    """
    tallies = {phase.name: Tally() for phase in phases}
    of_phase = [tallies[phase.name] for phase in phases]
    begins = [phase.began for phase in phases]

    def tally_at(moment: int) -> Tally:
        return of_phase[max(bisect_right(begins, moment) - 1, 0)]

    for path in journals:
        reader = _Reader(path.stem, past)
        for record in records(path):
            if record.kind == Kind.READ:
                reader.judge(record, tally_at(record.ended))
            else:
                _count(record, tally_at(record.began))
    return tallies


_COUNTED = {
    Kind.COMMITTED: "commits",
    Kind.OWED: "commits",
    Kind.ROLLED_BACK: "rolled_back",
    Kind.CONFLICT: "conflicts",
    Kind.REFUSED: "refused",
    Kind.FAILED: "errors",
}


def _count(record: Record, tally: Tally) -> None:
    name = _COUNTED.get(Kind(record.kind))
    if name is not None:
        setattr(tally, name, getattr(tally, name) + 1)


class _Reader:
    """
    Judges the reads of one process, in their order.
    """

    def __init__(self, process: str, past: Past) -> None:
        self._process = process
        self._past = past
        self._known: dict[int, int] = {}
        self._hit_at: int | None = None
        self._hit_in: Tally | None = None

    def judge(self, read: Record, tally: Tally) -> None:
        """
        Count one read in *tally*.
        """
        tally.reads += 1
        if read.flags & HIT:
            tally.hits += 1
        elif read.flags & BYPASSED:
            tally.bypassed += 1
        self._without_hit(read, tally)
        if read.low != read.high:
            tally.found(Finding("torn", self._process, read, read.high))
        for value in {read.low, read.high}:
            if not self._was_committed(read, value):
                tally.found(Finding("uncommitted", self._process, read, value))
        self._order(read, tally)

    def _was_committed(self, read: Record, value: int) -> bool:
        attempt = self._past.attempt(read.register, value)
        return (
            attempt is not None
            and attempt.committing is not None
            and attempt.committing <= read.ended
        )

    def _order(self, read: Record, tally: Tally) -> None:
        floor = self._past.floor(read.register, read.began)
        known = self._known.get(read.register, -1)
        if read.low < floor:
            told = self._past.told_floor(read.register, read.began)
            wrong = "stale" if read.low < told else "owed"
            tally.found(Finding(wrong, self._process, read, floor))
        elif read.low < known:
            # Not stale, so the commit of what was read before has not returned, or not for all.
            tally.found(Finding("backwards", self._process, read, known))
        self._known[read.register] = max(known, read.low)

    def _without_hit(self, read: Record, tally: Tally) -> None:
        if self._hit_at is None or self._hit_in is None:
            self._hit_at, self._hit_in = read.began, tally
        # The time counts for the phase that it began in, be it still going on.
        self._hit_in.longest_without_hit = max(
            self._hit_in.longest_without_hit, (read.ended - self._hit_at) / 1e9
        )
        if read.flags & HIT:
            self._hit_at, self._hit_in = read.ended, tally
