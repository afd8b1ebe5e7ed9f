"""
What does one application see of what another one changes?
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from ormcache import Outcome

from .database import Application

if TYPE_CHECKING:
    from .measure import Tally

__all__ = ["Freshness", "Seen", "show_freshness"]


class Seen(NamedTuple):
    """
    What a reader was shown, how it was answered, and in how many seconds.
    """

    value: object
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


def show_freshness(key: int, reader: Application, tally: Tally, writer: Application) -> Freshness:
    """
    Let an application read a flight, another one change it, and the first read it twice more.

    Args:
        tally: observes the reader's cache
        writer: has a cache of its own, on the same store
    """

    def read() -> Seen:
        started = time.perf_counter()
        value = reader.ask("delay", key)
        return Seen(value, tally.last, time.perf_counter() - started)

    read()
    before = read()
    written = (before.value if isinstance(before.value, int) else 0) + 60
    writer.change("flights", key, "arr_delay", written)
    return Freshness(before, written, read(), read())
