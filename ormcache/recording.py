"""
What became of the reads and commits of one block?

A recording is an observer that only the block's own context knows: nobody else's reads build
events for it, and reads outside of every block cost one look at a context variable.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .events import CommitEvent, ReadEvent, ShadowDifference
from .model import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    Event = ReadEvent | CommitEvent | ShadowDifference

__all__ = ["Recording"]

_HEADINGS = ("outcome", "why", "tables", "statement", "store ms", "db ms")
_WIDEST = 60


class Recording:
    """
    Every read and commit of a `Cache.record` block; `str()` shows them as a table.
    """

    __slots__ = ("_open", "events")

    def __init__(self) -> None:
        self.events: list[Event] = []
        """Reads, commits and shadow mode's differences, in the order in which they ended."""
        self._open = True

    def __repr__(self) -> str:
        return f"<Recording {self._summary()}>"

    def __str__(self) -> str:
        if not self.events:
            return "no read and no commit"
        return f"{_table([_HEADINGS, *map(_row, self.events)])}\n{self._summary()}"

    @property
    def reads(self) -> list[ReadEvent]:
        """
        The reads, in order.
        """
        return [event for event in self.events if isinstance(event, ReadEvent)]

    @property
    def commits(self) -> list[CommitEvent]:
        """
        The ends of transactions that touched something, in order.
        """
        return [event for event in self.events if isinstance(event, CommitEvent)]

    @property
    def differences(self) -> list[ShadowDifference]:
        """
        What shadow mode saw differ.
        """
        return [event for event in self.events if isinstance(event, ShadowDifference)]

    @property
    def hits(self) -> int:
        """
        How many reads the cache answered.
        """
        return self._counts()[Outcome.HIT]

    @property
    def misses(self) -> int:
        """
        How many reads found no entry that is current: none at all, or a stale one.
        """
        counts = self._counts()
        return counts[Outcome.MISS] + counts[Outcome.STALE]

    @property
    def collapsed(self) -> int:
        """
        How many reads got the rows of another one that was loading the same entry.
        """
        return self._counts()[Outcome.COLLAPSED]

    @property
    def bypasses(self) -> int:
        """
        How many reads were left to the database; each says why.
        """
        return self._counts()[Outcome.BYPASS]

    def close(self) -> None:
        """
        Record nothing more: a task started in the block may outlive it.
        """
        self._open = False

    # -- what an observer is told ------------------------------------------------------------

    def on_read(self, event: ReadEvent) -> None:
        self._note(event)

    def on_commit(self, event: CommitEvent) -> None:
        self._note(event)

    def on_difference(self, event: ShadowDifference) -> None:
        self._note(event)

    def _note(self, event: Event) -> None:
        if self._open:
            self.events.append(event)

    def _counts(self) -> Counter[Outcome]:
        return Counter(read.outcome for read in self.reads)

    def _summary(self) -> str:
        counted = (
            (self.hits, "hit", "hits"),
            (self.misses, "miss", "misses"),
            *([(self.collapsed, "collapsed", "collapsed")] if self.collapsed else []),
            (self.bypasses, "bypass", "bypasses"),
            (len(self.commits), "commit", "commits"),
        )
        return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in counted)


def _row(event: Event) -> tuple[str, ...]:
    match event:
        case ReadEvent():
            why = ": ".join(
                part for part in (event.reason and event.reason.value, event.detail) if part
            )
            return _cells(
                event.outcome.value, why, event, event.store_seconds, event.database_seconds
            )
        case CommitEvent():
            return _cells("commit", _lacking(event), event, event.store_seconds)
        case ShadowDifference():
            rows = f"{event.cached_rows} rows cached, {event.database_rows} in the database"
            return _cells("differs", f"{rows}, {event.differing_rows} differ", event)


def _lacking(event: CommitEvent) -> str:
    if not event.committed:
        return "the database raised"
    return "" if event.delivered else "the store missed it"


def _cells(
    outcome: str, why: str, event: Event, store: float = 0.0, database: float = 0.0
) -> tuple[str, ...]:
    statement = getattr(event, "statement", "")
    tables = ", ".join(event.tables)
    return (
        outcome,
        why,
        tables,
        _shortened(statement),
        _milliseconds(store),
        _milliseconds(database),
    )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f}" if seconds else ""


def _shortened(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = len(widths) - 2  # the last two columns
    lines = (
        "  ".join(
            cell.rjust(width) if at >= numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
