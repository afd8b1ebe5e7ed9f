"""
A schema that changes while others read: what a read depends on is that of the schema it was planned
for.
"""

from sqlalchemy import column, select, table, text

from ormcache import Policy
from tests.fixtures.apps import App, MakeApp
from tests.integration.conformance.gaps import at
from tests.shop import Category, Customer

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
