"""
How do the acts of the torture follow each other, and what comes out?
"""

from __future__ import annotations

import multiprocessing
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, get_args

from ormcache import Cache
from ormcache.protocols import Store
from ormcache.testing.history import Journal, Past, Phase, Tally, check, now, tell
from ormcache.testing.torture.crew import Crew
from ormcache.testing.torture.faults import Act, Fault
from ormcache.testing.torture.harm import Harm
from ormcache.testing.torture.job import STOP, Job, Role
from ormcache.testing.torture.proxy import Proxy
from ormcache.testing.torture.registers import Registers
from ormcache.testing.torture.stack import Stack, stack
from ormcache.testing.torture.worker import workload

__all__ = ["Options", "Result", "Row", "torture"]

_TIMEOUT = 0.25
"""Seconds that one operation of the store may take: many processes share few cores here."""
_LEASE = 2.0
_GRACE = 3.0
_TOLD = 3
"""How many wrong reads of one database in one act are told in full."""
_PRELOADED = [
    *(f"ormcache.testing.torture.{name}" for name in ("worker", "sql", "mongo")),
    *("ormcache.codecs.bson", "ormcache.codecs.rows", "ormcache.stores.redis"),
    *("psycopg", "pymysql", "sqlglot"),
]
"""What each process would else import, if installed; some of it at its first read."""


@dataclass(frozen=True)
class Options:
    """
    What to torture, and how.
    """

    databases: tuple[str, ...] = ()
    """URLs; none: PostgreSQL, MariaDB and MongoDB are started."""
    store: str | None = None
    """A URL; None: a store is started, and may be harmed itself."""
    seconds: float = 60.0
    seed: int = 0
    readers: int = 2
    """Processes for each database."""
    writers: int = 2
    faults: tuple[str, ...] = ()
    """Names; none: all that are possible."""
    spoil: Callable[[Store], Store] | None = None


@dataclass(frozen=True)
class Row:
    """
    What happened in one database during one fault.
    """

    database: str
    fault: Fault
    tally: Tally

    @property
    def wrong(self) -> bool:
        """
        Whether a promise was broken.
        """
        found = self.tally
        wrong = found.stale + found.uncommitted + found.torn + found.errors
        wrong += 0 if self.fault.may_go_back else found.backwards
        # Under `proceed` a writer that is cut off alone may leave reads to the others that are old.
        return bool(wrong + (found.owed if self.fault.act == "refusing" else 0))


@dataclass
class Result:
    """
    What came out.
    """

    options: Options
    servers: list[str]
    """What was tortured, in words."""
    rows: list[Row] = field(default_factory=list)
    killed: int = 0
    stories: list[str] = field(default_factory=list)
    """Wrong reads, and errors that the applications saw."""

    @property
    def wrong(self) -> bool:
        """
        Whether a promise was broken.
        """
        return any(row.wrong for row in self.rows)


def torture(options: Options, tell_progress: Callable[[str], object] = lambda _: None) -> Result:
    """
    Do all that *options* say, which takes about their seconds and a while before and after.

    Raises:
        ConfigurationError: A URL is wrong, or no fault is possible.
        ServerUnavailable: A server could not be had.
    """
    with stack(options.databases, options.store, tell_progress) as place:
        faults = place.possible(options.faults)
        result = Result(options, place.descriptions)
        acts = [act for act in get_args(Act) if any(fault.act == act for fault in faults)]
        registers = _registers(len(acts), options.writers)
        with _tables(place, registers):
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(_PRELOADED)
            for act, ours in zip(acts, registers, strict=True):
                todo = [fault for fault in faults if fault.act == act]
                seconds = options.seconds * len(todo) / len(faults)
                _Performance(context, place, options, ours, act, todo, result).run(
                    seconds, tell_progress
                )
    return result


class _Performance:
    """
    One act: its processes live through all of its faults.
    """

    def __init__(
        self,
        context: ForkServerContext,
        place: Stack,
        options: Options,
        registers: Registers,
        act: Act,
        faults: list[Fault],
        result: Result,
    ) -> None:
        self._context = context
        self._place = place
        self._options = options
        self._registers = registers
        self._act = act
        self._databases = place.databases
        self._faults = faults
        self._result = result
        self._chance = random.Random(f"{options.seed} {act}")  # noqa: S311 - chance, no secret
        self._control: Any = context.Array("b", 2, lock=False)
        self._ready = context.Semaphore(0)
        self._phases: list[Phase] = []

    def run(self, seconds: float, tell_progress: Callable[[str], object]) -> None:
        """
        Let the processes work, harm them, and check what they did.
        """
        with ExitStack() as exits:
            folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="ormcache-")))
            harm = Harm(self._chance, self._control, self._place.own_store)
            if self._act != "direct":
                harm.proxies = self._proxies(exits)
            crew = Crew(self._context, self._jobs(folder, harm.proxies), self._chance)
            exits.callback(crew.abandon)
            harm.kill_a_writer = crew.kill_a_writer
            crew.wait_until_ready()
            for fault in self._faults:
                tell_progress(f"{fault.name}: {seconds / len(self._faults):.0f} s")
                self._begin_phase(fault)
                self._strike(fault, harm, crew, seconds / len(self._faults))
            self._control[STOP] = 1
            crew.join()
            self._result.killed += crew.kills
            self._check(folder, harm)

    def _begin_phase(self, fault: Fault) -> None:
        self._phases.append(Phase(fault.name, now()))

    def _strike(self, fault: Fault, harm: Harm, crew: Crew, seconds: float) -> None:
        for wait in fault.strike(harm, seconds):
            crew.wait(wait)

    def _proxies(self, exits: ExitStack) -> tuple[Proxy, ...]:
        proxies = tuple(Proxy(self._context, self._place.store_url) for _ in range(2))
        for proxy in proxies:
            exits.callback(proxy.close)
        return proxies

    def _jobs(self, folder: Path, proxies: tuple[Proxy, ...]) -> list[Job]:
        jobs = []
        for name, url in self._databases.items():
            self._note_first_values(folder / name)
            reads = self._context.Array("q", self._options.readers, lock=False)
            slots: list[tuple[Role, int]] = [("writer", i) for i in range(self._options.writers)]
            slots += [("reader", i) for i in range(self._options.readers)]
            for role, slot in slots:
                alone = role == "writer" and slot == 0
                way = proxies[-1 if alone else 0].url if proxies else self._place.store_url
                jobs.append(self._job(role, slot, (name, url), way, folder / name, reads))
        return jobs

    def _job(
        self,
        role: Role,
        slot: int,
        database: tuple[str, str],
        store_url: str,
        folder: Path,
        reads: Any,
    ) -> Job:
        return Job(
            role=role,
            database=database[0],
            database_url=database[1],
            store_url=store_url,
            namespace=self._place.namespace,
            slot=slot,
            incarnation=1,
            registers=self._registers,
            folder=folder,
            reads=reads,
            seed=self._options.seed,
            control=self._control,
            ready=self._ready,
            timeout=_TIMEOUT,
            lease_seconds=_LEASE,
            recovery_grace=_GRACE,
            refuses=self._act == "refusing",
            spoil=self._options.spoil,
        )

    def _note_first_values(self, folder: Path) -> None:
        folder.mkdir()
        with Journal(folder / "setup.journal", buffered=True) as journal:
            for register in (*self._registers.pairs, *self._registers.notes):
                journal.wrote(register, 0)
            journal.committing()
            journal.committed()

    # -- afterwards --------------------------------------------------------------------------

    def _check(self, folder: Path, harm: Harm) -> None:
        for name in self._databases:
            journals = sorted((folder / name).glob("*.journal"))
            past = Past(journals, harm.outages)
            tallies = check(journals, past, self._phases)
            # The setup is no commit of the applications.
            tallies[self._faults[0].name].commits -= 1
            self._result.rows += [Row(name, f, tallies[f.name]) for f in self._faults]
            # What is owed is no surprise, and would hide what is wrong.
            findings = [
                finding
                for tally in tallies.values()
                for finding in tally.findings
                if finding.wrong != "owed"
            ]
            self._result.stories += [
                tell(finding, journals, past, harm.happenings) for finding in findings[:_TOLD]
            ]
            for path in sorted((folder / name).glob("*.errors")):
                lines = path.read_text(encoding="utf-8").splitlines()
                self._result.stories += [f"{path.stem}: {line}" for line in lines[:_TOLD]]


def _registers(acts: int, writers: int) -> list[Registers]:
    made = [Registers(1, writers)]
    while len(made) < acts:
        made.append(Registers(made[-1].following, writers))
    return made[:acts]


@contextmanager
def _tables(place: Stack, registers: list[Registers]) -> Iterator[None]:
    try:
        for url in place.databases.values():
            workload(url).prepare(url, registers)
        yield
    finally:
        for url in place.databases.values():
            workload(url).remove(url)
        cache = Cache.from_url(place.store_url, namespace=place.namespace, timeout=5.0)
        cache.clear()
        cache.close()
