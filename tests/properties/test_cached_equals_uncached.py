"""
Does a cached read return what the database would have returned, in value and type?

Random rows, random statements, each run on a session that no cache knows, then twice on cached
ones: the first fills the cache, the second is answered from it.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from ormcache import Outcome, Reason
from tests.fixtures.apps import App, Database, MakeApp
from tests.properties.data import contents
from tests.properties.models import TABLES, Author, Base, Book, PgThing
from tests.properties.reads import Read, reads

EXAMPLES = 300
READS = 6


@pytest.fixture
def tables(database: Database) -> list:
    """
    The tables that the database can have, parents first, made.
    """
    here = [*TABLES, PgThing.__table__] if database.name == "postgresql" else TABLES
    engine = database.plain_engine()
    Base.metadata.create_all(engine, tables=here)
    engine.dispose()
    return here


@pytest.fixture
def plain(database: Database) -> Iterator[Session]:
    """
    A session that no cache knows.
    """
    engine = database.plain_engine()
    with Session(engine) as session:
        yield session
    engine.dispose()


def fill(app: App, tables: list, objects: list[Base]) -> None:
    with app.Session() as session:
        session.execute(update(Author).values(mentor_id=None))
        for table in reversed(tables):
            session.execute(delete(table))
        session.add_all(objects)
        session.commit()


def answer(session: Session, read: Read) -> object:
    with session:
        return read.answer(session)


def test_cached_equals_uncached(app: App, tables: list, plain: Session, database: Database):
    postgresql = database.name == "postgresql"
    outcomes: Counter[tuple[str, Outcome, Reason | None]] = Counter()

    @settings(phases=[Phase.generate], report_multiple_bugs=False, max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(contents(postgresql=postgresql), st.lists(reads(postgresql=postgresql), min_size=READS, max_size=READS))
    def compare(objects: list[Base], several: list[Read]) -> None:
        fill(app, tables, objects)
        for read in several:
            expected = answer(plain, read)
            assert answer(app.Session(), read) == expected
            app.log.outcomes()
            app.sent_since()
            assert answer(app.Session(), read) == expected
            outcomes.update((read.name, each.outcome, each.reason, each.detail) for each in app.log.reads)
            if app.log.reads and {each.outcome for each in app.log.reads} == {Outcome.HIT}:
                assert app.sent_since() == []

    compare()
    for k, v in sorted(outcomes.items(), key=str): print(k, v)
    hits = sum(n for (_, outcome, _, _), n in outcomes.items() if outcome is Outcome.HIT)
    assert hits > 0.95 * outcomes.total()
