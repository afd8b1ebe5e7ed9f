"""
S18, continued: row-level security by a setting of the session, and by the user or role.

Every tenant asks with the same SQL text. Whoever gets an entry of another gets another's rows.

Where the policies bind the user that connects, nothing of the table is cached. Where they bind a
role that this user becomes, reads are cached if `vary` names all that tells them apart.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import event, select, text, update

from ormcache import Outcome, Reason
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import Talk, change
from tests.shop import Customer, Product

pytestmark = pytest.mark.databases("postgresql")

TENANT, AUDITOR = "ormcache_tenant", "ormcache_auditor"
SETTING = "nullif(current_setting('app.tenant', true), '')::int"
POLICIES = (
    f"CREATE POLICY tenants ON products TO {TENANT} USING (category_id = {SETTING})",
    f"CREATE POLICY auditors ON products TO {AUDITOR} USING (id = 3 OR category_id = {SETTING})",
)
SEEN = {
    TENANT: {None: [], "1": [1, 3], "2": [2]},
    AUDITOR: {None: [3], "1": [1, 3], "2": [2, 3]},
}
"""
The products that a role sees, by the setting.
"""
SAID = {
    "SET LOCAL": "SET LOCAL app.tenant = '{}'",
    "set_config for the session": "SELECT set_config('app.tenant', '{}', false)",
}
every_way_to_say_it = pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())

VARY = [(), ("role", "app.tenant")]
with_and_without = pytest.mark.parametrize("vary", VARY, ids=["without vary", "with vary"])


@pytest.fixture(autouse=True)
def roles(database: Database) -> Iterator[dict[str, Database]]:
    """
    The two roles, each with the database as a user of that name reaches it.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run("ALTER TABLE products ENABLE ROW LEVEL SECURITY")
        run("UPDATE products SET category_id = 2 WHERE id = 2")
        for role in SEEN:
            run(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
            run(f"GRANT SELECT, UPDATE ON products TO {role}")
        for policy in POLICIES:
            run(policy)
    urls = {role: engine.url.set(username=role, password=role) for role in SEEN}
    yield {
        role: replace(database, url=url.render_as_string(hide_password=False))
        for role, url in urls.items()
    }
    with engine.begin() as connection:
        for role in SEEN:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


def ids(session: Talk) -> list[int]:
    return list(session.scalars(select(Product.id).order_by(Product.id)))


def become(session: Talk, tenant: str, said: str = SAID["SET LOCAL"], role: str = TENANT) -> None:
    session.execute(text(f"SET LOCAL ROLE {role}"))
    session.execute(text(said.format(tenant)))


def reads_of(app: App) -> list[Outcome]:
    return [read.outcome for read in app.log.reads if "products" in read.tables]


@every_way_to_say_it
@with_and_without
def test_s18_no_tenant_gets_the_rows_of_another(
    make_app: MakeApp, said: str, vary: tuple[str, ...]
):
    apps = [make_app(secret="sixteen bytes or more") for _ in range(2)]
    for app in apps:
        app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(2):
        for app in apps:
            for tenant in ("1", "2", "1"):
                with app.Session() as session:
                    become(session, tenant, said)
                    assert ids(session) == SEEN[TENANT][tenant]
                    session.commit()
    for app in apps:
        assert reads_of(app)[-3:] == [Outcome.HIT if vary else Outcome.BYPASS] * 3


@with_and_without
def test_s18_a_role_and_a_tenant_at_once(app: App, vary: tuple[str, ...]):
    app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(2):
        for tenant in ("1", "2"):
            for role in (TENANT, AUDITOR, TENANT):
                with app.Session() as session:
                    become(session, tenant, role=role)
                    assert ids(session) == SEEN[role][tenant]
                    session.rollback()
    assert reads_of(app)[-6:] == [Outcome.HIT if vary else Outcome.BYPASS] * 6


@pytest.mark.parametrize("vary", [("role",), ("app.tenant",)])
def test_s18_half_of_what_tells_tenants_apart_is_not_enough(app: App, vary: tuple[str, ...]):
    app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(2):
        for tenant in ("1", "2"):
            for role in (TENANT, AUDITOR):
                with app.Session() as session:
                    become(session, tenant, role=role)
                    assert ids(session) == SEEN[role][tenant]
                    session.rollback()
    assert Outcome.HIT not in reads_of(app)


@with_and_without
def test_s18_a_tenant_ends_with_its_transaction(make_app: MakeApp, vary: tuple[str, ...]):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    app.cache.policy("products", ttl=300, vary=vary)
    for ending in ("commit", "rollback", "commit"):
        for tenant in ("1", "2"):
            with app.Session() as session:
                assert ids(session) == [1, 2, 3]
                become(session, tenant)
                assert ids(session) == SEEN[TENANT][tenant]
                getattr(session, ending)()
                assert ids(session) == [1, 2, 3]


@with_and_without
def test_s18_a_tenant_that_a_savepoint_takes_back(app: App, vary: tuple[str, ...]):
    app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(2):
        with app.Session() as session:
            become(session, "1")
            assert ids(session) == SEEN[TENANT]["1"]
            savepoint = session.begin_nested()
            become(session, "2", role=AUDITOR)
            assert ids(session) == SEEN[AUDITOR]["2"]
            savepoint.rollback()
            assert ids(session) == SEEN[TENANT]["1"]
            session.commit()


def test_s18_a_commit_of_one_tenant_is_seen_by_each_in_its_own_rows(app: App, other: App):
    for each in (app, other):
        each.cache.policy("products", ttl=300, vary=("role", "app.tenant"))

    def names(tenant: str) -> list[str]:
        with other.Session() as session:
            become(session, tenant)
            return list(session.scalars(select(Product.name).order_by(Product.id)))

    for _ in range(2):
        assert [names("1"), names("2")] == [["old", "old"], ["old"]]
    for tenant, product in (("1", 3), ("2", 2)):
        with app.Session() as session:
            become(session, tenant)
            for number in (1, 2, 3):  # the server changes no row that the tenant does not see
                change(session, f"{tenant}-{number}", number)
            session.commit()
        assert names(tenant)[-1] == f"{tenant}-{product}"
    for _ in range(2):
        assert [names("1"), names("2")] == [["1-1", "1-3"], ["2-2"]]
    assert reads_of(other)[-2:] == [Outcome.HIT] * 2


@pytest.mark.orm
@with_and_without
def test_s18_a_tenant_from_a_listener_that_begins_every_transaction(
    app: App, vary: tuple[str, ...]
):
    tenant = ["1"]

    def choose(_session, _transaction, connection):
        become(connection, tenant[0])

    event.listen(app.listened, "after_begin", choose)
    app.cache.policy("products", ttl=300, vary=vary)
    for _ in range(3):
        for tenant[0] in ("1", "2"):
            with app.Session() as session:
                assert ids(session) == SEEN[TENANT][tenant[0]]
    assert reads_of(app)[-2:] == [Outcome.HIT if vary else Outcome.BYPASS] * 2


def test_s18_another_name_for_the_tenant_does_not_vouch_for_the_setting(app: App):
    app.cache.vary("tenant", lambda: "whoever")
    app.cache.policy("products", ttl=300, vary=("tenant", "role"))
    for _ in range(2):
        for tenant in ("1", "2"):
            with app.Session() as session:
                become(session, tenant)
                assert ids(session) == SEEN[TENANT][tenant]
    assert Outcome.HIT not in reads_of(app)


def test_s18_users_whom_the_policies_bind_are_answered_by_the_database(
    make_app: MakeApp, roles: dict[str, Database]
):
    superuser = make_app()
    apps = {role: make_app(database=database) for role, database in roles.items()}
    for app in (superuser, *apps.values()):
        app.cache.policy("products", ttl=300, vary=("app.tenant",))
    for _ in range(2):
        for tenant in ("1", "2"):
            for role, app in apps.items():
                with app.Session() as session:
                    session.execute(text(SAID["SET LOCAL"].format(tenant)))
                    assert ids(session) == SEEN[role][tenant]
                assert app.log.last().reason is Reason.STATEMENT
                assert app.log.last().detail == "row-level security on products"
            with superuser.Session() as session:
                session.execute(text(SAID["SET LOCAL"].format(tenant)))
                assert ids(session) == [1, 2, 3]
    assert reads_of(superuser)[-1] is Outcome.HIT


def test_s18_a_policy_that_reads_another_table(app: App, other: App, database: Database):
    """
    Then a write to that table changes what a role sees of this one.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run(f"GRANT SELECT ON customers TO {TENANT}")
        run("DROP POLICY tenants ON products")
        run(
            f"CREATE POLICY tenants ON products TO {TENANT} "
            "USING (category_id IN (SELECT id FROM customers WHERE name = 'Ann'))"
        )
    engine.dispose()
    for each in (app, other):
        each.cache.policy("products", ttl=300, vary=("role", "app.tenant"))
    for name, seen in (("Ann", [1, 2, 3]), ("Bob", [1, 3]), ("Ann", [1, 2, 3])):
        with app.Session() as session:
            session.execute(update(Customer).where(Customer.id == 2).values(name=name))
            session.commit()
        for _ in range(2):
            with other.Session() as session:
                become(session, "1")
                assert ids(session) == seen
    assert reads_of(other)[-1] is Outcome.HIT
