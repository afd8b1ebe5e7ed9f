"""
What SQLite and its driver do to a transaction that no other database does.
"""

import pytest
from sqlalchemy import select

from ormcache import Outcome
from tests.fixtures.apps import App
from tests.shop import Category

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def names(app: App) -> list[str]:
    with app.Session() as session:
        return list(session.scalars(select(Category.name)))


def test_release_of_a_savepoint_that_began_the_transaction_is_a_commit(app: App, other: App):
    # The driver sends no BEGIN before SAVEPOINT, and SQLite then takes its RELEASE for a COMMIT.
    assert names(other) == []
    assert names(other) == []
    with app.Session() as session:
        with session.begin_nested():
            session.add(Category(id=1, name="tea"))
        session.rollback()
    with app.database.plain_engine().connect() as plain:
        assert plain.scalars(select(Category.name)).all() == ["tea"]

    assert names(other) == ["tea"]


def test_release_of_a_savepoint_inside_a_transaction_is_none(app: App, other: App):
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.commit()
    assert names(other) == ["tea"]
    with app.Session() as session:
        session.add(Category(id=2, name="coffee"))
        session.flush()
        with session.begin_nested():
            session.add(Category(id=3, name="milk"))
        other.log.outcomes()
        assert names(other) == ["tea"]
        session.rollback()
    assert names(other) == ["tea"]
    assert other.log.outcomes() == [Outcome.HIT, Outcome.HIT]
