"""
What does one process of the torture have to do, and where?
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ormcache import Cache, CommitEvent, Outcome, Policy, ReadEvent, ShadowDifference
from ormcache.protocols import Store
from ormcache.testing.history.journal import BYPASSED, HIT, Journal
from ormcache.testing.torture.registers import Registers
from ormcache.testing.torture.unlucky import UnluckyStore

__all__ = ["KILLING", "STOP", "Job", "Role", "Watch", "open_cache"]

Role = Literal["reader", "writer"]

STOP, KILLING = 0, 1
"""
Places in the shared array: everybody is to end; writers are to kill themselves now and then.
"""


@dataclass(frozen=True)
class Job:
    """
    One process's orders.
    """

    role: Role
    database: str
    """The name by which the report calls it."""
    database_url: str
    store_url: str
    namespace: str
    slot: int
    incarnation: int
    registers: Registers
    folder: Path
    seed: int
    control: Any
    """Shared memory: see `STOP`."""
    reads: Any
    """Shared memory: how many reads each reader of the database has done."""
    ready: Any
    """A semaphore, released when the process has begun."""
    timeout: float
    lease_seconds: float
    recovery_grace: float
    refuses: bool
    """Whether a commit is to fail that the store cannot be told of."""
    spoil: Callable[[Store], Store] | None = None
    """Makes the store a wrong one, to see that it is found out."""

    @property
    def name(self) -> str:
        """
        The name of the process in histories.
        """
        return f"{self.database}-{self.role}-{self.slot}-{self.incarnation}"

    def journal(self) -> Journal:
        """
        Return the process's journal; only readers are never killed.
        """
        path = self.folder / f"{self.name}.journal"
        return Journal(path, buffered=self.role == "reader")

    def chance(self) -> random.Random:
        """
        Return the process's source of chance, which the seed decides.
        """
        return random.Random(f"{self.seed} {self.name}")  # noqa: S311 - chance, not a secret

    def stopped(self) -> bool:
        """
        Whether everybody is to end.
        """
        return bool(self.control[STOP])

    def killing(self) -> bool:
        """
        Whether writers are to kill themselves now and then.
        """
        return bool(self.control[KILLING])


class Watch:
    """
    An observer that knows how the cache took part in the last read, and in the last commit.
    """

    def __init__(self) -> None:
        self.flags = 0
        self.delivered = True

    def on_read(self, event: ReadEvent) -> None:
        """
        Note the outcome.
        """
        if event.outcome is Outcome.HIT:
            self.flags = HIT
        else:
            self.flags = BYPASSED if event.outcome is Outcome.BYPASS else 0

    def on_commit(self, event: CommitEvent) -> None:
        """
        Note whether the store had heard of it.
        """
        self.delivered = self.delivered and event.delivered

    def on_difference(self, event: ShadowDifference) -> None:
        """
        Not used: the database decides what is right here.
        """


def open_cache(job: Job, watch: Watch) -> Cache:
    """
    Return a cache as an application has it, in a process that may stall or die at each step.
    """
    cache = Cache.from_url(
        job.store_url,
        namespace=job.namespace,
        timeout=job.timeout,
        lease_seconds=job.lease_seconds,
        default=Policy(ttl=300),
        observers=[watch],
        recovery_grace=job.recovery_grace,
        on_outage="refuse" if job.refuses else "proceed",
    )
    if job.spoil is not None:
        cache.store = job.spoil(cache.store)
    dying = job.killing if job.role == "writer" else lambda: False
    cache.store = UnluckyStore(cache.store, job.chance(), dying)
    return cache
