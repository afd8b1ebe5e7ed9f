"""
S18: the same SQL text means something else on another connection.

In every test somebody else's rows stand under the same names: "old" is ours, "theirs" is not.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import event, text

from ormcache import Outcome
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import (
    add,
    name_of,
    names,
    rename,
    say,
    set_options,
    warm,
)
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


# SQLite has no servers.
@pytest.mark.databases("postgresql", "mariadb")
def test_s18_two_servers_with_a_database_of_the_same_name(make_app: MakeApp, twin: Database):
    ours, theirs = make_app(), make_app(database=twin)
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


@postgresql
@pytest.mark.parametrize("extent", ["transaction", "savepoint"])
@pytest.mark.parametrize("said", SAID)
def test_s18_a_search_path_that_is_rolled_back(make_app: MakeApp, schema: str, said: str, extent):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    app.cache.policy("products", ttl=300, vary=("search_path",))
    for _ in range(2):
        with app.Session() as session:
            outer = session.begin()
            undone = outer if extent == "transaction" else session.begin_nested()
            session.execute(text(said))
            assert session.scalar(names()) == "theirs"
            undone.rollback()
            assert session.scalar(names()) == "old"


# Each leaves "public" in force, whatever was set before or looks as if it were set now.
OVERRULED = {
    "SET after SET LOCAL": (
        ["SET LOCAL search_path TO tenant_b", "SET search_path TO public"],
        {},
    ),
    "set_config after set_config": (
        [
            "SELECT set_config('search_path', 'tenant_b', true)",
            "SELECT set_config('search_path', 'public', false)",
        ],
        {},
    ),
    "SET LOCAL without a transaction": (
        ["SET LOCAL search_path TO tenant_b"],
        {"isolation_level": "AUTOCOMMIT"},
    ),
}


@postgresql
@pytest.mark.parametrize(("said", "options"), OVERRULED.values(), ids=OVERRULED.keys())
def test_s18_a_search_path_that_is_not_in_force(
    app: App, schema: str, said: list[str], options: dict
):
    app.cache.policy("products", ttl=300, vary=("search_path",))
    with app.Session() as session:
        set_options(session, **options)
        for statement in said:
            session.execute(text(statement))
        assert session.scalar(names()) == "old"
        session.commit()
    with app.Session() as session:
        session.execute(text(f"SET LOCAL search_path TO {schema}"))
        assert [session.scalar(names()) for _ in range(2)] == ["theirs"] * 2


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
def test_s18_a_search_path_from_a_listener_of_the_engine(
    app: App, other: App, schema: str, moment: str
):
    path = ["public"]
    warm(other)
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
def test_s18_a_search_path_from_a_pools_checkout_listener(app: App, other: App, schema: str):
    path = ["public"]
    warm(other)

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


@mariadb
@pytest.mark.parametrize("extent", ["SESSION", "LOCAL"])  # two words for the same
def test_s18_a_sql_mode_that_a_session_sets(make_app: MakeApp, other: App, extent: str):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    ask = answers_to("SELECT name || 'er' FROM products WHERE id = 1")
    assert [ask(app), ask(other)] == [0, 0]
    for mode, expected in [("", 0), ("PIPES_AS_CONCAT", "older")] * 2:
        assert ask(app, f"SET {extent} sql_mode = '{mode}'") == expected
        assert [ask(app), ask(other)] == [expected, 0]


@sqlite
def test_s18_a_pragma_that_a_session_says(make_app: MakeApp, other: App):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    ask = answers_to("SELECT count(*) FROM products WHERE name LIKE 'OLD'")
    assert [ask(app), ask(other)] == [3, 3]
    for matters, expected in [("OFF", 3), ("ON", 0)] * 2:
        assert ask(app, f"PRAGMA case_sensitive_like = {matters}") == expected
        assert [ask(app), ask(other)] == [expected, 3]


def answers_to(statement: str) -> Callable[..., object]:
    """
    Asks twice in a new session of an application, which may first say something.
    """

    def ask(app: App, first: str | None = None) -> object:
        with app.Session() as session:
            if first is not None:
                session.execute(text(first))
            one, same = (session.scalar(text(statement)) for _ in range(2))
            session.commit()
        assert one == same
        return one

    return ask


@pytest.mark.parametrize("trusted", [False, True])
def test_s18_a_listener_that_rewrites_for_a_tenant(make_app: MakeApp, trusted: bool):
    app = make_app(trust_listeners=trusted)
    tenant = ["lower"]

    def rewrite(_connection, _cursor, statement, parameters, _context, _many):
        return statement.replace("products.name ", f"{tenant[0]}(products.name) "), parameters

    event.listen(app.engine, "before_cursor_execute", rewrite, retval=True)
    if trusted:
        app.cache.vary("tenant", lambda: tenant[0])
        app.cache.policy("products", ttl=300, vary=("tenant",))
    for _ in range(3):
        for tenant[0], expected in (("lower", "old"), ("upper", "OLD")):
            assert name_of(app) == expected
    expected = Outcome.HIT if trusted else Outcome.BYPASS
    assert app.log.outcomes()[-2:] == [expected] * 2
