"""
Which registers are there, who writes which, and which value does one get next?

A value's high bits are its place in the order of its register, its low 24 bits make it unlike any
other. Of a register with one writer that writer knows the order; one that all write is read under
`FOR UPDATE` first.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PARTS", "Numbers", "Registers"]

PARTS = 2
"""
A pair is a row and this many rows of a second table, always written in one transaction.
"""

_EACH = 8
_SHARED = 2
_UNIQUE = 24


class Registers(NamedTuple):
    """
    The registers of one act, numbered from *first*, for a number of *writers*.
    """

    first: int
    writers: int

    @property
    def pairs(self) -> range:
        """
        Each one a row of `heads` with its rows of `parts`.
        """
        return range(self.first, self.first + _EACH)

    @property
    def notes(self) -> range:
        """
        Each one a row of `notes`.
        """
        return range(self.first + _EACH, self.first + 2 * _EACH)

    @property
    def following(self) -> int:
        """
        The first number that is free.
        """
        return self.first + 2 * _EACH

    def owner(self, register: int) -> int | None:
        """
        Return the slot of the one writer of *register*; None: all write it.
        """
        place = (register - self.first) % _EACH
        return None if place < _SHARED else place % self.writers

    def written_by(self, slot: int, among: range) -> list[int]:
        """
        Return what the writer in *slot* may write.
        """
        return [register for register in among if self.owner(register) in (None, slot)]


class Numbers:
    """
    The values that one incarnation of a writer gives.
    """

    def __init__(self, slot: int, incarnation: int) -> None:
        self._slot = slot
        self._count = incarnation << 20

    def after(self, previous: int | None) -> int:
        """
        Return the value that follows *previous* in a register that all write; None: one that only
        this slot writes.
        """
        self._count += 1
        order = self._count if previous is None else (previous >> _UNIQUE) + 1
        # Incarnations of a slot follow each other, so their last bits differ for long enough.
        unique = self._slot << 20 | (self._count & 0xFFF) | (self._count >> 20 & 0xFF) << 12
        return order << _UNIQUE | unique
