"""
Which questions does an application ask its database?

Those of the PostgreSQL folder, as one asks them of documents: one by its key, some with what
`$lookup` adds to them, a few numbers out of many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo.synchronous.collection import Collection
from pymongo.synchronous.database import Database

from ormcache.demo.database import Day

from .data import Document

__all__ = ["QUESTIONS", "key_of"]

Flights = Database[Document]


def key_of(collection: str, subject: Any) -> Any:
    """
    Return the `_id` of what is asked for.
    """
    if collection == "weather":
        origin, hour = subject
        return {"origin": origin, "time_hour": hour}
    return subject


# -- lookups: one document by its key ------------------------------------------------------------


def flight(database: Flights, key: int) -> object:
    """
    One flight.
    """
    return _parts(database.flights, key, "carrier flight time_hour dep_delay arr_delay")


def delay(database: Flights, key: int) -> object:
    """
    How late one flight arrived.
    """
    (late,) = _parts(database.flights, key, "arr_delay")
    return late


def plane(database: Flights, tailnum: str) -> object:
    """
    One plane.
    """
    return _parts(database.planes, tailnum, "manufacturer model year seats")


def airport(database: Flights, faa: str) -> object:
    """
    One airport.
    """
    return _parts(database.airports, faa, "name lat lon alt tzone")


def weather(database: Flights, key: tuple[str, Any]) -> object:
    """
    One hour's weather.
    """
    return _parts(database.weather, key, "temp wind_dir wind_speed visib")


def _parts(collection: Collection[Document], subject: Any, names: str) -> tuple[Any, ...]:
    found = collection.find_one({"_id": key_of(collection.name, subject)})
    if found is None:
        raise LookupError(f"{collection.name} {subject!r}")
    return tuple(found[name] for name in names.split())


# -- lists: some documents with what belongs to them ---------------------------------------------


def departures(database: Flights, day: Day) -> object:
    """
    The first departures of a day, with airline, plane and destination.
    """
    found = database.flights.aggregate(
        [
            {"$match": _on(day)},
            {"$sort": {"sched_dep_time": 1, "_id": 1}},
            {"$limit": 25},
            _with("airlines", "carrier"),
            _with("planes", "tailnum"),
            _with("airports", "dest"),
        ]
    )
    return [
        (
            *(row["sched_dep_time"], row["dep_delay"], row["flight"]),
            *([each["name"] for each in row[name]] for name in ("airlines", "airports")),
            [each["model"] for each in row["planes"]],
        )
        for row in found
    ]


def rotation(database: Flights, tailnum: str) -> object:
    """
    Everything a plane has flown, joined to it.
    """
    flown = _with("flights", "_id", "tailnum")
    flown["$lookup"]["pipeline"] = [
        {"$sort": {"_id": 1}},
        {"$project": {"dest": 1, "arr_delay": 1}},
    ]
    (found,) = database.planes.aggregate([{"$match": {"_id": tailnum}}, flown])
    flights = [(row["_id"], row["dest"], row["arr_delay"]) for row in found["flights"]]
    return found["model"], found["seats"], flights


def held_up(database: Flights, day: Day) -> object:
    """
    The longest delays of a day beside the weather at the hour of departure.
    """
    found = database.flights.aggregate(
        [
            {"$match": {**_on(day), "dep_delay": {"$ne": None}}},
            {"$sort": {"dep_delay": -1, "_id": 1}},
            {"$set": {"hour": {"origin": "$origin", "time_hour": "$time_hour"}}},
            _with("weather", "hour"),
            {"$unwind": "$weather"},
            {"$limit": 20},
        ]
    )
    return [
        (row["_id"], row["dep_delay"], row["weather"]["wind_dir"], row["weather"]["visib"])
        for row in found
    ]


def _on(day: Day) -> Document:
    origin, month, number = day
    return {"origin": origin, "month": month, "day": number}


def _with(collection: str, field: str, matching: str = "_id") -> Document:
    names = {"from": collection, "localField": field, "foreignField": matching, "as": collection}
    return {"$lookup": names}


# -- aggregates: a few numbers out of many documents ---------------------------------------------


def punctuality(database: Flights, month: int) -> object:
    """
    How late each airline was in a month.
    """
    late = {"mean": {"$avg": "$arr_delay"}, "spread": {"$stdDevPop": "$arr_delay"}}
    found = database.flights.aggregate(
        [
            {"$match": {"month": month}},
            {"$group": {"_id": "$carrier", "flights": {"$sum": 1}, **late}},
            _with("airlines", "_id"),
            {"$sort": {"_id": 1}},
        ]
    )
    return [
        (row["airlines"][0]["name"], row["flights"], row["mean"], row["spread"]) for row in found
    ]


def busiest(database: Flights, origin: str) -> object:
    """
    Where most flights from an airport went in winter, and how long they took.
    """
    far = {"distance": {"$avg": "$distance"}, "air_time": {"$avg": "$air_time"}}
    found = database.flights.aggregate(
        [
            {"$match": _in_winter(origin)},
            {"$group": {"_id": "$dest", "flights": {"$sum": 1}, **far}},
            _with("airports", "_id"),
            {"$unwind": "$airports"},
            {"$sort": {"flights": -1, "airports.name": 1}},
            {"$limit": 15},
        ]
    )
    return [
        (row["airports"]["name"], row["flights"], row["distance"], row["air_time"]) for row in found
    ]


def wind(database: Flights, origin: str) -> object:
    """
    How the wind delays departures in winter.
    """
    force = {"$floor": {"$divide": ["$sky.wind_speed", 5]}}
    late = {"$avg": "$dep_delay"}
    found = database.flights.aggregate(
        [
            {"$match": {**_in_winter(origin), "sky": {"$ne": None}}},
            {"$group": {"_id": force, "flights": {"$sum": 1}, "late": late}},
            {"$sort": {"_id": 1}},
        ]
    )
    return [(row["_id"], row["flights"], row["late"]) for row in found]


def _in_winter(origin: str) -> Document:
    return {"origin": origin, "month": {"$lte": 3}}


QUESTIONS: dict[str, Callable[[Flights, Any], object]] = {
    question.__name__: question
    for question in (
        *(flight, delay, plane, airport, weather),
        *(departures, rotation, held_up),
        *(punctuality, busiest, wind),
    )
}
