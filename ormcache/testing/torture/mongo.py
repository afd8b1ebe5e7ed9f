"""
What does an application on PyMongo do to the registers?
"""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo import UpdateMany, UpdateOne
from pymongo.errors import PyMongoError

from ormcache.pymongo import MongoClient
from ormcache.testing.history.journal import Journal, now
from ormcache.testing.torture.application import Application
from ormcache.testing.torture.job import Job
from ormcache.testing.torture.registers import PARTS, Registers

__all__ = ["MongoApplication", "prepare", "remove"]

_HEADS, _PARTS, _NOTES = (f"ormcache_torture_{name}" for name in ("heads", "parts", "notes"))
_OUTSIDE = 0.5
"""How many writes are no transaction."""
_MOST_READS = 8
_WRITE_CONFLICT = 112


class MongoApplication(Application):
    """
    One client; a pair is a document and its parts in a second collection.
    """

    def __init__(self, job: Job, journal: Journal) -> None:
        super().__init__(job, journal)
        self._client: MongoClient[dict[str, Any]] = MongoClient(job.database_url, cache=self.cache)
        database: Any = self._client.get_default_database("ormcache_torture")
        self._heads, self._parts, self._notes = (database[n] for n in (_HEADS, _PARTS, _NOTES))

    def is_conflict(self, error: Exception) -> bool:
        return isinstance(error, PyMongoError) and (
            error.has_error_label("TransientTransactionError")
            or getattr(error, "code", None) == _WRITE_CONFLICT
        )

    def close(self) -> None:
        self._client.close()
        self.cache.close()

    # -- reading -----------------------------------------------------------------------------

    def read_some(self) -> None:
        for _ in range(self.chance.randint(1, _MOST_READS)):
            if self.chance.random() < 0.5:
                self._read_note(self.chance.choice(self.job.registers.notes))
            else:
                self._read_pair(self.chance.choice(self.job.registers.pairs))

    def _read_note(self, register: int) -> None:
        began = now()
        if self.chance.random() < 0.8:
            found = self._notes.find_one({"_id": register})
        else:
            (found,) = self._notes.aggregate([{"$match": {"_id": register}}])
        assert found is not None
        self.found(register, [found["number"]], began)

    def _read_pair(self, register: int) -> None:
        # Outside of transactions each document is read as it is then, so two may differ: each
        # counts as a read of its own.
        began = now()
        match self.chance.randrange(4):
            case 0 | 1:
                found = self._heads.find_one({"_id": register})
                assert found is not None
                self.found(register, [found["number"]], began)
            case 2:
                for part in self._parts.find({"head": register}).to_list():
                    self.found(register, [part["number"]], began)
            case _:
                lookup = {"from": _PARTS, "localField": "_id", "foreignField": "head"}
                stages: list[dict[str, Any]] = [
                    {"$match": {"_id": register}},
                    {"$lookup": {**lookup, "as": "parts"}},
                ]
                (head,) = self._heads.aggregate(stages)
                self.found(register, [head["number"]], began)

    # -- writing -----------------------------------------------------------------------------

    def write_some(self) -> None:
        if self.chance.random() < _OUTSIDE:
            self._write_outside()
            return
        with self._client.start_session() as session:
            session.start_transaction()
            for register in self.some_to_write():
                self._write(session, register)
                self.pause()
            if self.rolls_back():
                session.abort_transaction()
                self.end(committed=False)
            else:
                self.committing()
                session.commit_transaction()
                self.end(committed=True)

    def _write_outside(self) -> None:
        register = self.note_to_write()
        number = self.numbers.after(None)
        self.journal.wrote(register, number)
        self.committing()
        # A predecessor's last command may still be on its way to the server.
        late = {"_id": register, "number": {"$lt": number}}
        change = {"$set": {"number": number}}
        match self.chance.randrange(4):
            case 0:
                self._notes.update_one(late, change)
            case 1:
                self._notes.find_one_and_update(late, change)
            case 2:
                self._notes.bulk_write([UpdateOne(late, change)])
            case _:
                self._notes.replace_one(late, {"number": number})
        self.end(committed=True)

    def _write(self, session: Any, register: int) -> None:
        pair = register in self.job.registers.pairs
        collection = self._heads if pair else self._notes
        previous = None
        if self.job.registers.owner(register) is None:
            # Whoever has written it since then lets this transaction fail.
            found = collection.find_one({"_id": register}, session=session)
            assert found is not None
            previous = found["number"]
        number = self.numbers.after(previous)
        self.journal.wrote(register, number)
        change = {"$set": {"number": number}}
        if pair:
            self._write_pair(session, register, change)
        else:
            self._notes.update_one({"_id": register}, change, session=session)
        own = collection.find_one({"_id": register}, session=session)
        self.own(number, [own["number"] if own else -1])

    def _write_pair(self, session: Any, register: int, change: dict[str, Any]) -> None:
        parts = {"head": register}
        if self.chance.random() < 0.5:
            self._heads.update_one({"_id": register}, change, session=session)
            self._parts.update_many(parts, change, session=session)
        else:
            self._heads.bulk_write([UpdateOne({"_id": register}, change)], session=session)
            self._parts.bulk_write([UpdateMany(parts, change)], session=session)


# -- before and after ----------------------------------------------------------------------------


def prepare(url: str, acts: list[Registers]) -> None:
    """
    Make the collections anew, with a document for every register.
    """
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database("ormcache_torture")
        _drop(database)
        for registers in acts:
            database[_HEADS].insert_many([{"_id": i, "number": 0} for i in registers.pairs])
            database[_PARTS].insert_many(
                [
                    {"_id": i * PARTS + part, "head": i, "number": 0}
                    for i in registers.pairs
                    for part in range(PARTS)
                ]
            )
            database[_NOTES].insert_many([{"_id": i, "number": 0} for i in registers.notes])


def remove(url: str) -> None:
    """
    Drop the collections.
    """
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        _drop(client.get_default_database("ormcache_torture"))


def _drop(database: Any) -> None:
    for name in (_HEADS, _PARTS, _NOTES):
        database.drop_collection(name)
