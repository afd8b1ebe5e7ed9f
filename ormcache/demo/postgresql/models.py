"""
What does an application look like whose reads are cached?

Like any other, plus one line in each model: its policy. The tables live in a schema of their own,
so the demonstration can be run in a database that holds other things.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import DateTime, ForeignKey, Identity, Index, MetaData, Numeric
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from ormcache import Policy

__all__ = ["SCHEMA", "TABLES", "Airline", "Airport", "Base", "Flight", "Plane", "Weather"]

SCHEMA = "ormcache_demo"


class Base(DeclarativeBase):
    """
    The models of the demonstration.
    """

    metadata = MetaData(schema=SCHEMA)
    type_annotation_map: ClassVar = {
        # As written in the files: sums of exact numbers do not depend on the order of the rows.
        Decimal: Numeric,
        datetime: DateTime(timezone=True),
    }

    # Nothing but a commit makes an entry old here; the time to live only bounds Redis's memory.
    __cache_policy__ = Policy(ttl=600)


class Airline(Base):
    """
    One of 16 airlines.
    """

    __tablename__ = "airlines"

    carrier: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Airport(Base):
    """
    One of 1,458 airports.
    """

    __tablename__ = "airports"

    faa: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    lat: Mapped[Decimal]
    lon: Mapped[Decimal]
    alt: Mapped[int]
    tz: Mapped[int]
    dst: Mapped[str]
    tzone: Mapped[str | None]


class Plane(Base):
    """
    One of 3,322 planes.
    """

    __tablename__ = "planes"

    tailnum: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int | None]
    type: Mapped[str]
    manufacturer: Mapped[str]
    model: Mapped[str]
    engines: Mapped[int]
    seats: Mapped[int]
    speed: Mapped[int | None]
    engine: Mapped[str]

    flights: Mapped[list[Flight]] = relationship(
        primaryjoin="Plane.tailnum == foreign(Flight.tailnum)",
        order_by="Flight.id",
        viewonly=True,
    )


class Weather(Base):
    """
    One hour's weather at one of the three airports of New York.
    """

    __tablename__ = "weather"

    origin: Mapped[str] = mapped_column(ForeignKey(Airport.faa), primary_key=True)
    year: Mapped[int]
    month: Mapped[int]
    day: Mapped[int]
    hour: Mapped[int]
    temp: Mapped[Decimal | None]
    dewp: Mapped[Decimal | None]
    humid: Mapped[Decimal | None]
    wind_dir: Mapped[int | None]
    wind_speed: Mapped[Decimal | None]
    wind_gust: Mapped[Decimal | None]
    precip: Mapped[Decimal]
    pressure: Mapped[Decimal | None]
    visib: Mapped[Decimal]
    time_hour: Mapped[datetime] = mapped_column(primary_key=True)


class Flight(Base):
    """
    One of 336,776 departures. Delays are in minutes, distances in miles.

    `tailnum` and `dest` name a few planes and airports that the data set does not describe, so
    neither is a foreign key.
    """

    __tablename__ = "flights"
    # Made after the loading, by `data.load`: see there.
    __table_args__ = (
        Index("flights_by_day", "origin", "month", "day"),
        Index("flights_by_plane", "tailnum"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    year: Mapped[int]
    month: Mapped[int]
    day: Mapped[int]
    dep_time: Mapped[int | None]
    sched_dep_time: Mapped[int]
    dep_delay: Mapped[int | None]
    arr_time: Mapped[int | None]
    sched_arr_time: Mapped[int]
    arr_delay: Mapped[int | None]
    carrier: Mapped[str] = mapped_column(ForeignKey(Airline.carrier))
    flight: Mapped[int]
    tailnum: Mapped[str | None]
    origin: Mapped[str] = mapped_column(ForeignKey(Airport.faa))
    dest: Mapped[str]
    air_time: Mapped[int | None]
    distance: Mapped[int]
    hour: Mapped[int]
    minute: Mapped[int]
    time_hour: Mapped[datetime]

    airline: Mapped[Airline] = relationship()
    plane: Mapped[Plane | None] = relationship(
        primaryjoin="foreign(Flight.tailnum) == Plane.tailnum", viewonly=True
    )
    destination: Mapped[Airport | None] = relationship(
        primaryjoin="foreign(Flight.dest) == Airport.faa", viewonly=True
    )


TABLES: dict[str, type[Base]] = {
    model.__tablename__: model for model in (Airline, Airport, Plane, Weather, Flight)
}
"""
The models by the names of their tables.
"""
