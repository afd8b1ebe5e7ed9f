"""
S4 to S8: snapshots, rollbacks, savepoints, and a session inside someone else's transaction.
"""

import pytest
from sqlalchemy import DDL, select, update
from sqlalchemy.orm import Session

from tests.fixtures.apps import App, Database
from tests.integration.conformance.gaps import at
from tests.integration.conformance.steps import (
    change,
    name_of,
    names,
    rename,
    truth,
    warm,
    with_real_transactions,
)
from tests.shop import AuditLog, Category, Customer, Product

TEA = select(Category.name).where(Category.id == 1)
LOGGED = select(AuditLog.text)  # of a table without a policy


@pytest.fixture(params=["chosen", "default"])
def engine(request: pytest.FixtureRequest, database: Database) -> dict[str, object]:
    """
    Settings of an engine whose transactions have snapshots: its user chose so, or nobody did.
    """
    if request.param == "chosen":
        level = "SERIALIZABLE" if database.name == "sqlite" else "REPEATABLE READ"
        return {"isolation_level": level}
    if database.name == "postgresql":
        driver = database.way.driver
        return driver.beginning_with("default_transaction_isolation", "repeatable read")
    return {}  # as SQLite and MariaDB are, anyway


def by_snapshot(make_app, engine) -> App:
    return with_real_transactions(make_app(engine=engine))


# The statement that opens the snapshot: one that is cached, and one that is not.
openings = pytest.mark.parametrize(
    ("opening", "found"), [(TEA, ["tea"]), (LOGGED, [])], ids=["cached", "uncached"]
)


@openings
def test_s04_an_old_snapshot_never_fills_the_cache(make_app, other: App, engine, opening, found):
    app = by_snapshot(make_app, engine)
    with app.Session() as session:
        assert session.scalars(opening).all() == found
        rename(other, "new")
        assert session.scalar(names()) == "old"
        session.commit()
    assert name_of(app) == "new"
    assert name_of(other) == "new"


@openings
def test_s04_an_old_snapshot_is_not_served_rows_newer_than_itself(
    make_app, other: App, engine, opening, found
):
    app = by_snapshot(make_app, engine)
    with app.Session() as session:
        assert session.scalars(opening).all() == found
        rename(other, "new")
        warm(other)
        assert [session.scalar(names()) for _ in range(2)] == ["old", "old"]
        session.commit()
    assert name_of(app) == "new"


def test_s04_a_snapshot_that_opens_between_two_commits_is_of_neither_side(
    make_app, other: App, engine, database: Database
):
    app = by_snapshot(make_app, engine)
    name_of(app, 2)
    with app.Session() as session:
        with at(app, "after fetch", lambda: rename(other, "new")):
            first = session.scalar(names())
        assert [session.scalar(names()) for _ in range(2)] == [first] * 2
        session.commit()
    assert name_of(app) == name_of(other) == truth(database) == "new"


# In MariaDB a write opens no snapshot, and SQLite lets nobody else commit after one.
@pytest.mark.databases("postgresql")
def test_s04_a_snapshot_that_a_write_has_opened_is_not_served_newer_rows(
    make_app, other: App, engine
):
    app = make_app(engine=engine)
    with app.Session() as session:
        session.execute(update(Customer).values(name="mine"))
        rename(other, "new")
        warm(other)
        assert [session.scalar(names()) for _ in range(2)] == ["old", "old"]
        session.rollback()
    assert name_of(app) == "new"


# SQLite has no level to choose, and begins a transaction when it is first asked.
@pytest.mark.databases("postgresql", "mariadb")
def test_s04_the_first_read_opens_a_snapshot_that_the_user_chose(make_app, other: App):
    app = make_app(engine={"isolation_level": "REPEATABLE READ"})
    warm(other)
    with app.Session() as session:
        assert session.scalar(names()) == "old"
        rename(other, "new")
        statement = select(Product.id, Product.name).where(Product.id == 1)
        assert session.execute(statement).one() == (1, "old")
        session.commit()
    assert name_of(app) == "new"


def test_s05_what_a_transaction_read_before_it_rolled_back_is_seen_by_nobody(app: App, other: App):
    with other.Session() as writer:
        change(writer, "dirty")
        assert writer.scalar(names()) == "dirty"
        writer.rollback()
        assert writer.scalar(names()) == "old"
    assert name_of(app) == "old"
    assert name_of(other) == "old"


def test_s05_a_trigger_changed_what_the_transaction_read(app: App, other: App, database: Database):
    make_trigger(database)
    with other.Session() as writer:
        change(writer, "dirty")
        assert writer.scalar(TEA) == "triggered"
        assert not other.log.last().stored
        writer.rollback()
    for each in (app, other):
        with each.Session() as session:
            assert session.scalar(TEA) == "tea"


def make_trigger(database: Database) -> None:
    body = "UPDATE categories SET name = 'triggered' WHERE id = 1"
    function = f"RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$"
    statements = {
        "postgresql": [
            f"CREATE FUNCTION retitle() {function}",
            "CREATE TRIGGER t AFTER UPDATE ON products FOR EACH ROW EXECUTE FUNCTION retitle()",
        ],
        "mariadb": [f"CREATE TRIGGER t AFTER UPDATE ON products FOR EACH ROW {body}"],
        "sqlite": [f"CREATE TRIGGER t AFTER UPDATE ON products BEGIN {body}; END"],
    }
    engine = database.plain_engine()
    with engine.begin() as connection:
        for statement in statements[database.name]:
            connection.execute(DDL(statement))
    engine.dispose()


def test_s06_a_released_savepoint_publishes_nothing_before_the_outer_commit(app: App, other: App):
    with_real_transactions(other)
    with other.Session() as writer:
        with writer.begin_nested():
            change(writer, "new")
        warm(app)
        assert name_of(app) == "old"
        writer.commit()
    assert name_of(app) == "new"
    assert name_of(other) == "new"


def test_s06_a_released_savepoint_inside_another(app: App, other: App):
    with_real_transactions(other)
    with other.Session() as writer:
        with writer.begin_nested():
            with writer.begin_nested():
                change(writer, "new")
            warm(app)
        assert name_of(app) == "old"
        writer.commit()
    assert name_of(app) == "new"


def test_s07_a_savepoint_rolled_back_takes_no_outer_change_with_it(app: App, other: App):
    warm(app)
    with other.Session() as writer:
        change(writer, "new")
        nested = writer.begin_nested()
        change(writer, "undone")
        nested.rollback()
        assert writer.scalar(names()) == "new"
        writer.commit()
    assert name_of(app) == "new"
    assert name_of(other) == "new"


def test_s07_a_released_savepoint_survives_a_later_one_that_is_rolled_back(app: App, other: App):
    with_real_transactions(other)
    warm(app)
    with other.Session() as writer:
        with writer.begin_nested():
            change(writer, "new")
        nested = writer.begin_nested()
        change(writer, "undone", product=2)
        nested.rollback()
        writer.commit()
    assert [name_of(app, product) for product in (1, 2)] == ["new", "old"]


@pytest.mark.parametrize("mode", ["conditional_savepoint", "create_savepoint", "rollback_only"])
def test_s08_a_session_inside_an_external_transaction_publishes_at_its_end(
    app: App, other: App, mode: str
):
    with_real_transactions(other)
    with other.engine.connect() as connection, connection.begin() as transaction:
        with Session(connection, join_transaction_mode=mode) as writer:
            change(writer, "new")
            writer.commit()
        warm(app)
        assert name_of(app) == "old"
        transaction.commit()
    assert name_of(app) == "new"
    assert name_of(other) == "new"


@pytest.mark.orm
def test_s08_an_external_transaction_rolled_back_after_the_sessions_commit(app: App, other: App):
    with_real_transactions(other)
    with other.engine.connect() as connection, connection.begin() as transaction:
        with other.Session(bind=connection) as writer:
            change(writer, "dirty")
            writer.commit()
            assert writer.scalar(names()) == "dirty"
        transaction.rollback()
    assert name_of(app) == "old"
    assert name_of(other) == "old"


# SQLite's driver alone begins no transaction before a SAVEPOINT: its RELEASE is then the commit.
@pytest.mark.databases("sqlite")
def test_s06_a_savepoint_that_is_the_whole_transaction_commits_when_it_is_released(
    app: App, other: App, database: Database
):
    warm(app)
    with other.Session() as writer:
        with writer.begin_nested():
            change(writer, "new")
        assert truth(database) == "new"
        assert name_of(app) == "new"
        writer.rollback()
    assert name_of(app) == truth(database)
