"""
What does each driver support? Stated in `SUPPORTS`, and shown: what one cannot do raises.
"""

import datetime as dt
import json
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import ArgumentError, DBAPIError

from ormcache import Outcome, Reason
from tests.fixtures.apps import App, MakeApp
from tests.fixtures.databases import Database
from tests.fixtures.drivers import ASYNC, DRIVERS, Driver
from tests.fixtures.loops import await_
from tests.fixtures.ways import Way
from tests.integration.conformance.steps import change, name_of, names, rename, warm
from tests.shop import Category, Product

HIT, BYPASS, UNSUPPORTED = Outcome.HIT, Outcome.BYPASS, None

SERVER = {
    "AUTOCOMMIT": HIT,
    "READ UNCOMMITTED": BYPASS,
    "READ COMMITTED": HIT,
    "REPEATABLE READ": HIT,
    "SERIALIZABLE": BYPASS,
}
SQLITE = {
    "AUTOCOMMIT": HIT,
    "READ UNCOMMITTED": HIT,  # SQLite reads from a snapshot all the same
    "READ COMMITTED": UNSUPPORTED,
    "REPEATABLE READ": UNSUPPORTED,
    "SERIALIZABLE": HIT,  # and writers wait for each other
}


@dataclass(frozen=True)
class Supports:
    """
    What can be done with SQLAlchemy through a driver.
    """

    bound: str
    """How `exec_driver_sql` names the parameter "id"."""
    levels: dict[str, Outcome | None]
    """By isolation level, what becomes of a read that has been made before."""
    two_phase: bool = True
    server_side: bool = True
    """Whether `stream_results` gives a server-side cursor."""
    update_returning: bool = True


SUPPORTS = {
    "psycopg": Supports("%(id)s", SERVER),
    "psycopg-async": Supports("%(id)s", SERVER),
    "psycopg2": Supports("%(id)s", SERVER),
    "pg8000": Supports("%s", SERVER),
    "asyncpg": Supports("$1", {**SERVER, "READ UNCOMMITTED": UNSUPPORTED}),
    "pymysql": Supports("%(id)s", SERVER, update_returning=False),
    "mysqlclient": Supports("%s", SERVER, update_returning=False),
    "mysql-connector": Supports("%(id)s", SERVER, server_side=False, update_returning=False),
    "aiomysql": Supports("%s", SERVER, update_returning=False),
    "asyncmy": Supports("%s", SERVER, update_returning=False),
    "sqlite3": Supports("?", SQLITE, two_phase=False, server_side=False),
    "aiosqlite": Supports("?", SQLITE, two_phase=False),
}


STOCK = [
    {
        "id": number,
        "category_id": 1,
        "name": "old",
        "price": Decimal(f"{number}.50"),
        "attributes": {"leaves": [number, None, "é"]},
        "added": dt.datetime(2024, 1, number, tzinfo=dt.UTC),
    }
    for number in (1, 2, 3)
]


def through(*drivers: Driver) -> pytest.MarkDecorator:
    """
    Parametrises a test over the databases behind these drivers.
    """
    ways = [Way(driver) for driver in drivers]
    return pytest.mark.parametrize("database", ways, indirect=True, ids=lambda way: str(way.driver))


through_every_driver = through(*DRIVERS.values())


@pytest.fixture
def database(database: Database) -> Database:
    """
    The shop with its stock.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(insert(Category).values(id=1, name="tea"))
        connection.execute(insert(Product), STOCK)
    engine.dispose()
    return database


@pytest.fixture
def driver(database: Database) -> Driver:
    return database.way.driver


@pytest.fixture
def supports(driver: Driver) -> Supports:
    return SUPPORTS[driver.name]


def in_own_words(driver: Driver, sql: str, value: object) -> tuple[str, Any]:
    """
    SQL whose parameter `:id` is written as the driver itself wants it, and its parameters.
    """
    bound = SUPPORTS[driver.name].bound
    return sql.replace(":id", bound), {"id": value} if "id" in bound else (value,)


def everything(app: App, driver: Driver) -> dict[str, str]:
    """
    The products in each way to ask for them, with the types of all values.
    """
    table = Product.__table__
    named = "SELECT name, price FROM products WHERE id = :id"
    with app.Session() as session:
        one = session.get(Product, 2).name
        entities = session.scalars(select(Product).order_by(Product.id)).all()
        found: dict[str, object] = {
            "one": one,
            "entities": [[getattr(each, c.key) for c in table.columns] for each in entities],
            "columns": session.execute(select(Product.added, Product.name)).all(),
            "sum": session.scalar(select(func.sum(Product.price))),
            "nothing": session.execute(select(Product.id).where(Product.id > 9)).all(),
            "text": session.execute(text(named), {"id": 3}).all(),
        }
    with app.engine.connect() as connection:
        found["core"] = connection.execute(select(table).order_by(table.c.id.desc())).all()
        found["own words"] = connection.exec_driver_sql(*in_own_words(driver, named, 2)).all()
    return {name: repr(rows) for name, rows in found.items()}


@through_every_driver
def test_reads_are_cached_until_a_commit(driver: Driver, app: App, other: App):
    app.cache.enable(app.engine)
    with app.cache.bypass():
        uncached = everything(app, driver)
    app.log.outcomes()
    assert everything(app, driver) == uncached
    assert set(app.log.outcomes()) == {Outcome.MISS}
    app.sent_since()
    assert everything(app, driver) == uncached
    assert set(app.log.outcomes()) == {HIT}
    assert app.sent_since() == []
    with app.Session() as session:
        assert session.get(Product, 2).name == "old"
        assert not session.connection().is_open
    assert app.log.outcomes() == [HIT]
    rename(other, "new", 2)
    now = everything(app, driver)
    # "text" asks for product 3, which is another row.
    assert app.log.outcomes().count(HIT) == 1
    changed = {name for name in now if now[name] != uncached[name]}
    assert changed == {"one", "entities", "columns", "core", "own words"}


def as_text(connection: Connection, driver: Driver) -> None:
    connection.execute(text("UPDATE products SET name = 'text' WHERE id = :id"), {"id": 1})


def as_many_texts(connection: Connection, driver: Driver) -> None:
    many = [{"id": 1, "name": "many"}, {"id": 2, "name": "others"}]
    connection.execute(text("UPDATE products SET name = :name WHERE id = :id"), many)


def in_the_drivers_words(connection: Connection, driver: Driver) -> None:
    sql = "UPDATE products SET name = 'driver' WHERE id = :id"
    connection.exec_driver_sql(*in_own_words(driver, sql, 1))


def many_in_the_drivers_words(connection: Connection, driver: Driver) -> None:
    sql, one = in_own_words(driver, "UPDATE products SET name = 'drivers' WHERE id = :id", 1)
    _, two = in_own_words(driver, "", 2)
    connection.exec_driver_sql(sql, [one, two])


def many_rows(connection: Connection, driver: Driver) -> None:
    connection.execute(delete(Product.__table__))
    rows = [{"id": i, "name": "again", "price": 1, "stock": 0} for i in range(1, 4)]
    connection.execute(insert(Product.__table__), rows)


@through_every_driver
def test_every_kind_of_statement_is_seen(driver: Driver, app: App, other: App):
    seen = ["old"]
    for write in (
        as_text, as_many_texts, in_the_drivers_words, many_in_the_drivers_words, many_rows
    ):  # fmt: skip
        warm(app)
        with other.engine.begin() as connection:
            write(connection, driver)
            assert name_of(app) == seen[-1]
        seen.append(name_of(app))
    assert seen == ["old", "text", "many", "driver", "drivers", "again"]


@through_every_driver
def test_returning(supports: Supports, app: App, other: App):
    warm(app)
    fourth = insert(Product).values(id=4, name="fourth", price=4).returning(Product.name)
    renamed = update(Product).where(Product.id == 1).values(name="new").returning(Product.name)
    with other.Session() as session:
        assert session.scalar(fourth) == "fourth"
        if supports.update_returning:
            assert session.scalar(renamed) == "new"
        else:
            with pytest.raises(DBAPIError):
                session.scalar(renamed)
        session.commit()
    assert name_of(app, 4) == "fourth"
    assert name_of(app) == ("new" if supports.update_returning else "old")


@through_every_driver
def test_savepoints(app: App, other: App):
    warm(app)
    with other.Session() as session:
        with session.begin_nested() as undone:
            change(session, "undone")
            undone.rollback()
        session.commit()
    assert name_of(app) == "old"
    with other.Session() as session:
        change(session, "inserted", 2)  # SQLite's driver begins no transaction for a SAVEPOINT
        with session.begin_nested():
            change(session, "new")
        assert name_of(app) == "old"
        session.commit()
    assert name_of(app) == "new"


def through_options(app: App) -> Connection:
    return app.engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def through_an_engine(app: App) -> Connection:
    return app.engine.execution_options(isolation_level="AUTOCOMMIT").connect()


def through_the_driver(app: App) -> Connection:
    connection = app.engine.connect()
    dbapi = connection.connection.dbapi_connection
    if app.database.name == "sqlite":
        dbapi.isolation_level = None
    elif callable(dbapi.autocommit):
        dbapi.autocommit(True)
    else:
        dbapi.autocommit = True
    return connection


@through_every_driver
def test_autocommit(app: App, other: App):
    for switched_on in (through_options, through_an_engine, through_the_driver):
        warm(app)
        with switched_on(other) as connection:
            for name in (f"first {switched_on.__name__}", f"second {switched_on.__name__}"):
                connection.execute(update(Product).values(name=name))
                assert name_of(app) == name


@through_every_driver
def test_isolation_levels(supports: Supports, app: App):
    app.cache.enable(app.engine)
    warm(app)
    assert {level: second_read_at(app, level) for level in SERVER} == supports.levels


def second_read_at(app: App, level: str) -> Outcome | None:
    with app.engine.connect() as connection:
        try:
            connection.execution_options(isolation_level=level)
        except ArgumentError:
            return UNSUPPORTED
        assert [connection.scalar(names()) for _ in range(2)] == ["old", "old"]
    return app.log.last().outcome


@through_every_driver
def test_two_phase_commit(supports: Supports, app: App, make_app: MakeApp):
    warm(app)
    other = make_app(session={"twophase": True})
    if not supports.two_phase:
        with other.Session() as session, pytest.raises(NotImplementedError):
            change(session, "new")
        return
    with other.Session() as session:
        change(session, "new")
        session.prepare()
        assert name_of(app) == "old"
        session.commit()
    assert name_of(app) == "new"
    with other.Session() as session:
        change(session, "undone")
        session.rollback()
    assert name_of(app) == "new"


@through_every_driver
def test_streamed_rows_come_from_the_database(supports: Supports, app: App):
    app.cache.enable(app.engine)
    warm(app)
    for _ in range(2):
        with app.engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(names())
            assert result.context._is_server_side is supports.server_side
            assert result.scalar_one() == "old"
        assert (app.log.last().outcome, app.log.last().reason) == (BYPASS, Reason.ASKED)


@pytest.mark.parametrize(
    ("database", "told"),
    [
        (Way(DRIVERS["sqlite3"]), {"detect_types": sqlite3.PARSE_DECLTYPES}),
        (Way(DRIVERS["pymysql"]), {"use_unicode": False}),
    ],
    indirect=["database"],
    ids=str,
)
def test_who_tells_the_driver_to_convert_otherwise_shares_no_entry(
    database: Database,
    told: dict[str, object],
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sqlite3.converters, "JSON", json.loads)
    apps = [make_app(), make_app(engine={"connect_args": told})]
    attributes = text("SELECT attributes FROM products WHERE id = 1")

    def kinds() -> list[type]:
        found = []
        for app in apps:
            with app.Session() as session:
                found.append(type(session.scalar(attributes)))
        return found

    assert kinds() == kinds() == [str, dict if database.name == "sqlite" else bytes]
    assert [app.log.last().outcome for app in apps] == [HIT, HIT]


@through(*ASYNC)
def test_the_asynchronous_face(app: App, database: Database):
    """
    What the other tests do in SQLAlchemy's greenlet, as an application writes it.
    """

    async def use() -> None:
        for _ in range(2):
            async with app._made.connect() as connection, app._maker() as session:
                assert (await connection.execute(names())).all() == [("old",)]
                assert await session.scalar(names(2)) == "old"
                assert (await session.get(Product, 3)).name == "old"
                assert [row async for row in await session.stream(names())] == [("old",)]
        async with app._maker.begin() as session:
            await session.execute(update(Product).values(name="new"))
        async with app._made.connect() as connection:
            assert (await connection.execute(names())).all() == [("new",)]

    app.cache.enable(app._made)
    await_(use())
    assert app.log.outcomes() == [
        *[Outcome.MISS] * 3, BYPASS, *[HIT] * 3, BYPASS, Outcome.STALE
    ]  # fmt: skip
