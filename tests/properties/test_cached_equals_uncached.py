"""
Does a cached read return what the database would have returned, in value and type?

Random rows, random statements, each run on a session that no cache knows, then twice on cached
ones: the first fills the cache, the second is answered from it.
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings, strategies as st
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from ormcache import Outcome
from tests.fixtures.apps import App, Database
from tests.properties.data import contents
from tests.properties.models import TABLES, Author, Base, PgThing
from tests.properties.reads import KINDS, Read, of_postgresql, reads

EXAMPLES = 80
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


@pytest.mark.timeout(600)  # a failure takes time to be made small
def test_cached_equals_uncached(app: App, tables: list, plain: Session, database: Database):
    postgresql = database.name == "postgresql"
    seen: Counter[tuple[str, Outcome]] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,  # a statement's first run compiles it
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        # Rows of many columns are long to draw; they are wanted that way.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        contents(postgresql=postgresql),
        st.lists(reads(postgresql=postgresql), min_size=READS, max_size=READS),
    )
    def compare(objects: list[Base], several: list[Read]) -> None:
        fill(app, tables, objects)
        for read in several:
            app.sent_since()
            expected = answer(plain, read)
            assert answer(app.Session(), read) == expected
            note(f"{read.name} {read.touched}: {app.sent_since()}")
            app.log.outcomes()
            assert answer(app.Session(), read) == expected
            outcomes = app.log.outcomes()
            seen.update((read.name, outcome) for outcome in outcomes)
            if outcomes and set(outcomes) == {Outcome.HIT}:
                assert app.sent_since() == []

    compare()
    hits = {name for name, outcome in seen if outcome is Outcome.HIT}
    assert hits == {kind.__name__ for kind in KINDS} | (
        {of_postgresql.__name__} if postgresql else set()
    )
    everything_else = {key: count for key, count in seen.items() if key[1] is not Outcome.HIT}
    assert sum(everything_else.values()) < 0.02 * seen.total(), everything_else
