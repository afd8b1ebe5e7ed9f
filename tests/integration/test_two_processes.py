"""
Does any process ever read what a commit in another process has replaced?

The proof of order is shared memory: the writer publishes a number right after its `commit()` has
returned, a reader loads it right before its read begins and must find that number or a later one.
"""

import multiprocessing
import random
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.context import SpawnContext

from sqlalchemy import ForeignKey, func, insert, select, text, update
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
)

from ormcache import Outcome, Policy
from tests.fixtures.apps import App, Database

READS = 20_000
READERS = 2
ENTRIES = 5
READS_PER_COMMIT = 30
NEVER_COMMITTED = 1_000_000_000

spawn: SpawnContext = multiprocessing.get_context("spawn")


class Base(DeclarativeBase):
    __cache_policy__ = Policy(ttl=300)


class Account(Base):
    """
    One row; always written together with its entries, all with the same number.
    """

    __tablename__ = "race_accounts"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    entries: Mapped[list["Entry"]] = relationship(order_by="Entry.id")


class Entry(Base):
    __tablename__ = "race_entries"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(ForeignKey("race_accounts.id"))
    number: Mapped[int]


class Note(Base):
    """
    Written on its own, so that not every commit touches every read.
    """

    __tablename__ = "race_notes"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]


ACCOUNT, NOTE = 0, 1
"""
Places in the shared arrays: a number for the account and its entries, one for the note.
"""


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


# -- the writer --------------------------------------------------------------------------------


def flush(session: Session, number: int) -> None:
    account = session.get(Account, 1, options=[selectinload(Account.entries)])
    for row in (account, *account.entries):
        row.number = number


def bulk_update(session: Session, number: int) -> None:
    session.execute(update(Account).values(number=number))
    session.execute(update(Entry).where(Entry.account_id == 1).values(number=number))


def executemany(session: Session, number: int) -> None:
    session.execute(update(Account), [{"id": 1, "number": number}])
    session.execute(update(Entry), [{"id": i, "number": number} for i in range(ENTRIES)])


def raw_sql(session: Session, number: int) -> None:
    session.execute(text("UPDATE race_entries SET number = :number"), {"number": number})
    session.execute(text("UPDATE race_accounts SET number = :number"), {"number": number})


def replace_rows(session: Session, number: int) -> None:
    session.query(Entry).delete()
    session.execute(update(Account).values(number=number))
    rows = [{"id": i, "account_id": 1, "number": number} for i in range(ENTRIES)]
    session.execute(insert(Entry), rows)


def savepoints(session: Session, number: int) -> None:
    with session.begin_nested():
        bulk_update(session, number)
    undone = session.begin_nested()
    raw_sql(session, NEVER_COMMITTED)
    undone.rollback()


def inside_a_savepoint_only(session: Session, number: int) -> None:
    with session.begin_nested(), session.begin_nested():
        flush(session, number)
        session.flush()


WAYS = (
    flush,
    bulk_update,
    executemany,
    raw_sql,
    replace_rows,
    savepoints,
    inside_a_savepoint_only,
)


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
                chance.choice(WAYS)(session, NEVER_COMMITTED)
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


# -- the readers -------------------------------------------------------------------------------


def get_account(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, {session.get(Account, 1, populate_existing=False).number}


def select_account(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, set(session.scalars(select(Account.number)))


def select_entries(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, set(session.scalars(select(Entry.number)))


def select_one_entry(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, {session.scalars(select(Entry.number).where(Entry.id == 3)).one()}


def select_by_sql(session: Session) -> tuple[int, set[int]]:
    statement = "SELECT a.number, e.number FROM race_accounts a JOIN race_entries e ON e.account_id = a.id"
    return ACCOUNT, {number for row in session.execute(text(statement)) for number in row}


def get_note(session: Session) -> tuple[int, set[int]]:
    return NOTE, {session.get(Note, 1).number}


def select_note(session: Session) -> tuple[int, set[int]]:
    return NOTE, {session.scalar(select(func.max(Note.number)))}


READS_OF = (
    *(get_account, select_account, select_entries, select_one_entry, select_by_sql),
    *(get_note, select_note),
)


@dataclass
class Seen:
    """
    What one reader, or all of them, saw.
    """

    outcomes: Counter[Outcome]
    wrong: list[str]


def read(case: Case, shared: Shared, seed: int) -> Seen:
    """
    Read in short transactions and compare each answer with what was committed before it began.
    """
    chance = random.Random(seed)
    app = case.app()
    wrong: list[str] = []
    reads = 0
    while reads < READS // READERS:
        one_snapshot = case.isolation_level == "REPEATABLE READ"
        numbers: dict[int, set[int]] = {}
        # What a transaction sees may be fixed when it begins, never before.
        floor = list(shared.committed)
        with app.Session() as session:
            for way in chance.sample(READS_OF, chance.randint(2, 4)):
                if case.isolation_level == "READ COMMITTED":
                    floor = list(shared.committed)
                    session.expire_all()
                place, found = way(session)
                reads += 1
                shared.reads.release()
                where = f"{way.__name__}: {sorted(found)}"
                if min(found) < floor[place]:
                    wrong.append(f"{where} after {floor[place]} was committed")
                if max(found) > shared.begun[place]:
                    wrong.append(f"{where} before {shared.begun[place]} was committed")
                if len(found) > 1:
                    wrong.append(f"{where} of several transactions at once")
                numbers.setdefault(place, set()).update(found)
                if one_snapshot and len(numbers[place]) > 1:
                    wrong.append(f"{where} and {numbers[place]} in one snapshot")
        if len(wrong) > 10:
            break
    outcomes = Counter(app.cache.counts)
    app.close()
    return Seen(outcomes, wrong)


# -- together ----------------------------------------------------------------------------------

given: Shared


def take(shared: Shared) -> None:
    """
    Shared memory reaches a process when it starts, never later.
    """
    global given  # noqa: PLW0603
    given = shared


def work(task, case: Case, seed: int):
    return task(case, given, seed)


def race(case: Case, seed: int) -> tuple[int, Seen]:
    shared = Shared()
    with ProcessPoolExecutor(READERS + 1, spawn, take, (shared,)) as pool:
        writer = pool.submit(work, write, case, seed)
        readers = [pool.submit(work, read, case, seed + 1 + i) for i in range(READERS)]
        wait([writer, *readers], return_when=FIRST_EXCEPTION) if writer.done() else wait(
            readers, return_when=FIRST_EXCEPTION
        )
        shared.stop.set()
        for _ in range(2 * READS_PER_COMMIT):
            shared.reads.release()
        seen = [reader.result() for reader in readers]
        outcomes = sum((s.outcomes for s in seen), Counter())
        return writer.result(), Seen(outcomes, [line for s in seen for line in s.wrong])
