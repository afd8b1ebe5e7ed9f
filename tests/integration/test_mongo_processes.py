"""
Does any process ever read from a MongoDB client what a write in another process has replaced?

As `test_two_processes`, with writers that are killed between their commit and its settlement, or
before it: the proof of order is shared memory. The writer publishes a number right after its call
has returned; a reader loads it right before its read begins and must find that number or a later
one, nor may it ever find less than it has found before.
"""

import multiprocessing
import os
import random
import signal
import traceback
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any

import pytest
from pymongo import UpdateMany, UpdateOne

from ormcache import Outcome
from ormcache.testing import servers
from tests.fixtures.mongo import KINDS, MongoApp
from tests.integration.conformance_mongo.steps import hook

READS = 50_000
READERS = 2
READS_PER_WRITE = 60
KILLED = 0.03
"""How many of the writes are the last of their process."""
MOMENTS = ("before settle", "after announce")
LEASE = 0.5
ENTRIES = 5
NEVER_COMMITTED = 1_000_000_000

spawn: SpawnContext = multiprocessing.get_context("spawn")


class Shared:
    """
    What the processes see of each other outside of the database and the store.
    """

    def __init__(self) -> None:
        self.committed = spawn.Array("q", 2, lock=False)
        """The last number whose write has returned."""
        self.begun = spawn.Array("q", 2, lock=False)
        """The last number that may have been written."""
        self.writes = spawn.Value("q", 0, lock=False)
        self.killed = spawn.Value("q", 0, lock=False)
        self.reads = spawn.Semaphore(0)
        """Released once per read: the writer keeps pace with the readers."""
        self.stop = spawn.Event()


@dataclass(frozen=True)
class Case:
    """
    Where the processes meet.
    """

    url: str
    store_url: str
    namespace: str

    def app(self, kind: str) -> MongoApp:
        return MongoApp(kind, self.url, self.store_url, self.namespace, lease_seconds=LEASE)


# -- ways to write, each giving all that it writes the same number ----------------------------

ACCOUNT, NOTE = 0, 1


def in_a_transaction(app: MongoApp, number: int) -> None:
    with app.client.start_session() as session:
        session.start_transaction()
        set_numbers(app, number, session)
        session.commit_transaction()


def after_one_that_was_aborted(app: MongoApp, number: int) -> None:
    with app.client.start_session() as session:
        session.start_transaction()
        set_numbers(app, NEVER_COMMITTED, session)
        session.abort_transaction()
        session.start_transaction()
        set_numbers(app, number, session)
        session.commit_transaction()
        session.commit_transaction()  # as an application does that is not sure


def in_bulk(app: MongoApp, number: int) -> None:
    with app.client.start_session() as session:
        session.start_transaction()
        change = {"$set": {"number": number}}
        app.db.accounts.bulk_write([UpdateOne({}, change)], session=session)
        app.db.entries.bulk_write(
            [UpdateOne({"_id": 1}, change), UpdateMany({"_id": {"$ne": 1}}, change)],
            ordered=False,
            session=session,
        )
        session.commit_transaction()


def set_numbers(app: MongoApp, number: int, session: Any) -> None:
    app.db.accounts.update_one({}, {"$set": {"number": number}}, session=session)
    app.db.entries.update_many({}, {"$set": {"number": number}}, session=session)


def update_note(app: MongoApp, number: int) -> None:
    app.db.notes.update_one({"_id": 1}, {"$set": {"number": number}})


def replace_note(app: MongoApp, number: int) -> None:
    app.db.notes.find_one_and_replace({"_id": 1}, {"number": number})


def merge_note(app: MongoApp, number: int) -> None:
    list(app.db.notes.aggregate([{"$set": {"number": number}}, {"$merge": "notes"}]))


def command_note(app: MongoApp, number: int) -> None:
    change = {"q": {}, "u": {"$set": {"number": number}}}
    app.db.command("update", "notes", updates=[change])


WAYS = (
    (ACCOUNT, in_a_transaction),
    (ACCOUNT, after_one_that_was_aborted),
    (ACCOUNT, in_bulk),
    *((NOTE, way) for way in (update_note, replace_note, merge_note, command_note)),
)


def write(case: Case, shared: Shared, seed: int) -> None:
    """
    Have one process after the other write until told to stop: each but the last gets killed.
    """
    while not shared.stop.is_set():
        seed += 1
        child = os.fork()  # this process has no thread and no connection
        if child == 0:
            be_the_writer(case, shared, random.Random(seed))
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            shared.killed.value += 1
        else:
            assert status == 0, "the writer failed"


def be_the_writer(case: Case, shared: Shared, chance: random.Random) -> None:
    """
    Write in a forked child, and end it here whatever happens: above this is its parent's work.
    """
    try:
        write_until_killed(case, shared, chance)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - told, and then the end
        traceback.print_exc()
        os._exit(1)


def write_until_killed(case: Case, shared: Shared, chance: random.Random) -> None:
    app = case.app(chance.choice(KINDS))
    while not shared.stop.is_set():
        for _ in range(chance.randint(1, 2 * READS_PER_WRITE)):
            shared.reads.acquire()
        place, way = chance.choice(WAYS)
        number = shared.begun[place] = shared.begun[place] + 1
        if chance.random() < KILLED:
            # Before its commit a transaction would be left open, and hold up the next writer.
            moment = "before settle" if place == ACCOUNT else chance.choice(MOMENTS)
            hook(app).at(moment, lambda: os.kill(os.getpid(), signal.SIGKILL))
        way(app, number)
        shared.committed[place] = number
        shared.writes.value += 1
    app.close()


# -- ways to read, each returning where and which numbers -------------------------------------


def find_account(app: MongoApp) -> tuple[int, set[int]]:
    return ACCOUNT, {app.db.accounts.find_one({"_id": 1})["number"]}


def find_entries(app: MongoApp) -> tuple[int, set[int]]:
    return ACCOUNT, {entry["number"] for entry in app.db.entries.find().sort("_id")}


def distinct_entries(app: MongoApp) -> tuple[int, set[int]]:
    return ACCOUNT, set(app.db.entries.distinct("number"))


def look_up(app: MongoApp) -> tuple[int, set[int]]:
    stage = {"$lookup": {"from": "entries", "pipeline": [], "as": "entries"}}
    (account,) = app.db.accounts.aggregate([stage])
    return ACCOUNT, {account["number"], *(entry["number"] for entry in account["entries"])}


def find_note(app: MongoApp) -> tuple[int, set[int]]:
    return NOTE, {app.db.notes.find_one({}, {"_id": 0})["number"]}


def sum_notes(app: MongoApp) -> tuple[int, set[int]]:
    (found,) = app.db.notes.aggregate([{"$group": {"_id": None, "all": {"$sum": "$number"}}}])
    return NOTE, {found["all"]}


READS_OF = (find_account, find_entries, distinct_entries, look_up, find_note, sum_notes)


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
    Read, and compare each answer with what was written before it began.
    """
    chance = random.Random(seed)
    app = case.app(KINDS[seed % 2])  # one reader of each
    wrong: list[str] = []
    known = [0, 0]
    reads = 0
    while reads < READS // READERS and len(wrong) < 10:
        way = chance.choice(READS_OF)
        floor = [max(pair) for pair in zip(known, shared.committed, strict=True)]
        place, found = way(app)
        reads += 1
        shared.reads.release()
        said = f"{way.__name__} gave {sorted(found)}"
        if min(found) < floor[place]:
            wrong.append(f"{said} when {floor[place]} had been written or seen before")
        if max(found) > shared.begun[place]:
            wrong.append(f"{said} when {shared.begun[place]} was the last to be written")
        known[place] = max(known[place], min(found))
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


def work(task: Any, case: Case, seed: int) -> Any:
    return task(case, given, seed)


@pytest.mark.timeout(400)
def test_no_read_is_older_than_a_write_that_had_returned(
    plain: Any,
    mongodb_server: servers.Server,
    redis_server: servers.Server,
    namespace: str,
):
    plain.accounts.insert_one({"_id": 1, "number": 0})
    plain.entries.insert_many([{"_id": i, "number": 0} for i in range(ENTRIES)])
    plain.notes.insert_one({"_id": 1, "number": 0})
    case = Case(mongodb_server.url, redis_server.url, namespace)
    seed = random.getrandbits(32)
    shared = Shared()
    with ProcessPoolExecutor(READERS + 1, spawn, take, (shared,)) as pool:
        writer = pool.submit(work, write, case, seed)
        readers = [pool.submit(work, read, case, seed + 1 + i) for i in range(READERS)]
        wait(readers, return_when=FIRST_EXCEPTION)
        shared.stop.set()
        for _ in range(2 * READS_PER_WRITE):
            shared.reads.release()
        writer.result()
        seen = [reader.result() for reader in readers]

    reads = sum(reader.reads for reader in seen)
    hits = sum(reader.outcomes[Outcome.HIT] for reader in seen)
    wrong = [line for reader in seen for line in reader.wrong]
    print(  # noqa: T201 - `pytest -s` shows the figures
        f"\nMongoDB: {reads:,} reads, {hits:,} hits, {shared.writes.value:,} writes, "
        f"{shared.killed.value} writers killed, {len(wrong)} wrong, seed {seed}"
    )
    assert wrong == []
    assert reads >= READS
    # Fewer would prove little: the writers must have been busy, and the cache must have answered.
    assert shared.writes.value >= 300
    assert shared.killed.value >= 5
    assert hits >= reads // 5
