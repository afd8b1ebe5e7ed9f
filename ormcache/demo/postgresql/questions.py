"""
Which questions does an application ask its database?

Ordinary reads of an ORM, from one row by its key to a few numbers out of many rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from ormcache.demo.database import Day

from .models import Airline, Airport, Flight, Plane, Weather

__all__ = ["QUESTIONS"]


# -- lookups: one row by its primary key ---------------------------------------------------------


def flight(session: Session, key: int) -> object:
    """
    One flight.
    """
    found = session.get_one(Flight, key)
    return found.carrier, found.flight, found.time_hour, found.dep_delay, found.arr_delay


def delay(session: Session, key: int) -> object:
    """
    How late one flight arrived.
    """
    return session.get_one(Flight, key).arr_delay


def plane(session: Session, tailnum: str) -> object:
    """
    One plane.
    """
    found = session.get_one(Plane, tailnum)
    return found.manufacturer, found.model, found.year, found.seats


def airport(session: Session, faa: str) -> object:
    """
    One airport.
    """
    found = session.get_one(Airport, faa)
    return found.name, found.lat, found.lon, found.alt, found.tzone


def weather(session: Session, key: tuple[str, Any]) -> object:
    """
    One hour's weather.
    """
    found = session.get_one(Weather, key)
    return found.temp, found.wind_dir, found.wind_speed, found.visib


# -- lists: some rows with what belongs to them --------------------------------------------------


def departures(session: Session, day: Day) -> object:
    """
    The first departures of a day, with airline, plane and destination.
    """
    found = session.scalars(
        select(Flight)
        .options(
            joinedload(Flight.airline), selectinload(Flight.plane), joinedload(Flight.destination)
        )
        .where(*_on(day))
        .order_by(Flight.sched_dep_time, Flight.id)
        .limit(25)
    )
    return [
        (
            *(row.sched_dep_time, row.dep_delay, row.airline.name, row.flight),
            *(row.plane and row.plane.model, row.destination and row.destination.name),
        )
        for row in found
    ]


def rotation(session: Session, tailnum: str) -> object:
    """
    Everything a plane has flown, loaded with it.
    """
    found = session.scalars(
        select(Plane).options(selectinload(Plane.flights)).where(Plane.tailnum == tailnum)
    ).one()
    return found.model, found.seats, [(row.id, row.dest, row.arr_delay) for row in found.flights]


def held_up(session: Session, day: Day) -> object:
    """
    The longest delays of a day beside the weather at the hour of departure.
    """
    found = session.execute(
        select(Flight, Weather)
        .join(Weather, and_(Weather.origin == Flight.origin, Weather.time_hour == Flight.time_hour))
        .where(*_on(day))
        .where(Flight.dep_delay.is_not(None))
        .order_by(Flight.dep_delay.desc(), Flight.id)
        .limit(20)
    )
    return [(row.id, row.dep_delay, sky.wind_speed, sky.visib) for row, sky in found]


def _on(day: Day) -> list[ColumnElement[bool]]:
    origin, month, number = day
    return [Flight.origin == origin, Flight.month == month, Flight.day == number]


# -- aggregates: a few numbers out of many rows --------------------------------------------------


def punctuality(session: Session, month: int) -> object:
    """
    How late each airline was in a month.
    """
    late = func.percentile_cont(0.9).within_group(Flight.arr_delay)
    found = session.execute(
        select(Airline.name, func.count(), func.avg(Flight.arr_delay), late)
        .join(Flight.airline)
        .where(Flight.month == month)
        .group_by(Airline.carrier, Airline.name)
        .order_by(Airline.name)
    )
    return [tuple(row) for row in found]


def busiest(session: Session, origin: str) -> object:
    """
    Where most flights from an airport went, and how long they took.
    """
    flights = func.count()
    found = session.execute(
        select(Airport.name, flights, func.avg(Flight.distance), func.avg(Flight.air_time))
        .select_from(Flight)
        .join(Flight.destination)
        .where(Flight.origin == origin)
        .group_by(Airport.faa, Airport.name)
        .order_by(flights.desc(), Airport.name)
        .limit(15)
    )
    return [tuple(row) for row in found]


def wind(session: Session, origin: str) -> object:
    """
    How the wind delays departures.
    """
    force = func.width_bucket(Weather.wind_speed, 0, 40, 8)
    found = session.execute(
        select(force, func.count(), func.avg(Flight.dep_delay))
        .select_from(Flight)
        .join(Weather, and_(Weather.origin == Flight.origin, Weather.time_hour == Flight.time_hour))
        .where(Flight.origin == origin)
        .group_by(force)
        .order_by(force)
    )
    return [tuple(row) for row in found]


QUESTIONS: dict[str, Callable[[Session, Any], object]] = {
    question.__name__: question
    for question in (
        *(flight, delay, plane, airport, weather),
        *(departures, rotation, held_up),
        *(punctuality, busiest, wind),
    )
}
