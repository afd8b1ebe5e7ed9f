"""
What does an application on SQLAlchemy do to the registers?
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    bindparam,
    create_engine,
    insert,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from ormcache.testing.history.journal import Journal, now
from ormcache.testing.torture.application import Application
from ormcache.testing.torture.job import Job
from ormcache.testing.torture.registers import Registers
from ormcache.testing.torture.tables import (
    HEADS,
    NOTES,
    PARTS_OF,
    WAYS_OF_NOTE,
    WAYS_OF_PAIR,
    Base,
    Head,
    Note,
    Part,
    locked,
    part_ids,
)

__all__ = ["SqlApplication", "prepare", "remove", "url_of"]

_READING = {"READ COMMITTED": 60, "AUTOCOMMIT": 25, "REPEATABLE READ": 12, "SERIALIZABLE": 3}
_WRITING = {"READ COMMITTED": 60, "REPEATABLE READ": 20, "SERIALIZABLE": 20}
_OUTSIDE = 0.35
"""How many writes are an AUTOCOMMIT statement."""
_WITH_OBJECTS = 0.15
"""How many of a reader's transactions are sessions."""
_MOST_READS = 12

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
# Deadlocks, locks waited for too long, and transactions that cannot be serialized.
_STATES = frozenset(("40001", "40P01", "55P03"))
_CODES = frozenset((1020, 1205, 1213))

_HEAD = select(HEADS.c.number).where(HEADS.c.id == bindparam("id"))
_PARTS = select(PARTS_OF.c.number).where(PARTS_OF.c.head_id == bindparam("id"))
_NOTE = select(NOTES.c.number).where(NOTES.c.id == bindparam("id"))
_PAIR = (
    select(HEADS.c.number, PARTS_OF.c.number)
    .join_from(HEADS, PARTS_OF, PARTS_OF.c.head_id == HEADS.c.id)
    .where(HEADS.c.id == bindparam("id"))
)
_NOTE_BY_SQL = text(f"SELECT number FROM {NOTES.name} WHERE id = :id")  # noqa: S608 - a name of ours
_PARTS_BY_SQL = text(f"SELECT number FROM {PARTS_OF.name} WHERE head_id = :id")  # noqa: S608 - as above

_PAIR_READS = (_HEAD, _HEAD, _HEAD, _PARTS, _PAIR, _PARTS_BY_SQL)
_NOTE_READS = (_NOTE, _NOTE, _NOTE_BY_SQL)


class SqlApplication(Application):
    """
    Sessions and plain connections, on an engine for each isolation level.
    """

    def __init__(self, job: Job, journal: Journal) -> None:
        super().__init__(job, journal)
        self._engines: dict[str, Engine] = {}
        for level in _READING:
            engine = create_engine(url_of(job.database_url), isolation_level=level)
            self.cache.enable(engine)
            self._engines[level] = engine

    def is_conflict(self, error: BaseException) -> bool:
        original = getattr(error, "orig", None)
        code = next(iter(getattr(original, "args", ())), None)
        if getattr(original, "sqlstate", None) in _STATES or code in _CODES:
            return True
        # A deadlock on MariaDB ends the savepoint, too; rolling back to it then has its own error.
        return error.__context__ is not None and self.is_conflict(error.__context__)

    def close(self) -> None:
        self.cache.close()
        for engine in self._engines.values():
            engine.dispose()

    # -- reading -----------------------------------------------------------------------------

    def read_some(self) -> None:
        level = self._level(_READING)
        if self.chance.random() < _WITH_OBJECTS:
            with Session(self._engines[level]) as session:
                self._read_times(level, lambda began: self._read_objects(session, began))
        else:
            with self._engines[level].connect() as connection:
                self._read_times(level, lambda began: self._read_rows(connection, began))

    def _read_times(self, level: str, read: Callable[[int], None]) -> None:
        began = now()
        for _ in range(self.chance.randint(1, _MOST_READS)):
            if level in ("READ COMMITTED", "AUTOCOMMIT"):
                began = now()  # elsewhere the transaction's begin decides what it sees
            read(began)

    def _read_rows(self, connection: Connection, began: int) -> None:
        registers = self.job.registers
        if self.chance.random() < 0.5:
            register, statement = self.chance.choice(registers.notes), self._of(_NOTE_READS)
        else:
            register, statement = self.chance.choice(registers.pairs), self._of(_PAIR_READS)
        rows = connection.execute(statement, {"id": register}).all()
        self.found(register, [number for row in rows for number in row], began)

    def _read_objects(self, session: Session, began: int) -> None:
        session.expire_all()
        register = self.chance.choice(self.job.registers.pairs)
        match self.chance.randrange(3):
            case 0:
                self.found(register, [session.get_one(Head, register).number], began)
            case 1:
                parts = session.scalars(select(Part).where(Part.head_id == register)).all()
                self.found(register, [part.number for part in parts], began)
            case _:
                register = self.chance.choice(self.job.registers.notes)
                note = session.scalars(select(Note).where(Note.id == register)).one()
                self.found(register, [note.number], began)

    # -- writing -----------------------------------------------------------------------------

    def write_some(self) -> None:
        if self.chance.random() < _OUTSIDE:
            self._write_outside()
            return
        with Session(self._engines[self._level(_WRITING)]) as session:
            for register in self.some_to_write():
                self._write(session, register)
                self.pause()
            if self.rolls_back():
                session.rollback()
                self.end(committed=False)
            else:
                self.committing()
                session.commit()
                self.end(committed=True)

    def _write_outside(self) -> None:
        register = self.note_to_write()
        number = self.numbers.after(None)
        with self._engines["AUTOCOMMIT"].connect() as connection:
            self.journal.wrote(register, number)
            self.committing()
            # A predecessor's last statement may still be on its way to the server.
            late = (NOTES.c.id == register) & (NOTES.c.number < number)
            connection.execute(update(NOTES).where(late).values(number=number))
            self.end(committed=True)

    def _write(self, session: Session, register: int) -> None:
        pair = register in self.job.registers.pairs
        ways, table = (WAYS_OF_PAIR, HEADS) if pair else (WAYS_OF_NOTE, NOTES)
        shared = self.job.registers.owner(register) is None
        previous = locked(session, table, register) if shared else None
        if self.discards():
            number = self.numbers.after(previous)
            self.journal.discarded(register, number)
            savepoint = session.begin_nested()
            self._of(ways)(session, register, number)
            self.pause()
            savepoint.rollback()
        number = self.numbers.after(previous)
        self.journal.wrote(register, number)
        if self.discards():
            with session.begin_nested():
                self._of(ways)(session, register, number)
        else:
            self._of(ways)(session, register, number)
        self._read_own(session, table, register, number)

    def _read_own(self, session: Session, table: Table, register: int, number: int) -> None:
        found = session.execute(_HEAD if table is HEADS else _NOTE, {"id": register})
        self.own(number, [row[0] for row in found])
        if table is HEADS:
            parts = session.execute(_PARTS_BY_SQL, {"id": register})
            self.own(number, [row[0] for row in parts])

    def _level(self, weights: dict[str, int]) -> str:
        return self.chance.choices(list(weights), list(weights.values()))[0]

    def _of(self, choices: Any) -> Any:
        return self.chance.choice(choices)


# -- before and after ----------------------------------------------------------------------------


def url_of(given: str) -> URL:
    """
    Return a database's URL with the driver that is used where it names none.
    """
    url = make_url(given)
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def prepare(given: str, acts: list[Registers]) -> None:
    """
    Make the tables anew, with a row for every register.
    """
    engine = create_engine(url_of(given))
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for registers in acts:
            heads = [{"id": i, "number": 0} for i in registers.pairs]
            parts = [
                {"id": part, "head_id": i, "number": 0}
                for i in registers.pairs
                for part in part_ids(i)
            ]
            connection.execute(insert(HEADS), heads)
            connection.execute(insert(PARTS_OF), parts)
            connection.execute(insert(NOTES), [{"id": i, "number": 0} for i in registers.notes])
    engine.dispose()


def remove(given: str) -> None:
    """
    Drop the tables.
    """
    engine = create_engine(url_of(given))
    Base.metadata.drop_all(engine)
    engine.dispose()
