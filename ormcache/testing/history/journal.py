"""
What did one process do, in records that survive its SIGKILL?

One file per process, 40 bytes per record. A writer's records go to the operating system one by one:
that a commit returned is known to others only if the writer has lived to say so.
"""

from __future__ import annotations

import enum
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

__all__ = ["BYPASSED", "HIT", "Journal", "Kind", "Record", "now", "records"]

now = time.monotonic_ns
"""
The clock: on Linux and macOS, one for all processes of the machine.
"""

HIT, BYPASSED = 1, 2
"""
How the cache took part in a read; 0: it missed.
"""


class Kind(enum.IntEnum):
    """
    What happened.

    A transaction is some WRITE, then COMMITTING, then one of the five that end it. One that ends at
    COMMITTING has an unknown outcome, one that ends before it was never committed.
    """

    READ = 1
    WRITE = 2
    """A value was given to a register, for this transaction only so far."""
    DISCARDED = 3
    """A value was written that a savepoint takes back: nobody else may ever see it."""
    COMMITTING = 4
    COMMITTED = 5
    """The commit has returned."""
    OWED = 6
    """The commit has returned, and the store has missed its invalidation."""
    ROLLED_BACK = 7
    CONFLICT = 8
    """The database itself ended the transaction: a deadlock, a failed serialization."""
    REFUSED = 9
    """The cache refused the commit before the database was asked."""
    FAILED = 10
    """An exception that the application should not have seen."""
    PAID = 11
    """Whatever this process owed has arrived at the store."""


_ENDS = frozenset(
    (Kind.COMMITTED, Kind.OWED, Kind.ROLLED_BACK, Kind.CONFLICT, Kind.REFUSED, Kind.FAILED)
)
_LAYOUT = struct.Struct("<BBHxxxxqqqq")
_BUFFER = 1 << 16


class Record(NamedTuple):
    """
    One thing that happened between *began* and *ended*; *low* and *high* differ where a read found
    several values in one register.
    """

    kind: int
    flags: int
    register: int
    low: int
    high: int
    began: int
    ended: int


class Journal:
    """
    Writes one process's file. *buffered*: whether the last records may be lost with the process.
    """

    def __init__(self, path: Path, *, buffered: bool) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._errors = path.with_suffix(".errors")
        self._limit = _BUFFER if buffered else 0
        self._buffer = bytearray()

    def read(
        self, register: int, values: tuple[int, int], began: int, ended: int, flags: int = 0
    ) -> None:
        """
        Note a read that found *values*, the least and the greatest, in *register*.
        """
        self._add(Kind.READ, flags, register, *values, began, ended)

    def wrote(self, register: int, value: int) -> None:
        """
        Note, before it is done, that *value* will be written.
        """
        moment = now()
        self._add(Kind.WRITE, 0, register, value, value, moment, moment)

    def discarded(self, register: int, value: int) -> None:
        """
        Note, before it is done, that *value* will be written and taken back.
        """
        moment = now()
        self._add(Kind.DISCARDED, 0, register, value, value, moment, moment)

    def committing(self) -> None:
        """
        Note that the commit of what was written begins.
        """
        self.note(Kind.COMMITTING)

    def committed(self, *, delivered: bool = True) -> None:
        """
        Note that the commit has returned, and whether the store had heard of it by then.
        """
        self.note(Kind.COMMITTED if delivered else Kind.OWED)

    def failed(self, error: BaseException) -> None:
        """
        Note an exception that the application should not have seen.
        """
        self.note(Kind.FAILED)
        with self._errors.open("a", encoding="utf-8") as file:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            file.write(f"{now()} {said[:500]}\n")

    def note(self, kind: Kind) -> None:
        """
        Note what concerns the transaction, or the process, as a whole.
        """
        moment = now()
        self._add(kind, 0, 0, 0, 0, moment, moment)

    def close(self) -> None:
        """
        Write what is left and close the file.
        """
        self._flush()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, *record: int) -> None:
        self._buffer += _LAYOUT.pack(*record)
        if len(self._buffer) >= self._limit:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            os.write(self._file, self._buffer)
            self._buffer.clear()


def records(path: Path) -> Iterator[Record]:
    """
    Yield what is in a journal, in the order in which it happened.
    """
    size = _LAYOUT.size * 4096
    with path.open("rb") as file:
        while chunk := file.read(size):
            # The end of a record that was being written when its process was killed is dropped.
            whole = len(chunk) - len(chunk) % _LAYOUT.size
            yield from map(Record._make, _LAYOUT.iter_unpack(chunk[:whole]))


def ends(kind: int) -> bool:
    """
    Whether a record of this kind ends a transaction.
    """
    return kind in _ENDS
