"""
A table whose name has a percent sign: drivers that mark parameters with it are sent two for one.
"""

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, column, select, table, update

from ormcache import Outcome, Policy
from tests.fixtures.apps import App, MakeApp

NAMED = Table(
    "100% wool", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(50))
)
SHOWN = table("shown", column("name"))


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """
    One row in such a table, and a view of it.
    """
    app = make_app(default=Policy())
    quote = app.engine.dialect.identifier_preparer.quote
    NAMED.create(app.engine)
    with app.engine.begin() as connection:
        connection.execute(NAMED.insert().values(id=1, name="old"))
        connection.exec_driver_sql(f"CREATE VIEW shown AS SELECT name FROM {quote(NAMED.name)}")
    return app


def read(app: App, statement: object) -> str:
    with app.Session() as session:
        return session.scalars(statement).one()


@pytest.mark.parametrize("source", [NAMED, SHOWN], ids=["table", "view"])
def test_it_is_cached_and_a_write_to_it_ends_its_entries(app: App, source: Table):
    query = select(source.c.name)
    assert read(app, query) == read(app, query) == "old"
    assert app.log.outcomes() == [Outcome.MISS, Outcome.HIT]

    with app.Session() as session:
        session.execute(update(NAMED).values(name="new"))
        session.commit()

    assert read(app, query) == "new"
