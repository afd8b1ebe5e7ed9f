"""
S18, continued: names that lead elsewhere, and parameters that are equal and not the same.
"""

import pytest
from sqlalchemy import NullPool, event, select, text, update

from ormcache import Outcome
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import (
    change,
    name_of,
    names,
    rename,
    say,
    set_options,
    truth,
    warm,
)
from tests.shop import Product

mariadb = pytest.mark.databases("mariadb")


@mariadb
def test_s18_use_of_another_database(make_app: MakeApp, neighbour: Database):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    assert [name_of(app) for _ in range(2)] == ["old", "old"]
    with app.Session() as session:
        session.execute(text("USE ormcache_neighbour"))
        assert [session.scalar(names()) for _ in range(2)] == ["theirs", "theirs"]
        session.commit()
    assert name_of(app) == "theirs"  # the pool has no other connection
    with app.Session() as session:
        session.execute(text("USE ormcache_shop"))
        assert session.scalar(names()) == "old"
    assert name_of(app) == "old"


@mariadb
def test_s18_a_write_after_use_reaches_the_readers_of_that_database(
    make_app: MakeApp, neighbour: Database
):
    ours, writer, theirs = make_app(), make_app(), make_app(database=neighbour)
    for _ in range(2):
        assert [name_of(ours), name_of(theirs)] == ["old", "theirs"]
    with writer.Session() as session:
        session.execute(text("USE ormcache_neighbour"))
        change(session, "changed")
        session.commit()
    assert [name_of(ours), name_of(theirs)] == ["old", "changed"]


@pytest.fixture
def elsewhere(database: Database, request: pytest.FixtureRequest) -> str:
    """
    The schema in which somebody else's tables of the same names are; in SQLite, when attached.
    """
    if database.name == "postgresql":
        return request.getfixturevalue("schema")
    neighbour: Database = request.getfixturevalue("neighbour")
    return (
        "ormcache_neighbour" if database.name == "mariadb" else neighbour.url[len("sqlite:///") :]
    )


@pytest.fixture
def mapped(make_app: MakeApp, database: Database, elsewhere: str) -> tuple[App, dict]:
    """
    An application, and the map that leads its tables elsewhere.
    """
    app = make_app()
    if database.name == "sqlite":
        attach = f"ATTACH '{elsewhere}' AS tenant_b"
        event.listen(app.engine, "connect", lambda connection, _: say(connection, attach))
        return app, {None: "tenant_b"}
    return app, {None: elsewhere}


OURS = {"postgresql": "public", "mariadb": "ormcache_shop", "sqlite": "main"}


@pytest.mark.parametrize("named", [False, True], ids=["ours unnamed", "ours named"])
def test_s18_a_schema_translate_map(mapped: tuple[App, dict], database: Database, named: bool):
    app, translation = mapped
    theirs = names().execution_options(schema_translate_map=translation)
    ours = names()
    if named:  # the compiled statement is then the same object
        ours = ours.execution_options(schema_translate_map={None: OURS[database.name]})
    for _ in range(3):
        with app.Session() as session:
            assert [session.scalar(ours), session.scalar(theirs)] == ["old", "theirs"]
    # SQLite's attached databases are nobody's to follow; elsewhere both are cached.
    expected = Outcome.BYPASS if database.name == "sqlite" else Outcome.HIT
    assert app.log.outcomes()[-2:] == [expected] * 2
    with app.Session() as session:
        set_options(session, schema_translate_map=translation)
        session.execute(update(Product).values(name="changed"))
        session.commit()
    with app.Session() as session:
        assert [session.scalar(ours), session.scalar(theirs)] == ["old", "changed"]


def test_s18_an_engine_with_a_schema_translate_map(mapped: tuple[App, dict]):
    app, translation = mapped
    elsewhere = app.engine.execution_options(schema_translate_map=translation)
    for _ in range(3):
        assert name_of(app) == "old"
        with app.Session(bind=elsewhere) as session:
            assert session.scalar(names()) == "theirs"


@pytest.mark.databases("sqlite")
def test_s18_an_attached_database_that_its_own_application_writes(
    make_app: MakeApp, mapped: tuple[App, dict], neighbour: Database
):
    app, translation = mapped
    theirs = make_app(database=neighbour)
    statement = names().execution_options(schema_translate_map=translation)
    for name in ("theirs", "changed", "changed again"):
        rename(theirs, name)
        for _ in range(2):
            with app.Session() as session:
                assert session.scalar(statement) == name


# In SQLite no name of the main database can lead elsewhere.
@pytest.mark.databases("postgresql", "mariadb")
def test_s18_a_connection_whose_names_lead_elsewhere_than_those_before(
    make_app: MakeApp, other: App, database: Database, elsewhere: str
):
    app = make_app(engine={"poolclass": NullPool})
    ours = OURS[database.name]
    place = [ours]
    move = {"postgresql": "SET search_path TO {}", "mariadb": "USE {}"}[database.name]

    def lead(connection, _record) -> None:
        say(connection, move.format(place[0]))
        connection.commit()

    event.listen(app.engine, "connect", lead)
    warm(app)
    place[0] = elsewhere
    assert name_of(app, 2) is None  # planned before there was a connection
    assert name_of(app) == "theirs"
    place[0] = ours
    assert name_of(app, 2) == name_of(other, 2) == "old"
    assert name_of(app) == name_of(other) == "old"


def test_s18_a_temporary_table_hides_one_of_the_same_name(
    make_app: MakeApp, other: App, database: Database
):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    assert [name_of(app) for _ in range(2)] == ["old", "old"]
    with app.Session() as session:
        session.execute(text("CREATE TEMPORARY TABLE products (id int, name varchar(50))"))
        session.execute(text("INSERT INTO products VALUES (1, 'temporary')"))
        assert session.scalar(names()) == "temporary"
        session.commit()
        assert session.scalar(names()) == "temporary"
    assert name_of(app) == "temporary"  # the pool has no other connection
    assert name_of(other) == "old"
    with app.Session() as session:
        session.execute(text("DROP TABLE products"))
        session.commit()
    assert name_of(app) == truth(database) == "old"


VALUES = [1, True, 1.0, "1"]


@pytest.mark.cannot_occur_on(
    "asyncpg", reason="it sends a parameter as the one type that the statement gives it, or not"
)
def test_s18_parameters_that_are_equal_and_of_another_type(app: App, make_app: MakeApp):
    statement = text("SELECT :value AS value FROM products WHERE id = 1")

    def answers(app: App) -> list[str]:
        found = []
        for value in VALUES:
            with app.Session() as session:
                found.append(repr(session.scalar(statement, {"value": value})))
        return found

    expected = answers(make_app(mode="off"))
    assert len(set(expected)) > 1
    for round_ in range(2):
        assert answers(app) == expected, f"round {round_}"
    assert app.log.outcomes() == [Outcome.MISS] * 4 + [Outcome.HIT] * 4


def test_s18_parameters_that_are_equal_in_a_filter(app: App):
    for value in (1, 2, 1, 2):
        with app.Session() as session:
            assert session.scalar(select(Product.id).where(Product.stock == value)) == value
    assert app.log.outcomes() == [Outcome.MISS] * 2 + [Outcome.HIT] * 2
