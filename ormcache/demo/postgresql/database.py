"""
How does PostgreSQL do what the demonstration asks of a database?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from ormcache import Cache
from ormcache.demo.database import Database, Subjects, Wording, Work

from . import data, statements
from .models import TABLES, Airport, Flight, Plane, Weather
from .questions import QUESTIONS

__all__ = ["PostgreSQL", "Sessions", "postgresql"]


@contextmanager
def postgresql(url: URL, *, private: bool) -> Iterator[Database]:
    """
    Within the block there is an empty schema for the demonstration; after it there is none.

    Args:
        private: whether the server is ours, so that an extension may be installed in it

    Raises:
        InUseError: There is one already. Nothing in it has been touched.
    """
    with _engine(url) as engine:
        if private:
            statements.install(engine)
        with data.schema(engine):
            yield PostgreSQL(engine)


class PostgreSQL:
    """
    The demonstration's schema; *engine* asks the database what it has done.
    """

    wording = Wording(
        work="statements",
        reads="ORM reads",
        asked="statements",
        listing="list, eager loading",
        writing="write and commit",
        writes="commits",
        uncounted="statements are counted by the extension pg_stat_statements, which this "
        "database does not have, or this user may not read",
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, flights: int, loaded: Callable[[int], object]) -> None:
        data.load(self._engine, flights, loaded)

    def subjects(self) -> Subjects:
        with Session(self._engine) as session:
            return _subjects(session)

    @contextmanager
    def application(self, cache: Cache | None = None) -> Iterator[Sessions]:
        with _engine(self._engine.url) as engine:
            sessions = sessionmaker(engine)
            if cache is not None:
                cache.enable(sessions)
            yield Sessions(sessions, self._engine)


class Sessions:
    """
    An application that has a session for each request, as a web application has; *counters* asks
    the database what it has done.
    """

    def __init__(self, sessions: sessionmaker[Session], counters: Engine) -> None:
        self._sessions = sessions
        self._counters = counters

    def ask(self, question: str, subject: Any) -> object:
        with self._sessions() as session:
            return QUESTIONS[question](session, subject)

    def change(self, table: str, key: Any, attribute: str, value: int) -> None:
        with self._sessions() as session:
            setattr(session.get_one(TABLES[table], key), attribute, value)
            session.commit()

    def work_so_far(self) -> Work | None:
        return statements.work_so_far(self._counters)


def _subjects(session: Session) -> Subjects:
    days = select(Flight.origin, Flight.month, Flight.day).distinct().order_by(None)
    found = sorted((origin, month, day) for origin, month, day in session.execute(days))
    hours = select(Weather.origin, Weather.time_hour).where(
        Weather.time_hour.in_(select(Flight.time_hour))
    )
    flown = select(Plane.tailnum).where(Plane.tailnum.in_(select(Flight.tailnum)))
    return Subjects(
        flights=range(1, session.scalars(select(func.count(Flight.id))).one() + 1),
        planes=sorted(session.scalars(flown)),
        airports=sorted(session.scalars(select(Airport.faa))),
        hours=sorted((origin, hour) for origin, hour in session.execute(hours)),
        days=found,
        months=sorted({month for _, month, _ in found}),
        origins=sorted({origin for origin, _, _ in found}),
    )


@contextmanager
def _engine(url: URL) -> Iterator[Engine]:
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
