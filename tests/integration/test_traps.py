"""
What hides from SQL text: views, temporary tables, inheritance, other databases behind one name.
"""

import datetime as dt
import sqlite3
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

from ormcache import Cache, Outcome, Policy, Reason
from tests.fixtures.apps import App, MakeApp
from tests.shop import Base, Category, Product


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.flush()
        session.add_all(
            Product(id=i, category_id=1, name=f"tea {i}", price=Decimal(i)) for i in (1, 2, 3)
        )
        session.commit()


def run(app: App, *statements: str) -> None:
    with app.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def scalar(app: App, sql: str):
    with app.Session() as session:
        return session.scalar(text(sql).execution_options(ormcache=60))


def test_a_view_depends_on_its_tables(app: App, other: App):
    stock(app)
    run(
        app,
        "CREATE VIEW cheap AS SELECT * FROM products WHERE price < 3",
        "CREATE VIEW cheap_count AS SELECT count(*) AS n FROM cheap",
    )
    assert [scalar(app, "SELECT n FROM cheap_count") for _ in range(3)] == [2, 2, 2]
    assert app.log.last().outcome is Outcome.HIT
    with other.Session() as session:
        session.get(Product, 3).price = Decimal(1)
        session.commit()
    assert scalar(app, "SELECT n FROM cheap_count") == 3
    run(other, "DROP VIEW cheap_count", "CREATE VIEW cheap_count AS SELECT 7 AS n FROM categories")
    assert scalar(app, "SELECT n FROM cheap_count") == 7


def test_a_view_replaced_elsewhere_is_read_anew(app: App, other: App):
    stock(app)
    run(app, "CREATE VIEW v AS SELECT count(*) AS n FROM categories")
    assert [scalar(app, "SELECT n FROM v") for _ in range(2)] == [1, 1]
    run(other, "DROP VIEW v", "CREATE VIEW v AS SELECT count(*) AS n FROM products")
    assert [scalar(app, "SELECT n FROM v") for _ in range(4)] == [3, 3, 3, 3]
    with other.Session() as session:
        session.add(Product(id=9, name="new", price=1))
        session.commit()
    assert scalar(app, "SELECT n FROM v") == 4


def test_a_temporary_table_shadows_nobody_else(app: App, other: App):
    stock(app)
    assert [scalar(app, "SELECT count(*) FROM categories") for _ in range(2)] == [1, 1]
    with other.Session() as session:
        session.execute(text("CREATE TEMPORARY TABLE categories (id int, name varchar(10))"))
        counted = session.scalar(text("SELECT count(*) FROM categories"))
        assert (counted, other.log.last().outcome) == (0, Outcome.BYPASS)
        temporary = "TEMPORARY" if other.engine.dialect.name == "mysql" else ""
        session.execute(text(f"DROP {temporary} TABLE categories"))
        session.rollback()
    assert scalar(app, "SELECT count(*) FROM categories") == 1
    assert scalar(other, "SELECT count(*) FROM categories") == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_materialized_views_change_on_refresh(app: App, other: App):
    stock(app)
    run(app, "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM products")
    assert [scalar(app, "SELECT n FROM m") for _ in range(2)] == [3, 3]
    run(other, "DELETE FROM products WHERE id = 3")
    assert scalar(app, "SELECT n FROM m") == 3
    run(other, "REFRESH MATERIALIZED VIEW m")
    assert scalar(app, "SELECT n FROM m") == 2


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_partitions_and_children_are_seen_through_both_names(app: App, other: App):
    run(
        app,
        "CREATE TABLE events (id int, day int) PARTITION BY RANGE (day)",
        "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE parent (id int)",
        "CREATE TABLE child () INHERITS (parent)",
    )

    def counts() -> list[int]:
        tables = ("events", "events_1", "parent", "child")
        return [scalar(app, f"SELECT count(*) FROM {table}") for table in tables]

    assert counts() == counts() == [0, 0, 0, 0]
    assert app.log.last().outcome is Outcome.HIT
    run(other, "INSERT INTO events VALUES (1, 1)")
    assert counts() == [1, 1, 0, 0]
    run(other, "INSERT INTO events_1 VALUES (2, 2)", "INSERT INTO child VALUES (1)")
    assert counts() == [2, 2, 1, 1]
    run(other, "DELETE FROM parent")
    assert counts() == [2, 2, 0, 0]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_database_in_memory_is_one_of_its_own(app: App, namespace: str, redis_server):
    cache = Cache.from_url(redis_server.url, namespace=namespace, default=Policy(), timeout=5.0)
    sessions = []
    for name in ("one", "two"):
        engine = create_engine("sqlite://")
        Base.metadata.create_all(engine)
        make = sessionmaker(engine)
        cache.enable(make)
        with make() as session:
            session.add(Category(id=1, name=name))
            session.commit()
        sessions.append(make)

    def names() -> list[str]:
        found = []
        for make in sessions:
            with make() as session:
                found.append(session.scalar(select(Category.name)))
        return found

    assert names() == names() == names() == ["one", "two"]
    assert cache.counts[Outcome.HIT] > 0
    cache.close()
    for make in sessions:
        make.kw["bind"].dispose()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_attached_databases_are_not_confused(app: App, other: App, tmp_path):
    stock(app)
    aside = create_engine(f"sqlite:///{tmp_path / 'aside.db'}")
    Base.metadata.create_all(aside)
    aside.dispose()
    assert [scalar(app, "SELECT count(*) FROM products") for _ in range(2)] == [3, 3]
    with other.engine.connect() as connection:
        connection.exec_driver_sql(f"ATTACH DATABASE '{tmp_path / 'aside.db'}' AS aside")
        connection.exec_driver_sql("INSERT INTO aside.categories VALUES (1, 'x')")
        connection.exec_driver_sql("DELETE FROM products")
        connection.commit()
        assert connection.exec_driver_sql("SELECT count(*) FROM aside.products").scalar() == 0
    assert scalar(app, "SELECT count(*) FROM products") == 0


def test_a_string_that_means_now_is_not_cached(app: App, database):
    stock(app)
    sql = "SELECT count(*) FROM products WHERE added < :moment"
    for _ in range(2):
        with app.Session() as session:
            session.scalar(text(sql), {"moment": "2020-01-01 00:00:00"})
    assert app.log.last().outcome is Outcome.HIT
    if database.name != "mariadb":
        with app.Session() as session:
            session.scalar(text(sql), {"moment": "now"})
        assert app.log.last().reason is Reason.PARAMETERS


COUNTING = {
    "postgresql": "bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM products'",
    "mariadb": "INT READS SQL DATA RETURN (SELECT count(*) FROM products)",
}


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_read_that_cannot_be_placed_may_declare_its_tables(app: App, other: App, database):
    stock(app)
    run(app, f"CREATE FUNCTION tea_count() RETURNS {COUNTING[database.name]}")
    statement = text("SELECT tea_count()").execution_options(ormcache=60)

    def count(options: dict) -> int:
        with app.Session() as session:
            return session.scalar(statement.execution_options(**options))

    assert [count({}), count({})] == [3, 3]
    assert app.log.last().outcome is Outcome.BYPASS
    declared = {"ormcache_tables": ["products"]}
    assert [count(declared), count(declared)] == [3, 3]
    assert app.log.last().outcome is Outcome.HIT
    with other.Session() as session:
        session.add(Product(id=9, name="new", price=1))
        session.commit()
    assert count(declared) == 4


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_two_schemas_with_the_same_table(app: App, database):
    run(
        app,
        "CREATE SCHEMA tenant_b",
        "CREATE TABLE tenant_b.categories (id int primary key, name varchar(50))",
    )
    stock(app)
    run(app, "INSERT INTO tenant_b.categories VALUES (1, 'coffee')")

    def name(schema: str | None) -> str:
        with app.Session() as session:
            options = {"schema_translate_map": {None: schema}}
            return session.scalar(select(Category.name).execution_options(**options))

    for _ in range(2):
        assert (name(None), name("tenant_b")) == ("tea", "coffee")
    assert app.log.last().outcome is Outcome.HIT
    run(app, "UPDATE tenant_b.categories SET name = 'changed'")
    assert (name(None), name("tenant_b")) == ("tea", "changed")
    if database.name == "mariadb":
        run(app, "DROP SCHEMA tenant_b")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_read_that_gets_a_changed_connection_leaves_nothing(make_app: MakeApp):
    app, other = make_app(engine={"pool_size": 1, "max_overflow": 0}), make_app()
    with other.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.add(
            Product(id=1, name="tea", price=1, added=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
        )
        session.commit()
    for _ in range(2):
        with app.Session() as session:
            session.get(Category, 1)
    with app.Session() as waiting:
        waiting.get(Category, 1)  # a hit: no connection yet, so nothing can be known of it
        assert app.log.last().outcome is Outcome.HIT
        with app.Session() as session:
            session.execute(text("SET TIME ZONE 'Asia/Tokyo'"))
            session.commit()
        assert waiting.get(Product, 1).added.utcoffset() == dt.timedelta(hours=9)
        assert app.log.last().stored is False
        assert app.log.last().reason is Reason.SESSION_STATE
    with other.Session() as session:
        assert session.get(Product, 1).added.utcoffset() == dt.timedelta(0)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_one_engine_over_several_databases(app: App, redis_server, namespace: str, tmp_path):
    paths = [tmp_path / "a.db", tmp_path / "b.db"]
    for path in paths:
        plain = create_engine(f"sqlite:///{path}")
        Base.metadata.create_all(plain)
        with plain.begin() as connection:
            connection.execute(text(f"INSERT INTO categories VALUES (1, '{path.stem}')"))
        plain.dispose()
    here = paths[0]
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(here), poolclass=NullPool)
    cache = Cache.from_url(redis_server.url, namespace=namespace + "x", timeout=5.0)
    make = sessionmaker(engine)
    cache.enable(make)
    for here in paths * 3:
        with make() as session:
            assert session.get(Category, 1).name == here.stem
    assert cache.counts[Outcome.HIT] > 0
    cache.close()
    engine.dispose()
