"""
S18: the same SQL text means something else on another connection.

In every test somebody else's rows stand under the same names: "old" is ours, "theirs" is not.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import bindparam, event, insert, select, text, update
from sqlalchemy.orm import Session

from ormcache import Outcome
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import name_of, names, rename, truth
from tests.shop import Base, Category, Product

TABLES = [Category.__table__, Product.__table__]
postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)
sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

THEIRS = "tenant_b"


@pytest.fixture
def neighbour(database: Database, tmp_path: Path) -> Database:
    """
    Another database on the same server (SQLite: in the same folder) with the same tables.
    """
    if database.name == "sqlite":
        url = f"sqlite:///{tmp_path / 'neighbour.db'}"
    else:
        assert database.server is not None
        created = database.server.create_database("ormcache_neighbour")
        url = f"{database.url.partition('://')[0]}://{created.partition('://')[2]}"
    other = replace(database, url=url)
    fill_with_theirs(other)
    return other


@pytest.fixture
def schema(database: Database) -> str:
    """
    The name of another schema with the same tables. PostgreSQL only.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {THEIRS}"))
    engine.dispose()
    fill_with_theirs(database, THEIRS)
    return THEIRS


def fill_with_theirs(database: Database, schema: str | None = None) -> None:
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection = connection.execution_options(schema_translate_map={None: schema})
        Base.metadata.create_all(connection, tables=TABLES)
        connection.execute(insert(Product), [{"id": 1, "name": "theirs", "price": 1, "stock": 0}])
    engine.dispose()


def test_s18_two_databases_behind_two_urls(
    make_app: MakeApp, database: Database, neighbour: Database, redis_server, namespace
):
    ours = make_app()
    theirs = App(neighbour, redis_server.url, namespace)
    try:
        for _ in range(3):
            assert [name_of(ours), name_of(theirs)] == ["old", "theirs"]
        assert ours.log.outcomes()[-1] is theirs.log.outcomes()[-1] is Outcome.HIT
        rename(theirs, "changed")
        assert [name_of(ours), name_of(theirs)] == ["old", "changed"]
    finally:
        theirs.close()


@sqlite
def test_s18_every_database_in_memory_is_another_one(
    database: Database, redis_server, namespace: str
):
    memory = replace(database, url="sqlite://")
    apps = [App(memory, redis_server.url, namespace) for _ in range(2)]
    for number, app in enumerate(apps):
        Base.metadata.create_all(app.engine)
        with app.Session() as session:
            session.add(Product(id=1, name=f"app {number}", price=1))
            session.commit()
    try:
        for _ in range(3):
            assert [name_of(app) for app in apps] == ["app 0", "app 1"]
    finally:
        for app in apps:
            app.close()


@postgresql
def test_s18_two_search_paths_from_the_url(make_app: MakeApp, schema: str):
    ours = make_app()
    theirs = make_app(engine={"connect_args": {"options": f"-csearch_path={schema}"}})
    for _ in range(3):
        assert [name_of(ours), name_of(theirs)] == ["old", "theirs"]
    assert ours.log.outcomes()[-1] is theirs.log.outcomes()[-1] is Outcome.HIT
    rename(theirs, "changed")
    assert [name_of(ours), name_of(theirs)] == ["old", "changed"]


SAID = [
    "SET LOCAL search_path TO tenant_b",
    "SET search_path TO tenant_b",
    "SET search_path = tenant_b, public",
    "SELECT set_config('search_path', 'tenant_b', true)",
    "SELECT set_config('search_path', 'tenant_b', false)",
]


@postgresql
@pytest.mark.parametrize("said", SAID)
def test_s18_a_search_path_that_a_transaction_sets(app: App, other: App, schema: str, said: str):
    for _ in range(3):
        assert name_of(app) == "old"
        with other.Session() as session:
            session.execute(text(said))
            assert session.scalar(names()) == "theirs"
            session.rollback()
        assert name_of(other) == "old"


@postgresql
@pytest.mark.parametrize("vary", [(), ("search_path",)], ids=["without vary", "with vary"])
@pytest.mark.parametrize("how", ["SET LOCAL search_path TO ", "set_config"])
def test_s18_a_search_path_from_an_after_begin_listener(
    app: App, other: App, schema: str, vary: tuple[str, ...], how: str
):
    tenant = ["public"]

    def choose(_session, _transaction, connection):
        if how == "set_config":
            statement = text("SELECT set_config('search_path', :tenant, true)")
            connection.execute(statement, {"tenant": tenant[0]})
        else:
            connection.execute(text(how + tenant[0]))

    event.listen(app.Session, "after_begin", choose)
    app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(3):
        for tenant[0], expected in (("public", "old"), (schema, "theirs")):
            assert name_of(app) == expected
            assert app.log.last().outcome is not Outcome.STALE
    assert {read.outcome for read in app.log.reads[-2:]} == {
        Outcome.HIT if vary else Outcome.BYPASS
    }
    tenant[0] = schema
    rename(app, "changed")
    assert name_of(app) == "changed"
    tenant[0] = "public"
    assert name_of(app) == name_of(other) == "old"


@postgresql
def test_s18_a_search_path_from_a_pools_checkout_listener(app: App, schema: str):
    path = ["public"]

    def choose(connection, _record, _proxy):
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path TO {path[0]}")

    event.listen(app.engine, "checkout", choose)
    for _ in range(3):
        for path[0], expected in (("public", "old"), (schema, "theirs")):
            assert name_of(app) == expected


@postgresql
def test_s18_a_setting_that_stays_on_a_pooled_connection(make_app: MakeApp, schema: str):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    assert [name_of(app) for _ in range(2)] == ["old", "old"]
    with app.Session() as session:
        session.execute(text(f"SET search_path TO {schema}"))
        session.commit()
    assert name_of(app) == "theirs"
    with app.Session() as session:
        session.execute(text("RESET search_path"))
        session.commit()
    assert name_of(app) == "old"


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
            run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            run(f"CREATE POLICY {role} ON products TO {role} USING (category_id = {number})")
    yield both
    with engine.begin() as connection:
        for role in both:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


IDS = select(Product.id).order_by(Product.id)
SEEN = [[1, 3], [2]]


def ids(session: Session) -> list[int]:
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
                session.execute(text("RESET ROLE"))
                session.commit()


@postgresql
def test_s18_two_users_with_row_level_security(make_app: MakeApp, roles: tuple[str, str]):
    apps = [make_app(), make_app()]
    for app, role in zip(apps, roles, strict=True):
        become = f"SET SESSION AUTHORIZATION {role}"
        event.listen(app.engine, "connect", lambda c, _, become=become: c.execute(become))
    for _ in range(3):
        for app, seen in zip(apps, SEEN, strict=True):
            with app.Session() as session:
                assert ids(session) == seen
    assert {app.log.outcomes()[-1] for app in apps} == {Outcome.HIT}
