"""
S18, continued: the same SQL text under another role, another user, or other settings of the server.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import String, cast, event, exc, select, text

from ormcache import Outcome
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import Talk, say
from tests.shop import Category, Product

postgresql = pytest.mark.databases("postgresql")
mariadb = pytest.mark.databases("mariadb")


@pytest.fixture
def roles(database: Database) -> Iterator[tuple[str, str]]:
    """
    Two roles, of which row-level security shows each a part of the products: one and two.
    """
    both = ("ormcache_one", "ormcache_two")
    engine = database.plain_engine()
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run("ALTER TABLE products ENABLE ROW LEVEL SECURITY")
        run("UPDATE products SET category_id = 2 WHERE id = 2")
        for number, role in enumerate(both, start=1):
            run(f"CREATE ROLE {role}")
            run(f"GRANT SELECT ON products TO {role}")
            run(f"CREATE POLICY {role} ON products TO {role} USING (category_id = {number})")
    yield both
    with engine.begin() as connection:
        for role in both:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


IDS = select(Product.id).order_by(Product.id)
SEEN = [[1, 3], [2]]


def ids(session: Talk) -> list[int]:
    return list(session.scalars(IDS))


@postgresql
@pytest.mark.parametrize("vary", [(), ("role",)], ids=["without vary", "with vary"])
@pytest.mark.parametrize("how", ["SET LOCAL ROLE {}", "SET ROLE {}", "SET role TO {}"])
def test_s18_a_role_with_row_level_security(
    app: App, roles: tuple[str, str], vary: tuple[str, ...], how: str
):
    app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(2):
        with app.Session() as session:
            assert ids(session) == [1, 2, 3]
        for role, seen in zip(roles, SEEN, strict=True):
            with app.Session() as session:
                session.execute(text(how.format(role)))
                assert ids(session) == seen
                session.execute(text("SET ROLE NONE"))
                session.commit()
    assert app.log.outcomes()[-2:] == [Outcome.HIT if vary else Outcome.BYPASS] * 2


@postgresql
def test_s18_two_users_with_row_level_security(make_app: MakeApp, roles: tuple[str, str]):
    apps = [make_app(), make_app()]
    for app, role in zip(apps, roles, strict=True):
        event.listen(app.engine, "connect", becomes(role))
    for _ in range(3):
        for app, seen in zip(apps, SEEN, strict=True):
            with app.Session() as session:
                assert ids(session) == seen


def becomes(role: str):
    def become(connection, _record) -> None:
        say(connection, f"SET ROLE {role}")
        connection.commit()

    return become


@postgresql
def test_s18_a_user_who_may_not_read_a_table_gets_no_cached_rows_of_it(
    make_app: MakeApp, roles: tuple[str, str]
):
    allowed, forbidden = make_app(), make_app()
    event.listen(forbidden.engine, "connect", becomes(roles[0]))
    statement = select(Category.name).where(Category.id == 1)
    for _ in range(2):
        with allowed.Session() as session:
            assert session.scalar(statement) == "tea"
        with forbidden.Session() as session, pytest.raises(exc.ProgrammingError, match="denied"):
            session.scalar(statement)
    assert allowed.log.outcomes()[-1] is Outcome.HIT


@postgresql
def test_s18_a_user_who_was_only_meant_to_be_another(make_app: MakeApp, roles: tuple[str, str]):
    # A SET that is not committed ends with the first rollback, whatever its author had in mind.
    sloppy, forbidden = make_app(), make_app()
    event.listen(sloppy.engine, "connect", lambda c, _: say(c, f"SET ROLE {roles[0]}"))
    event.listen(forbidden.engine, "connect", becomes(roles[0]))
    statement = select(Category.name).where(Category.id == 1)
    with sloppy.engine.connect() as first:
        first.exec_driver_sql("SELECT 1")  # on this one SQLAlchemy itself has rolled back
        with sloppy.Session() as session:
            assert session.scalar(statement) == "tea"
    with forbidden.Session() as session, pytest.raises(exc.ProgrammingError, match="denied"):
        session.scalar(statement)


@pytest.fixture
def limited(database: Database) -> Iterator[Database]:
    """
    The same database as a user who may read the keys of the categories, and with a role all of
    them. MariaDB only.
    """
    user, role = "ormcache_limited", "ormcache_reader"
    engine = database.plain_engine()
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run(f"CREATE USER {user} IDENTIFIED BY '{user}'")
        run(f"CREATE ROLE {role}")
        run(f"GRANT SELECT (id) ON categories TO {user}")
        run(f"GRANT SELECT ON categories TO {role}")
        run(f"GRANT {role} TO {user}")
    url = engine.url.set(username=user, password=user)
    yield replace(database, url=url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP ROLE {role}")
        connection.exec_driver_sql(f"DROP USER {user}")
    engine.dispose()


@mariadb
def test_s18_a_user_who_may_not_read_a_column_gets_no_cached_rows_of_it(
    make_app: MakeApp, limited: Database
):
    allowed, forbidden = make_app(), make_app(database=limited)
    statement = select(Category.name).where(Category.id == 1)
    for _ in range(2):
        with allowed.Session() as session:
            assert session.scalar(statement) == "tea"
        with forbidden.Session() as session, pytest.raises(exc.DBAPIError, match="denied"):
            session.scalar(statement)
    assert allowed.log.outcomes()[-1] is Outcome.HIT


@mariadb
@pytest.mark.parametrize("vary", [(), ("role",)], ids=["without vary", "with vary"])
def test_s18_a_role_that_may_read_more(make_app: MakeApp, limited: Database, vary: tuple[str, ...]):
    app = make_app(database=limited)
    app.cache.policy("categories", ttl=300, vary=vary)
    statement = select(Category.name).where(Category.id == 1)
    for outcome in (Outcome.MISS, Outcome.HIT):
        with app.Session() as session:
            session.execute(text("SET ROLE ormcache_reader"))
            assert session.scalar(statement) == "tea"
            assert app.log.last().outcome is (outcome if vary else Outcome.BYPASS)
            session.execute(text("SET ROLE NONE"))
            with pytest.raises(exc.DBAPIError, match="denied"):
                session.scalar(statement)
            session.commit()


@postgresql
def test_s18_two_time_zones(make_app: MakeApp, database: Database):
    zones = ["UTC", "America/Caracas"]
    engines = [database.way.driver.beginning_with("TimeZone", zone) for zone in zones]
    apps = [make_app(engine=engine) for engine in engines]
    with apps[0].Session() as session:
        session.execute(text("UPDATE products SET added = '2024-01-01 12:00+00'"))
        session.commit()

    def added(app: App) -> tuple[str, str]:
        said = cast(Product.added, String).label("said")
        statement = select(Product.added, said).where(Product.id == 1)
        with app.Session() as session:
            return tuple(map(repr, session.execute(statement).one()))

    expected = [added(make_app(engine=engine, mode="off")) for engine in engines]
    assert expected[0] != expected[1]
    for _ in range(3):
        assert [added(app) for app in apps] == expected
    assert {app.log.outcomes()[-1] for app in apps} == {Outcome.HIT}


@mariadb
def test_s18_two_sql_modes(make_app: MakeApp, database: Database):
    statement = text("SELECT name || 'er' FROM products WHERE id = 1")
    apps = [
        make_app(engine=database.way.driver.beginning_with("sql_mode", mode))
        for mode in ("", "PIPES_AS_CONCAT")
    ]
    for _ in range(3):
        for app, expected in zip(apps, (0, "older"), strict=True):
            with app.Session() as session:
                assert session.scalar(statement) == expected
