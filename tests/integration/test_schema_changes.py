"""
A schema that changes while others read: what a read depends on is that of the schema it was planned
for.
"""

from sqlalchemy import Column, Integer, MetaData, Table, column, select, table, text

from ormcache import Outcome, Policy
from tests.fixtures.apps import App, MakeApp
from tests.integration.conformance.gaps import at
from tests.shop import Category, Customer

NOTES = Table("notes", MetaData(), Column("id", Integer, primary_key=True))
SHOWN = table("shown", column("name"))


def show(app: App, name: str) -> None:
    """
    The view from now on shows the rows of this table.
    """
    with app.engine.begin() as connection:
        connection.execute(text("DROP VIEW IF EXISTS shown"))
        connection.execute(text(f"CREATE VIEW shown AS SELECT name FROM {name}"))


def shown(app: App) -> list[str]:
    with app.Session() as session:
        return list(session.scalars(select(SHOWN)))


def read_something(app: App) -> None:
    with app.Session() as session:
        session.get(Category, 1)


def test_a_read_that_was_planned_before_the_schema_changed_stores_nothing(make_app: MakeApp):
    app, other = (make_app(default=Policy()) for _ in range(2))
    with app.Session() as session:
        session.add_all((Category(id=1, name="tea"), Customer(id=1, name="old")))
        session.commit()
    show(app, "categories")
    assert shown(app) == shown(other) == ["tea"]

    def change() -> None:
        show(app, "customers")
        read_something(app)  # and has read the new catalog

    app.cache.clear()
    with at(app, "before fetch", change):
        assert shown(app) == ["old"]
    with app.Session() as session:
        session.get(Customer, 1).name = "new"
        session.commit()
    assert shown(other) == ["new"]
    assert shown(app) == ["new"]


def test_a_table_that_was_dropped_and_made_again_is_cached_again(make_app: MakeApp):
    app = make_app(default=Policy())

    def read() -> Outcome:
        with app.Session() as session:
            session.scalars(select(NOTES.c.id)).all()
        return app.log.last().outcome

    for _ in range(2):
        NOTES.create(app.engine)
        read()
        assert read() is Outcome.HIT
        NOTES.drop(app.engine)
        read_something(app)  # and has read the catalog without it
