"""
Every way to change a table invalidates it, and only a real commit does.
"""

import inspect
from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import delete, func, insert, literal, select, text, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from ormcache import Outcome
from tests.fixtures.apps import App, Database, MakeApp
from tests.fixtures.loops import await_
from tests.fixtures.ways import SESSION, go_every_way
from tests.shop import AuditLog, Category, Order, OrderLine, Product


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    go_every_way(metafunc, SESSION)


def stock(app: App) -> None:
    with app.Session() as session:
        session.add_all([Category(id=1, name="tea"), Category(id=2, name="empty")])
        session.flush()
        session.add_all(
            Product(id=i, category_id=1, name=f"tea {i}", price=Decimal(i)) for i in (1, 2, 3)
        )
        session.commit()


def contents(app: App) -> list[tuple]:
    with app.Session() as session:
        rows = session.execute(select(Product.id, Product.name, Product.stock).order_by(Product.id))
        return [tuple(row) for row in rows]


def truth(database: Database) -> list[tuple]:
    engine = database.plain_engine()
    with engine.connect() as connection:
        rows = [
            tuple(r)
            for r in connection.execute(text("SELECT id, name, stock FROM products ORDER BY id"))
        ]
    engine.dispose()
    return rows


def upsert(session: Session) -> None:
    name = session.get_bind().dialect.name
    values = {"id": 1, "name": "upserted", "price": 1, "stock": 9}
    if name in ("mysql", "mariadb"):
        session.execute(
            mysql.insert(Product).values(values).on_duplicate_key_update(name="upserted", stock=9)
        )
        return
    dialect = postgresql if name == "postgresql" else sqlite
    statement = dialect.insert(Product).values(values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_={"name": "upserted", "stock": 9}
        )
    )


def flush_insert(session: Session) -> None:
    session.add(Product(id=9, name="new", price=1))


def flush_update(session: Session) -> None:
    session.get(Product, 1).name = "flushed"


def flush_delete(session: Session) -> None:
    session.delete(session.get(Product, 3))


def bulk_save(session: Session) -> None:
    session.bulk_insert_mappings(
        Product, [{"id": i, "name": "b", "price": 1} for i in range(20, 30)]
    )


def bulk_update(session: Session) -> None:
    session.bulk_update_mappings(Product, [{"id": i, "stock": i * 10} for i in (1, 2)])


def bulk_by_key(session: Session) -> None:
    session.execute(update(Product), [{"id": 1, "stock": 5}, {"id": 2, "stock": 6}])


def orm_update(session: Session) -> None:
    session.execute(update(Product).where(Product.id > 1).values(stock=7))


def orm_delete(session: Session) -> None:
    session.execute(delete(Product).where(Product.id == 2))


def orm_insert_many(session: Session) -> None:
    session.execute(insert(Product), [{"id": i, "name": "m", "price": 2} for i in range(40, 45)])


def legacy_query_update(session: Session) -> None:
    session.query(Product).filter(Product.id == 1).update({"stock": 3})


def core_insert(session: Session) -> None:
    session.execute(insert(Product.__table__).values(id=11, name="core", price=1, stock=0))


def insert_from_select(session: Session) -> None:
    source = select(Product.id + 100, Product.name, Product.price, Product.stock)
    session.execute(insert(Product).from_select(["id", "name", "price", "stock"], source))


def update_with_cte(session: Session) -> None:
    chosen = select(Product.id).where(Product.id < 3)
    # MariaDB has no WITH before an UPDATE.
    mariadb = session.get_bind().dialect.name == "mysql"
    chosen = chosen.subquery("chosen") if mariadb else chosen.cte("chosen")
    session.execute(
        update(Product)
        .where(Product.id.in_(select(chosen.c.id)))
        .values(stock=77)
        .execution_options(synchronize_session=False)
    )


def raw_update(session: Session) -> None:
    session.execute(text("UPDATE products SET stock = 4 WHERE id = :id"), {"id": 1})


def raw_many(session: Session) -> None:
    session.execute(
        text("UPDATE products SET stock = :n WHERE id = :id"),
        [{"n": 1, "id": 1}, {"n": 2, "id": 2}],
    )


def driver_sql(session: Session) -> None:
    session.connection().exec_driver_sql("UPDATE products SET name = 'driver' WHERE id = 2")


def core_on_connection(session: Session) -> None:
    session.connection().execute(update(Product.__table__).values(stock=8))


WRITES = [
    flush_insert, flush_update, flush_delete, bulk_save, bulk_update, bulk_by_key, orm_update,
    orm_delete, orm_insert_many, legacy_query_update, core_insert, insert_from_select, upsert,
    update_with_cte, raw_update, raw_many, driver_sql, core_on_connection,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
def test_every_kind_of_write_is_seen_by_everybody(
    app: App, other: App, database: Database, write: Callable[[Session], None]
):
    stock(app)
    before = contents(app), contents(other)
    assert contents(app) == before[0]
    assert app.log.last().outcome is Outcome.HIT
    with other.Session() as session:
        write(session)
        session.commit()
    now = truth(database)
    assert now != before[0]
    assert contents(app) == now
    assert contents(other) == now


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
def test_a_rolled_back_write_is_seen_by_nobody(
    app: App, other: App, database: Database, write: Callable[[Session], None]
):
    stock(app)
    before = contents(app)
    with other.Session() as session:
        write(session)
        session.flush()
        session.rollback()
    # SQLite's driver begins no transaction for a statement whose first word is WITH.
    if database.name == "sqlite" and write is update_with_cte:
        before = truth(database)
    assert contents(app) == before
    assert contents(other) == before


def test_core_outside_of_sessions_is_seen(app: App, other: App):
    stock(app)
    contents(app)
    with other.engine.begin() as connection:
        connection.execute(update(Product.__table__).values(stock=1))
    assert {row[2] for row in contents(app)} == {1}
    with other.engine.connect() as connection:
        connection.execute(update(Product.__table__).values(stock=2))
        connection.commit()
    assert {row[2] for row in contents(app)} == {2}


def test_autocommit_is_seen(app: App, other: App):
    stock(app)
    contents(app)
    with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(update(Product.__table__).values(stock=1))
        assert {row[2] for row in contents(app)} == {1}
        connection.exec_driver_sql("UPDATE products SET stock = 2")
        assert {row[2] for row in contents(app)} == {2}
    derived = other.engine.execution_options(isolation_level="AUTOCOMMIT")
    with derived.connect() as connection:
        connection.execute(update(Product.__table__).values(stock=3))
        assert {row[2] for row in contents(app)} == {3}


def test_commit_as_sql_text_is_seen(app: App, other: App):
    stock(app)
    contents(app)
    with other.engine.connect() as connection:
        connection.execute(update(Product.__table__).values(stock=1))
        connection.execute(text("COMMIT"))
        assert {row[2] for row in contents(app)} == {1}


@pytest.mark.databases("postgresql", "sqlite")
def test_manual_transaction_under_autocommit_is_seen_at_its_commit(app: App, other: App):
    stock(app)
    contents(app)
    with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("UPDATE products SET stock = 5")
        connection.exec_driver_sql("COMMIT")
        assert {row[2] for row in contents(app)} == {5}


@pytest.mark.databases("sqlite")
def test_a_release_as_sql_text_may_be_the_commit(app: App, other: App):
    stock(app)
    contents(app)
    with other.engine.connect() as connection:
        connection.exec_driver_sql("SAVEPOINT mine")
        connection.exec_driver_sql("UPDATE products SET stock = 5")
        connection.exec_driver_sql("RELEASE SAVEPOINT mine")
        connection.rollback()
    assert {row[2] for row in contents(app)} == {5}


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("how", ["commit()", "executescript()"])
def test_a_commit_by_the_driver_itself_is_seen_at_the_rollback(app: App, other: App, how: str):
    stock(app)
    contents(app)
    with other.engine.connect() as connection:
        connection.execute(update(Product.__table__).values(stock=5))
        driver = connection.connection.driver_connection
        done = driver.commit() if how == "commit()" else driver.executescript("SELECT 1")
        if inspect.isawaitable(done):
            await_(done)
    assert {row[2] for row in contents(app)} == {5}


@pytest.mark.databases("postgresql", "mariadb")
def test_truncate_is_seen(app: App, other: App):
    with app.Session() as session:
        session.add(AuditLog(id=1, text="x"))
        session.commit()
    app.cache.policy(AuditLog, ttl=60)
    other.cache.policy(AuditLog, ttl=60)

    def count() -> int:
        with app.Session() as session:
            return session.scalar(select(func.count()).select_from(AuditLog))

    assert [count(), count()] == [1, 1]
    assert app.log.last().outcome is Outcome.HIT
    with other.Session() as session:
        session.execute(text("TRUNCATE TABLE audit_log"))
        session.commit()
    assert count() == 0


@pytest.mark.cannot_occur_on(
    "asyncpg", reason="it fails a statement that it has prepared and whose columns have changed"
)
def test_ddl_is_seen(app: App, other: App):
    stock(app)
    contents(app)

    def everything() -> list:
        with app.Session() as session:
            return session.execute(text("SELECT * FROM categories ORDER BY id")).all()

    assert len(everything()[0]) == len(everything()[0]) == 2
    assert app.log.last().outcome is Outcome.HIT
    with other.engine.begin() as connection:
        connection.execute(text("ALTER TABLE categories ADD COLUMN note VARCHAR(10)"))
    assert len(everything()[0]) == 3


def test_cascades_in_the_database_are_seen(app: App, other: App, database: Database):
    stock(app)
    with app.Session() as session:
        session.execute(text("INSERT INTO customers (id, name) VALUES (1, 'c')"))
        session.execute(text("INSERT INTO orders (id, customer_id, status) VALUES (1, 1, 'NEW')"))
        session.add(OrderLine(order_id=1, product_id=1, quantity=2))
        session.commit()

    def lines(a: App) -> int:
        with a.Session() as session:
            return session.scalar(select(func.count()).select_from(OrderLine))

    assert [lines(app), lines(app)] == [1, 1]
    with other.Session() as session:
        if database.name == "sqlite":
            session.execute(text("PRAGMA foreign_keys=ON"))
            session.commit()
        session.execute(delete(Order).where(Order.id == 1))
        session.commit()
    engine = database.plain_engine()
    with engine.connect() as connection:
        now = connection.scalar(text("SELECT count(*) FROM order_lines"))
    engine.dispose()
    assert lines(app) == now


@pytest.mark.databases("postgresql", "mariadb")
def test_two_phase_commit_is_seen(app: App, other: App, make_app: MakeApp):
    stock(app)
    contents(app)
    writer = make_app(session={"twophase": True})
    with writer.Session() as session:
        session.execute(update(Product).values(stock=1))
        session.commit()
    assert {row[2] for row in contents(app)} == {1}
    with writer.Session() as session:
        session.execute(update(Product).values(stock=2))
        session.rollback()
    assert {row[2] for row in contents(app)} == {1}


@pytest.mark.databases("postgresql")
def test_a_transaction_prepared_by_another_process_is_seen(app: App, other: App):
    stock(app)
    contents(app)
    connection = app.engine.connect()
    transaction = connection.begin_twophase()
    connection.execute(update(Product.__table__).values(stock=6))
    transaction.prepare()
    xid = transaction.xid
    contents(other)
    with other.engine.connect() as recovering:
        assert xid in recovering.recover_twophase()
        recovering.commit_prepared(xid, recover=True)
    assert {row[2] for row in contents(app)} == {6}
    assert {row[2] for row in contents(other)} == {6}
    connection.invalidate()
    connection.close()


@pytest.mark.databases("mariadb")
def test_a_table_without_transactions_is_committed_by_its_statement(app: App, other: App):
    with app.engine.begin() as connection:
        connection.execute(text("CREATE TABLE notes (id INT PRIMARY KEY, n INT) ENGINE=MyISAM"))
        connection.execute(text("INSERT INTO notes VALUES (1, 1)"))
    statement = select(text("n")).select_from(text("notes")).execution_options(ormcache=60)

    def note() -> int:
        with app.Session() as session:
            return session.scalar(statement)

    assert [note(), note()] == [1, 1]
    assert app.log.last().outcome is Outcome.HIT
    with other.Session() as session:
        session.execute(text("UPDATE notes SET n = 2"))
        assert note() == 2
        session.rollback()  # undoes nothing
    assert note() == 2


def test_several_engines_in_one_session(app: App, database: Database, make_app: MakeApp, tmp_path):
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    stock(app)
    second = create_engine(f"sqlite:///{tmp_path / 'second.db'}")
    Category.metadata.create_all(second)
    Both = sessionmaker(binds={Product: app.engine, Category: second})  # noqa: N806
    app.cache.enable(Both)
    with Both() as session:
        session.add(Category(id=5, name="elsewhere"))
        session.execute(update(Product).values(stock=4))
        session.commit()

    def read() -> tuple:
        with Both() as session:
            return session.get(Category, 5).name, session.get(Product, 1).stock

    assert read() == read() == ("elsewhere", 4)
    with Both() as session:
        session.get(Category, 5).name = "changed"
        session.get(Product, 1).stock = 5
        session.commit()
    assert read() == ("changed", 5)
    app.cache.disable(Both)
    second.dispose()


FUNCTIONS = {
    "postgresql": """
        CREATE FUNCTION restock(n int) RETURNS int LANGUAGE sql VOLATILE
        AS 'UPDATE products SET stock = n; SELECT n'
    """,
    "mariadb": """
        CREATE FUNCTION restock(n INT) RETURNS INT MODIFIES SQL DATA
        BEGIN UPDATE products SET stock = n; RETURN n; END
    """,
}


@pytest.mark.databases("postgresql", "mariadb")
def test_a_select_that_calls_a_writing_function_is_a_write(
    app: App, other: App, database: Database
):
    with app.engine.begin() as connection:
        connection.exec_driver_sql(FUNCTIONS[database.name])
    stock(app)
    contents(app)
    with other.Session() as session:
        assert session.scalar(select(func.restock(12))) == 12
        session.commit()
    assert {row[2] for row in contents(app)} == {12}


def test_one_row_literal_needs_no_table(app: App):
    with app.Session() as session:
        assert session.scalar(select(literal(1))) == 1
    assert app.log.last().outcome is Outcome.BYPASS
