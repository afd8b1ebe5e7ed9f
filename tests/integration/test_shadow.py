"""
Shadow mode: finds no difference where policies are right, and the one where a policy is wrong.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from ormcache import Outcome, Policy, Reason
from tests.fixtures.apps import App, Database, MakeApp
from tests.fixtures.ways import DATABASES
from tests.shop import AuditLog, Category, Product

ROOT = Path(__file__).parents[2]
SECRET = "written by the trigger"

RENAME = "UPDATE products SET name = NEW.text WHERE id = NEW.id"
ON_LOGGING = "CREATE TRIGGER rename_product AFTER INSERT ON audit_log"
FUNCTION = f"""
CREATE FUNCTION rename_product() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN {RENAME}; RETURN NEW; END $$
"""
TRIGGERS = {
    "postgresql": (FUNCTION, f"{ON_LOGGING} FOR EACH ROW EXECUTE FUNCTION rename_product()"),
    "mariadb": (f"{ON_LOGGING} FOR EACH ROW {RENAME}",),
    "sqlite": (f"{ON_LOGGING} BEGIN {RENAME}; END",),
}


# How a store fails, or who waits for whom, is no matter of what is in an entry; without hits, their
# tests wait for something that never comes.
NO_MATTER = (
    *("conformance/test_outage.py", "conformance/test_stampede.py", "test_demo.py"),
    *("test_full_store.py", "test_gevent.py", "test_rights.py", "test_slots.py"),
    *("test_store_down.py", "test_store_outage.py", "test_takeover.py", "test_torture.py"),
)


@pytest.mark.timeout(900)
def test_the_whole_of_the_integration_tests_shows_no_difference():
    command = [sys.executable, "-m", "pytest", "--shadow", "tests/integration", "-q", "--tb=no"]
    command += [f"--ignore=tests/integration/{name}" for name in NO_MATTER]
    # At the same time: these tests wait for disks, leases and processes more than they compute.
    runs = [
        subprocess.Popen([*command, "-k", name], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name in DATABASES
    ]
    said = [run.communicate()[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0, 0], "\n".join(text[-5_000:] for text in said)
    found = [re.search(r"shadow: (\d+) would-be hits compared, 0 differences", t) for t in said]
    compared = {name: int(each[1]) for name, each in zip(DATABASES, found, strict=True)}
    print(f"\nwould-be hits compared, without a difference: {compared}")  # noqa: T201 - for `-s`
    assert min(compared.values()) >= 200


@pytest.fixture
def shadowed(database: Database, make_app: MakeApp) -> App:
    """
    Two products in shadow mode, and a trigger that renames one when something is logged.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        for statement in TRIGGERS[database.name]:
            connection.exec_driver_sql(statement)
    engine.dispose()
    app = make_app(mode="shadow")
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.flush()
        session.add_all(Product(id=i, category_id=1, name="old", price=1) for i in (1, 2))
        session.commit()
    return app


def names(app: App) -> list[str]:
    with app.Session() as session:
        return list(session.scalars(select(Product.name).order_by(Product.id)))


def log_something(app: App) -> None:
    with app.Session() as session:
        session.execute(insert(AuditLog).values(id=1, text=SECRET))
        session.commit()


def test_a_trigger_that_no_policy_names_is_a_difference(
    shadowed: App, caplog: pytest.LogCaptureFixture
):
    assert names(shadowed) == names(shadowed) == ["old", "old"]
    assert shadowed.log.differences == []
    log_something(shadowed)

    assert names(shadowed) == [SECRET, "old"]

    assert shadowed.log.last().reason is Reason.SHADOW
    (difference,) = shadowed.log.differences
    assert difference.tables == ("products",)
    assert difference.statement.startswith("SELECT products.name")
    counts = (difference.cached_rows, difference.database_rows, difference.differing_rows)
    assert counts == (2, 2, 1)
    assert SECRET not in repr(difference)
    assert SECRET not in caplog.text


def test_a_trigger_that_the_policy_names_is_none(shadowed: App):
    shadowed.cache.policy(Product, Policy(depends_on=("audit_log",)))
    names(shadowed)
    log_something(shadowed)

    assert names(shadowed) == [SECRET, "old"]

    assert shadowed.log.last().outcome is Outcome.STALE
    assert shadowed.log.differences == []


def test_row_counts_and_order_are_compared(shadowed: App, database: Database):
    statement = text("SELECT id FROM products ORDER BY name, id")
    both = text("SELECT id FROM products")
    with shadowed.Session() as session:
        assert session.scalars(statement).all() == [1, 2]
        assert sorted(session.scalars(both)) == [1, 2]
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(text("UPDATE products SET name = 'zzz' WHERE id = 1"))
    with shadowed.Session() as session:
        assert session.scalars(statement).all() == [2, 1]
        assert sorted(session.scalars(both)) == [1, 2]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM products WHERE id = 1"))
    engine.dispose()
    with shadowed.Session() as session:
        session.scalars(both).all()

    found = [(d.cached_rows, d.database_rows, d.differing_rows) for d in shadowed.log.differences]
    assert found == [(2, 2, 2), (2, 1, 1)]
