"""
What was committed, when, and by whom?
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ormcache.testing.history.journal import Kind, Record, ends, records

__all__ = ["Attempt", "Past", "Span"]


class Span(NamedTuple):
    """
    A time in which the store could be reached by nobody.
    """

    began: int
    ended: int


@dataclass(slots=True)
class Attempt:
    """
    A value that somebody wrote. Times are None for what has not happened, as far as is known.
    """

    register: int
    value: int
    process: str
    committing: int | None = None
    """When its commit began, unless it is known that nothing came of it."""
    returned: int | None = None
    """When its commit returned."""
    owed: bool = False
    """Whether the store had missed it by then, while others could reach the store."""
    paid: int | None = None
    """When the store heard of it after all."""

    @property
    def known_to_store(self) -> int | None:
        """
        From when on every process must see it, unreachable writers included.
        """
        return self.paid if self.owed else self.returned


class _Floors:
    """
    The greatest value that had been committed before a moment.
    """

    def __init__(self, commits: Iterable[tuple[int, int]]) -> None:
        self._times: list[int] = []
        self._values: list[int] = [-1]
        for moment, value in sorted(commits):
            self._times.append(moment)
            self._values.append(max(value, self._values[-1]))

    def before(self, moment: int) -> int:
        return self._values[bisect_left(self._times, moment)]


class Past:
    """
    What the journals of all writers say. A commit that the store missed during one of *outages*,
    in which nobody could reach it, must be seen like any other: only a writer that was unreachable
    alone has an excuse.
    """

    def __init__(self, journals: Sequence[Path], outages: Sequence[Span] = ()) -> None:
        self.attempts: dict[int, dict[int, Attempt]] = {}
        self._outages = outages
        for path in journals:
            self._hear(path)
        self._floors: dict[int, tuple[_Floors, _Floors]] = {}
        for register, attempts in self.attempts.items():
            every = [(a.returned, a.value) for a in attempts.values() if a.returned is not None]
            told = [
                (a.known_to_store, a.value)
                for a in attempts.values()
                if a.known_to_store is not None
            ]
            self._floors[register] = (_Floors(every), _Floors(told))

    def attempt(self, register: int, value: int) -> Attempt | None:
        """
        Return who wrote *value*; None: nobody did.
        """
        return self.attempts.get(register, {}).get(value)

    def floor(self, register: int, moment: int) -> int:
        """
        Return the greatest value whose commit had returned before *moment*; -1: there is none.
        """
        floors = self._floors.get(register)
        return floors[0].before(moment) if floors else -1

    def told_floor(self, register: int, moment: int) -> int:
        """
        Return the same without what an unreachable writer still owed to the store.
        """
        floors = self._floors.get(register)
        return floors[1].before(moment) if floors else -1

    def _hear(self, path: Path) -> None:
        under_way: list[Attempt] = []
        owing: list[Attempt] = []
        for record in records(path):
            match record.kind:
                case Kind.WRITE:
                    under_way.append(self._add(record, path.stem))
                case Kind.DISCARDED:
                    self._add(record, path.stem)
                case Kind.COMMITTING:
                    _all(under_way, committing=record.began)
                case Kind.PAID:
                    _all(owing, paid=record.ended)
                    owing.clear()
                case kind if ends(kind):
                    owing += self._ended(under_way, record)
                    under_way.clear()

    def _add(self, record: Record, process: str) -> Attempt:
        attempt = Attempt(record.register, record.low, process)
        self.attempts.setdefault(record.register, {})[record.low] = attempt
        return attempt

    def _ended(self, attempts: list[Attempt], record: Record) -> list[Attempt]:
        """
        Note how a transaction ended, and return what the store still has to hear of.
        """
        match record.kind:
            case Kind.ROLLED_BACK | Kind.CONFLICT | Kind.REFUSED:
                _all(attempts, committing=None)
            case Kind.COMMITTED | Kind.OWED:
                _all(attempts, returned=record.ended)
                if record.kind == Kind.OWED and attempts and self._alone(attempts[0], record):
                    _all(attempts, owed=True)
                    return list(attempts)
        return []  # of one that failed, the outcome is unknown

    def _alone(self, attempt: Attempt, record: Record) -> bool:
        """
        Whether others could reach the store during all of a commit that it has missed.
        """
        began = attempt.committing or record.began
        return not any(o.began <= record.ended and began <= o.ended for o in self._outages)


def _all(attempts: list[Attempt], **said: Any) -> None:
    for attempt in attempts:
        for name, value in said.items():
            setattr(attempt, name, value)
