"""
S18: the same SQL text means something else on another connection.

In every test somebody else's rows stand under the same names: "old" is ours, "theirs" is not.
"""

from dataclasses import replace

import pytest
from sqlalchemy import event, text

from ormcache import Outcome
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import add, name_of, names, rename, say
from tests.shop import Base, Product

postgresql = pytest.mark.databases("postgresql")
mariadb = pytest.mark.databases("mariadb")
sqlite = pytest.mark.databases("sqlite")


def test_s18_two_databases_behind_two_urls(make_app: MakeApp, neighbour: Database):
    ours, theirs = make_app(), make_app(database=neighbour)
    for _ in range(3):
        assert [name_of(ours), name_of(theirs)] == ["old", "theirs"]
    assert ours.log.outcomes()[-1] is theirs.log.outcomes()[-1] is Outcome.HIT
    rename(theirs, "changed")
    assert [name_of(ours), name_of(theirs)] == ["old", "changed"]


@sqlite
def test_s18_every_database_in_memory_is_another_one(make_app: MakeApp, database: Database):
    apps = [make_app(database=replace(database, url="sqlite://")) for _ in range(2)]
    for number, app in enumerate(apps):
        Base.metadata.create_all(app.engine)
        with app.Session() as session:
            add(session, Product(id=1, name=f"app {number}", price=1))
            session.commit()
    for _ in range(3):
        assert [name_of(app) for app in apps] == ["app 0", "app 1"]


@postgresql
def test_s18_two_search_paths_from_the_url(make_app: MakeApp, database: Database, schema: str):
    ours = make_app()
    theirs = make_app(engine=database.way.driver.beginning_with("search_path", schema))
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


@pytest.mark.orm
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

    event.listen(app.listened, "after_begin", choose)
    app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(3):
        for tenant[0], expected in (("public", "old"), (schema, "theirs")):
            assert name_of(app) == expected
    reads = [read.outcome for read in app.log.reads if "products" in read.tables]
    assert reads[-2:] == [Outcome.HIT if vary else Outcome.BYPASS] * 2
    tenant[0] = schema
    rename(app, "changed")
    assert name_of(app) == "changed"
    tenant[0] = "public"
    assert name_of(app) == name_of(other) == "old"


@postgresql
@pytest.mark.parametrize("moment", ["begin", "engine_connect"])
def test_s18_a_search_path_from_a_listener_of_the_engine(app: App, schema: str, moment: str):
    path = ["public"]
    extent = "LOCAL" if moment == "begin" else "SESSION"

    def choose(connection):
        connection.exec_driver_sql(f"SET {extent} search_path TO {path[0]}")
        if moment == "engine_connect":
            connection.commit()

    event.listen(app.engine, moment, choose)
    for _ in range(3):
        for path[0], expected in (("public", "old"), (schema, "theirs")):
            assert name_of(app) == expected


@postgresql
def test_s18_a_search_path_from_a_pools_checkout_listener(app: App, schema: str):
    path = ["public"]

    def choose(connection, _record, _proxy):
        say(connection, f"SET search_path TO {path[0]}")

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
