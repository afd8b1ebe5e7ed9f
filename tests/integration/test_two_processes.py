"""
Does any process ever read what a commit in another process has replaced?

The proof of order is shared memory: the writer publishes a number right after its `commit()` has
returned, a reader loads it right before its read begins and must find that number or a later one.
"""

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any

import pytest

from ormcache import Outcome
from ormcache.testing import servers
from tests.fixtures.apps import App, Database
from tests.integration.race import (
    ACCOUNT,
    ENTRIES,
    NEVER_COMMITTED,
    NOTE,
    READS_OF,
    WAYS,
    WITHOUT_SAVEPOINT,
    Account,
    Base,
    Entry,
    Note,
)

READS = 20_000
READERS = 2
READS_PER_COMMIT = 50

spawn: SpawnContext = multiprocessing.get_context("spawn")


class Shared:
    """
    What the processes see of each other outside of the database and the store.
    """

    def __init__(self) -> None:
        self.committed = spawn.Array("q", 2, lock=False)
        """The last number whose commit has returned."""
        self.begun = spawn.Array("q", 2, lock=False)
        """The last number that may have been committed."""
        self.reads = spawn.Semaphore(0)
        """Released once per read: the writer keeps pace with the readers."""
        self.stop = spawn.Event()


@dataclass(frozen=True)
class Case:
    """
    One database at one isolation level.
    """

    database: Database
    store_url: str
    namespace: str
    isolation_level: str | None

    def app(self) -> App:
        engine = {} if self.isolation_level is None else {"isolation_level": self.isolation_level}
        if self.database.name == "sqlite":
            engine["connect_args"] = {"timeout": 60}
        return App(self.database, self.store_url, self.namespace, engine=engine)


# -- the writer -------------------------------------------------------------------------------


def write(case: Case, shared: Shared, seed: int) -> int:
    """
    Commit until told to stop; returns the number of commits.
    """
    chance = random.Random(seed)
    app = case.app()
    commits = 0
    while not shared.stop.is_set():
        for _ in range(chance.randint(1, 2 * READS_PER_COMMIT)):
            shared.reads.acquire()
        place = chance.choice((ACCOUNT, ACCOUNT, NOTE))
        with app.Session() as session:
            if chance.random() < 0.2:
                chance.choice(WITHOUT_SAVEPOINT)(session, NEVER_COMMITTED)
                session.flush()
                session.rollback()
            number = shared.begun[place] = shared.begun[place] + 1
            if place == NOTE:
                session.get(Note, 1).number = number
            else:
                chance.choice(WAYS)(session, number)
            session.commit()
            shared.committed[place] = number
        commits += 1
    app.close()
    return commits


# -- the readers ------------------------------------------------------------------------------


@dataclass
class Seen:
    """
    What one reader saw.
    """

    reads: int
    outcomes: Counter[Outcome]
    wrong: list[str]


def read(case: Case, shared: Shared, seed: int) -> Seen:
    """
    Read in short transactions and compare each answer with what was committed before it began.
    """
    chance = random.Random(seed)
    app = case.app()
    wrong: list[str] = []
    known = [0, 0]
    reads = 0
    while reads < READS // READERS and len(wrong) < 10:
        numbers: dict[int, set[int]] = {ACCOUNT: set(), NOTE: set()}
        # What a transaction sees may be fixed when it begins, but never before.
        floor = [max(pair) for pair in zip(known, shared.committed, strict=True)]
        with app.Session() as session:
            for way in chance.sample(READS_OF, chance.randint(3, 6)):
                if case.isolation_level == "READ COMMITTED":
                    session.expire_all()
                    floor = [max(pair) for pair in zip(known, shared.committed, strict=True)]
                place, found = way(session)
                reads += 1
                shared.reads.release()
                numbers[place] |= found
                said = f"{way.__name__} gave {sorted(found)}"
                if min(found) < floor[place]:
                    wrong.append(f"{said} when {floor[place]} had been committed or seen before")
                if max(found) > shared.begun[place]:
                    wrong.append(f"{said} when {shared.begun[place]} was the last to be committed")
                if len(found) > 1:
                    wrong.append(f"{said}: parts of several transactions")
                if case.isolation_level == "REPEATABLE READ" and len(numbers[place]) > 1:
                    wrong.append(f"{said} and {numbers[place]} before, in one snapshot")
                known[place] = floor[place] = max(known[place], *found)
    outcomes = Counter(app.cache.counts)
    app.close()
    return Seen(reads, outcomes, wrong)


# -- together ----------------------------------------------------------------------------------


def take(shared: Shared) -> None:
    """
    Shared memory can be given to a process when it starts, not later.
    """
    global given  # noqa: PLW0603 - one per process
    given = shared


def work(task: Callable[[Case, Shared, int], Any], case: Case, seed: int) -> Any:
    return task(case, given, seed)


def race(case: Case, seed: int) -> tuple[int, list[Seen]]:
    """
    Return the number of commits and what each reader saw.
    """
    shared = Shared()
    with ProcessPoolExecutor(READERS + 1, spawn, take, (shared,)) as pool:
        writer = pool.submit(work, write, case, seed)
        readers = [pool.submit(work, read, case, seed + 1 + i) for i in range(READERS)]
        wait(readers, return_when=FIRST_EXCEPTION)
        shared.stop.set()
        for _ in range(2 * READS_PER_COMMIT):
            shared.reads.release()
        return writer.result(), [reader.result() for reader in readers]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("database", "isolation_level"),
    [
        ("postgresql", "READ COMMITTED"),
        ("postgresql", "REPEATABLE READ"),
        ("mariadb", "READ COMMITTED"),
        ("mariadb", None),  # its default, REPEATABLE READ
        ("sqlite", None),  # it has one level
    ],
    indirect=["database"],
)
def test_no_read_is_older_than_a_commit_that_had_returned(
    database: Database, isolation_level: str | None, redis_server: servers.Server, namespace: str
):
    case = Case(Database(database.name, database.url), redis_server.url, namespace, isolation_level)
    prepare(case)
    seed = random.getrandbits(32)

    commits, seen = race(case, seed)

    reads = sum(reader.reads for reader in seen)
    hits = sum(reader.outcomes[Outcome.HIT] for reader in seen)
    wrong = [line for reader in seen for line in reader.wrong]
    print(  # noqa: T201 - `pytest -s` shows the figures
        f"\n{database.name}, {isolation_level or 'its default level'}: {reads:,} reads, "
        f"{hits:,} hits, {commits:,} commits, {len(wrong)} wrong, seed {seed}"
    )
    assert wrong == []
    assert reads >= READS
    # Fewer would prove little: the writer must have been busy, and the cache must have answered.
    assert commits >= 300
    assert hits >= reads // 5


def prepare(case: Case) -> None:
    app = case.app()
    Base.metadata.create_all(app.engine)
    with app.Session() as session:
        entries = [Entry(id=i, number=0) for i in range(ENTRIES)]
        session.add_all((Account(id=1, number=0, entries=entries), Note(id=1, number=0)))
        session.commit()
    app.close()
