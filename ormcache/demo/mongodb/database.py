"""
How does MongoDB do what the demonstration asks of a database?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)
from pymongo.synchronous.database import Database as Documents

from ormcache import Cache
from ormcache.demo.database import Database, Subjects, Wording, Work
from ormcache.pymongo import MongoClient

from .data import NAME, Document, emptied, load
from .questions import QUESTIONS, key_of

__all__ = ["Client", "MongoDB", "connected", "mongodb"]

_OPTIONS: dict[str, Any] = {"tz_aware": True, "serverSelectionTimeoutMS": 5000}

_TTL = 600
"""
Seconds. Nothing but a write makes an entry old here; it only bounds Redis's memory.
"""


@contextmanager
def mongodb(url: str) -> Iterator[Database]:
    """
    Within the block there is an empty database for the demonstration; after it there is none.

    Raises:
        InUseError: There is one already. Nothing in it has been touched.
    """
    with connected(url) as client, emptied(client) as documents:
        yield MongoDB(url, documents)


def connected(url: str, **options: Any) -> pymongo.MongoClient[Document]:
    """
    Return a client that no cache knows; connects when it is used.
    """
    return pymongo.MongoClient(url, **_OPTIONS, **options)


class MongoDB:
    """
    The demonstration's database; *documents* is its own client's, for what is not measured.
    """

    wording = Wording(
        work="commands",
        reads="reads",
        asked="reads",
        listing="list, $lookup",
        writing="write",
        writes="writes",
        uncounted="nobody counted the commands",
    )

    def __init__(self, url: str, documents: Documents[Document]) -> None:
        self._url = url
        self._documents = documents

    def load(self, flights: int, loaded: Callable[[int], object]) -> None:
        load(self._documents, flights, loaded)

    def subjects(self) -> Subjects:
        return _subjects(self._documents)

    @contextmanager
    def application(self, cache: Cache | None = None) -> Iterator[Client]:
        sent = Sent()
        options = {**_OPTIONS, "event_listeners": [sent]}
        client: pymongo.MongoClient[Document]
        if cache is None:
            client = pymongo.MongoClient(self._url, **options)
        else:
            cache.policy(f"{NAME}.*", ttl=_TTL)
            client = MongoClient(self._url, cache=cache, **options)
        with client:
            yield Client(client[NAME], sent)


class Client:
    """
    An application that has one client; *sent* listens to it.
    """

    def __init__(self, documents: Documents[Document], sent: Sent) -> None:
        self._documents = documents
        self._sent = sent

    def ask(self, question: str, subject: Any) -> object:
        return QUESTIONS[question](self._documents, subject)

    def change(self, table: str, key: Any, attribute: str, value: int) -> None:
        found = {"_id": key_of(table, key)}
        self._documents[table].update_one(found, {"$set": {attribute: value}})

    def work_so_far(self) -> Work | None:
        return self._sent.work


class Sent(CommandListener):
    """
    What a client has sent, and how long it waited for the answers. That is a little more than what
    the server was busy with; what the server counts by itself, it counts several times for
    `$lookup`, and together with what others ask.
    """

    def __init__(self) -> None:
        self.work = Work(0, 0.0)

    def started(self, event: CommandStartedEvent) -> None:
        pass

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self.work = self.work.plus(Work(1, event.duration_micros / 1e6))

    def failed(self, event: CommandFailedEvent) -> None:
        self.work = self.work.plus(Work(1, event.duration_micros / 1e6))


def _subjects(documents: Documents[Document]) -> Subjects:
    flights = documents.flights
    per_day = {"$group": {"_id": {name: f"${name}" for name in ("origin", "month", "day")}}}
    found = (each["_id"] for each in flights.aggregate([per_day]))
    days = sorted((day["origin"], day["month"], day["day"]) for day in found)
    flown = set(flights.distinct("tailnum"))
    hours = set(flights.distinct("time_hour"))
    observed = (each["_id"] for each in documents.weather.find({}, {"_id": 1}))
    return Subjects(
        flights=range(1, flights.count_documents({}) + 1),
        planes=sorted(each["_id"] for each in documents.planes.find() if each["_id"] in flown),
        airports=sorted(documents.airports.distinct("_id")),
        hours=sorted(
            (each["origin"], each["time_hour"]) for each in observed if each["time_hour"] in hours
        ),
        days=days,
        months=sorted({month for _, month, _ in days}),
        origins=sorted({origin for origin, _, _ in days}),
    )
