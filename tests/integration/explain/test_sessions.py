"""
Given a session, `cache.explain()` counts what its transaction has done, and changes nothing of it.
"""

import pytest
from sqlalchemy import Connection, event, select, text, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from ormcache import Outcome, Reason
from tests.fixtures.apps import App
from tests.integration.explain.agreement import check, postgresql_only, stock
from tests.shop import Category, Customer, Product


def test_own_writes_of_the_session_count(app: App, database):
    stock(app)
    with app.Session() as session:
        session.execute(update(Product).values(stock=5))
        own = check(app, select(Product), session=session)
        assert own.reason is Reason.OWN_WRITES
        assert own.advice.startswith("commit first")
        other = check(app, select(Category), session=session)
        assert not other.stored
        if database.name == "postgresql":
            assert (other.served, other.reason) == (True, Reason.OWN_WRITES)
            assert "served but not stored" in str(other)
        session.rollback()
        assert check(app, select(Product), session=session).cached


def test_a_snapshot_that_was_taken_too_early(app: App, database):
    stock(app)
    with app.Session() as session:
        session.execute(text("INSERT INTO audit_log VALUES (2, 'y')"))
        explained = check(app, select(Category), session=session)
        expected = {"postgresql": Reason.OWN_WRITES, "sqlite": Reason.SNAPSHOT}
        assert explained.reason is expected.get(database.name, Reason.OWN_WRITES)
        if database.name == "sqlite":
            assert explained.advice == "begin a new transaction"


def test_what_a_read_would_flush_counts_and_is_not_flushed(app: App):
    stock(app)
    with app.Session() as session:
        category = session.get(Category, 1)
        category.name = "coffee"
        session.add(Product(id=9, name="new", price=1))
        explained = app.cache.explain(select(Product), bind=session)
        assert explained.reason is Reason.OWN_WRITES
        assert app.cache.explain(select(Category), bind=session).reason is Reason.OWN_WRITES
        assert [product.id for product in session.new] == [9]
        assert set(session.dirty) == {category}
        with session.no_autoflush:
            assert app.cache.explain(select(Product), bind=session).reason is None
        check(app, select(Product), session=session)


def test_a_flushed_session_reads_the_rest_as_it_will(app: App):
    stock(app)
    with app.Session() as session:
        session.add(Product(id=9, name="new", price=1))
        explained = check(app, select(Category), session=session)
        assert not explained.stored


def test_a_session_without_a_transaction_stays_without(app: App):
    stock(app)
    begun = []
    event.listen(app.Session, "after_begin", lambda *_: begun.append(1))
    session = app.Session(expire_on_commit=False)
    products = session.scalars(select(Product)).all()
    session.commit()
    begun.clear()
    for _ in range(3):
        assert app.cache.explain(select(Product), bind=session).cached
    assert not session.in_transaction()
    assert begun  # it was asked as a transaction of its own would
    assert all("name" in product.__dict__ for product in products)
    assert set(session) == set(products)
    assert app.engine.pool.checkedout() == 0
    session.close()


def test_explaining_leaves_the_transactions_snapshot_alone(app: App):
    stock(app)
    with app.Session() as warm:
        warm.scalars(select(Product)).all()
    with app.Session() as session:
        connection = session.connection()
        for _ in range(3):
            assert app.cache.explain(select(Product), bind=session).cached
        assert connection.state.snapshot is None
        assert not connection.state.touched
        assert len(session.scalars(select(Product)).all()) == 3
        assert app.log.last().outcome is Outcome.HIT
        for _ in range(3):
            assert app.cache.explain(select(Category), bind=session).cached
        session.scalars(select(Category)).all()
        assert app.log.last().stored
        assert app.cache.explain(select(Customer), bind=session).cached
        session.scalars(select(Customer)).all()
        assert app.log.last().stored


@postgresql_only
def test_what_the_connection_was_told(app: App):
    stock(app)
    with app.Session() as session:
        session.execute(text("SET LOCAL app.tenant_id = '3'"))
        told = check(app, select(Product), session=session)
        assert (told.reason, told.detail) == (Reason.SESSION_STATE, "app.tenant_id")
        assert told.advice == (
            "let the policy's vary name it: cache.policy('products', vary=['app.tenant_id'])"
        )
        app.cache.policy("products", vary=["app.tenant_id"])
        assert check(app, select(Product), session=session).vary == {"app.tenant_id": True}
    with app.Session() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        assert "was not told this" in check(app, select(Category), session=session).advice


@postgresql_only
def test_what_a_listener_tells_each_transaction(app: App):
    stock(app)
    app.cache.policy("products", vary=["app.tenant_id"])
    tenant = "3"

    def tell(_session: Session, _transaction, connection: Connection) -> None:
        connection.execute(text(f"SET LOCAL app.tenant_id = '{tenant}'"))

    event.listen(app.Session, "after_begin", tell)
    explained = app.cache.explain(select(Product))
    assert explained.cached
    assert explained.vary == {"app.tenant_id": True}
    tenant = "4"
    assert app.cache.explain(select(Product)).key != explained.key
    assert app.cache.explain(select(Category)).detail == "app.tenant_id"
    assert app.engine.pool.checkedout() == 0
    event.remove(app.Session, "after_begin", tell)


@postgresql_only
def test_isolation(app: App):
    stock(app)

    def at(level: str) -> Session:
        session = app.Session()
        session.connection(execution_options={"isolation_level": level})
        return session

    with at("SERIALIZABLE") as session:
        explained = check(app, select(Product), session=session)
        assert explained.reason is Reason.ISOLATION
        assert explained.advice == "read at READ COMMITTED or REPEATABLE READ"
    with at("REPEATABLE READ") as session:
        opening = check(app, select(Product), session=session)
        assert (opening.served, opening.stored) == (False, True)
        assert opening.reason is Reason.SNAPSHOT
        assert "those after it are cached" in opening.advice
        assert check(app, select(Product), session=session, first=False).cached


@postgresql_only
def test_after_a_failure(app: App):
    stock(app)
    with app.Session() as session:
        with pytest.raises(StatementError):
            session.execute(text("SELECT nonsense FROM products"))
        explained = app.cache.explain(select(Product), bind=session)
        assert explained.advice == "roll the transaction back"
