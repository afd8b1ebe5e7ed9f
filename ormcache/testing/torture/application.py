"""
What does every application under torture do, whatever its database?
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from ormcache import Cache
from ormcache.errors import CommitRefusedError
from ormcache.testing.history.journal import Journal, Kind, now
from ormcache.testing.torture.job import Job, Watch, open_cache
from ormcache.testing.torture.registers import Numbers

__all__ = ["Application", "OwnWriteUnseen"]

_ROLL_BACK = 0.12
_DISCARD = 0.12
_READ_BACK = 0.3
_LONGEST_PAUSE = 0.01
_READS_PER_WRITE = 200
"""On an idle machine and on a busy one, so that enough of the reads are hits."""
_LONGEST_REST = 0.5
_TICK = 0.005


class OwnWriteUnseen(AssertionError):
    """
    A transaction did not read what it had written itself.
    """


class Application(ABC):
    """
    One process's client, cache and journal; how it reads and writes is its subclass's affair.
    """

    def __init__(self, job: Job, journal: Journal) -> None:
        self.job = job
        self.journal = journal
        self.chance = job.chance()
        self.watch = Watch()
        self.cache: Cache = open_cache(job, self.watch)
        self.numbers = Numbers(job.slot, job.incarnation)
        self._owing = False

    def read(self) -> None:
        """
        Read some registers, in one transaction where there are any.
        """
        self._do(self.read_some)

    def write(self) -> None:
        """
        Write some registers and commit, or roll back; then perhaps read one of them again.
        """
        self._do(self.write_some)
        self._pay()
        if self.chance.random() < _READ_BACK:
            self._do(self.read_some)

    @abstractmethod
    def read_some(self) -> None:
        """
        As `read`, raising whatever goes wrong.
        """

    @abstractmethod
    def write_some(self) -> None:
        """
        As `write`, raising whatever goes wrong.
        """

    @abstractmethod
    def is_conflict(self, error: Exception) -> bool:
        """
        Whether the database itself ended the transaction, as it would have without a cache.
        """

    @abstractmethod
    def close(self) -> None:
        """
        Let go of everything.
        """

    # -- what subclasses use -----------------------------------------------------------------

    def found(self, register: int, values: list[int], began: int) -> None:
        """
        Note what a read that has just ended has found.
        """
        flags = self.watch.flags
        self.journal.read(register, (min(values), max(values)), began, now(), flags)
        if self.job.role == "reader":
            self.job.reads[self.job.slot] += 1

    def own(self, expected: int, found: list[int]) -> None:
        """
        Compare what a transaction reads of its own write.
        """
        if set(found) != {expected}:
            raise OwnWriteUnseen(f"wrote {expected}, then read {found} in the same transaction")

    def rolls_back(self) -> bool:
        """
        Whether to roll this transaction back.
        """
        return self.chance.random() < _ROLL_BACK

    def discards(self) -> bool:
        """
        Whether to write a value first that is taken back.
        """
        return self.chance.random() < _DISCARD

    def some_to_write(self) -> list[int]:
        """
        Return the registers of one transaction, in order, so that few deadlocks arise.
        """
        registers, slot = self.job.registers, self.job.slot
        ours = registers.written_by(slot, registers.pairs)
        # A note with one writer is written outside of transactions.
        ours += [r for r in registers.notes if registers.owner(r) is None]
        return sorted(self.chance.sample(ours, self.chance.choice((1, 1, 1, 2, 3))))

    def note_to_write(self) -> int:
        """
        Return a note that nobody else writes.
        """
        registers, slot = self.job.registers, self.job.slot
        return self.chance.choice([r for r in registers.notes if registers.owner(r) == slot])

    def keep_pace(self) -> None:
        """
        Wait until some reads have been done since the last write, or for a second.
        """
        until = sum(self.job.reads) + self.chance.uniform(0, 2 * _READS_PER_WRITE)
        end = time.monotonic() + _LONGEST_REST
        while sum(self.job.reads) < until and time.monotonic() < end and not self.job.stopped():
            time.sleep(_TICK)

    def pause(self) -> None:
        """
        Do nothing for a moment, as an application does between two statements.
        """
        time.sleep(self.chance.uniform(0, _LONGEST_PAUSE))

    def end(self, *, committed: bool) -> None:
        """
        Note how a transaction ended.
        """
        if not committed:
            self.journal.note(Kind.ROLLED_BACK)
            return
        self.journal.committed(delivered=self.watch.delivered)
        self._owing = self._owing or not self.watch.delivered

    def committing(self) -> None:
        """
        Note that a commit begins.
        """
        self.watch.delivered = True
        self.journal.committing()

    # -- inside ------------------------------------------------------------------------------

    def _do(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # noqa: BLE001 - whatever an application may see is the question
            if isinstance(error, CommitRefusedError) and self.job.refuses:
                self.journal.note(Kind.REFUSED)
            elif self.is_conflict(error):
                self.journal.note(Kind.CONFLICT)
            else:
                self.journal.failed(error)

    def _pay(self) -> None:
        if self._owing and self.cache.store.info()["debt"] == "0 scopes":
            self._owing = False
            self.journal.note(Kind.PAID)
