"""
How many reads ended how, in this process?
"""

from __future__ import annotations

from collections import Counter
from itertools import count

from .forked import begin_anew_after_fork
from .model import Outcome, Reason

__all__ = ["Counts"]

_KINDS = [(outcome, reason) for outcome in Outcome for reason in (None, *Reason)]


class Counts:
    """
    Integers that threads add to without losing any; a forked child begins at zero.
    """

    def __init__(self) -> None:
        self.begin_anew()
        begin_anew_after_fork(self)

    def begin_anew(self) -> None:
        """
        Forget everything counted so far.
        """
        # `counter[kind] += 1` loses one when two threads do it at once; `next` is one step, and
        # needs no lock. All are made now, as making one on first use would be two steps, too.
        self._kinds = {kind: count() for kind in _KINDS}

    def add(self, outcome: Outcome, reason: Reason | None) -> None:
        """
        Count one read.
        """
        next(self._kinds[outcome, reason])

    def outcomes(self) -> Counter[Outcome]:
        """
        Return the number of reads by outcome.
        """
        found: Counter[Outcome] = Counter()
        for (outcome, _), counted in self._kinds.items():
            found[outcome] += _value(counted)
        return +found

    def reasons(self) -> Counter[Reason]:
        """
        Return the number of reads by reason, of those that have one.
        """
        found: Counter[Reason] = Counter()
        for (_, reason), counted in self._kinds.items():
            if reason is not None:
                found[reason] += _value(counted)
        return +found


def _value(counted: count[int]) -> int:
    # Its only way to tell the value without taking it; copies of it go away with Python 3.14.
    return int(repr(counted).removeprefix("count(").removesuffix(")"))
