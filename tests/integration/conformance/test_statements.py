"""
S9 to S11: whatever a statement reads, and whatever way a change is made.
"""

from decimal import Decimal

import pytest
from sqlalchemy import (
    DDL,
    String,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    union,
    update,
)
from sqlalchemy.orm import aliased, joinedload, selectinload, subqueryload

from ormcache import Outcome
from tests.fixtures.apps import App, Database
from tests.integration.conformance.steps import add, alter, truth
from tests.shop import Customer, Order, Product


def rows(app: App, statement) -> list:
    with app.Session() as session:
        return [tuple(row) for row in session.execute(statement)]


def cached_rows(app: App, statement) -> list:
    """
    The rows, which are in the cache from now on.
    """
    rows(app, statement)
    found = rows(app, statement)
    assert app.log.outcomes()[-1] is Outcome.HIT
    return found


MATCHES = {
    "a filter": select(Product.id).where(Product.price > 9).order_by(Product.id),
    "a count": select(func.count()).select_from(Product).where(Product.price > 9),
    "a maximum": select(func.max(Product.price)),
    "a limit": select(Product.id).order_by(Product.price.desc()).limit(1),
    "an equality": select(Product.id).where(Product.price == Decimal("99.50")),
}


@pytest.mark.parametrize("statement", MATCHES.values(), ids=MATCHES.keys())
def test_s09_a_row_that_is_inserted_matches_a_cached_filter(app: App, other: App, statement):
    before = cached_rows(app, statement)
    with other.Session() as session:
        add(session, Product(id=9, category_id=1, name="fine", price=Decimal("99.50")))
        session.commit()
    after = rows(app, statement)
    assert after != before
    assert after == truth(app.database, statement)


@pytest.mark.parametrize("statement", MATCHES.values(), ids=MATCHES.keys())
def test_s09_a_row_that_is_updated_matches_a_cached_filter(app: App, other: App, statement):
    before = cached_rows(app, statement)
    with other.Session() as session:
        alter(session, Product, 1, price=Decimal("99.50"))
        session.commit()
    after = rows(app, statement)
    assert after != before
    assert after == truth(app.database, statement)


# Nothing that happens to a customer changes orders by itself, as a foreign key's action would.
_ann = select(Customer.id).where(Customer.name == "Ann")
_cte = _ann.cte("anns")
_derived = select(Customer.id, Customer.name).subquery()
_of_customer = select(Customer.name).where(Customer.id == Order.customer_id)
_order = aliased(Order)

DEPENDENT = {
    "join": select(Order.id, Customer.name).join(Order.customer),
    "outer join": select(Order.id, Customer.name).outerjoin(Order.customer),
    "ORDER BY": select(Order.id).join(Order.customer).order_by(Customer.name),
    "CTE": select(Order.id).join(_cte, _cte.c.id == Order.customer_id),
    "IN subquery": select(Order.id).where(Order.customer_id.in_(_ann)),
    "EXISTS": select(Order.id).where(Order.customer.has(name="Ann")),
    "NOT EXISTS": select(Order.id).where(~exists(_ann)),
    "scalar subquery": select(Order.id, _of_customer.scalar_subquery()),
    "derived table": select(Order.id, _derived.c.name).join(
        _derived, _derived.c.id == Order.customer_id
    ),
    "subquery in a subquery": select(_order.id).where(
        _order.id.in_(select(Order.id).where(Order.customer_id.in_(_ann)))
    ),
    "union": union(select(cast(Order.id, String)), select(Customer.name)).order_by(text("1")),
    "HAVING": select(Order.customer_id)
    .group_by(Order.customer_id)
    .having(Order.customer_id.in_(_ann)),
    "text": text("SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id"),
    "view": text("SELECT * FROM named").execution_options(ormcache=60),
}


@pytest.mark.parametrize("statement", DEPENDENT.values(), ids=DEPENDENT.keys())
def test_s10_a_change_in_every_table_a_statement_reads_is_seen(
    database: Database, make_app, statement
):
    add_view(database)
    app, other = make_app(), make_app()
    before = cached_rows(app, statement)
    with other.Session() as session:
        alter(session, Customer, 1, name="Zoe")
        session.commit()
    after = rows(app, statement)
    assert after != before
    assert after == truth(database, statement)


@pytest.mark.orm
def test_s10_a_change_in_a_table_of_an_eager_load_is_seen(app: App, other: App):
    def read() -> list[str]:
        found = []
        for load in (joinedload, selectinload, subqueryload):
            with app.Session() as session:
                statement = select(Order).where(Order.id == 1).options(load(Order.customer))
                found += [order.customer.name for order in session.scalars(statement).unique()]
        with app.Session() as session:
            return [*found, session.get(Order, 1).customer.name]

    assert set(read()) == {"Ann"}
    with other.Session() as session:
        session.get(Customer, 1).name = "Zoe"
        session.commit()
    assert set(read()) == {"Zoe"}


def add_view(database: Database) -> None:
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(
            DDL(
                "CREATE VIEW named AS SELECT o.id, c.name FROM orders o "
                "JOIN customers c ON c.id = o.customer_id"
            )
        )
    engine.dispose()


def row(i: int) -> dict:
    return {"id": i, "category_id": 2, "name": f"bulk {i}", "price": Decimal(i), "stock": 0}


RAW_INSERT = text("INSERT INTO products (id, name, price, stock) VALUES (:id, :name, 5, 0)")


def in_session(change):
    def write(app: App) -> None:
        with app.Session() as session:
            change(session)
            session.commit()

    return write


def in_core(change):
    def write(app: App) -> None:
        with app.engine.begin() as connection:
            change(connection)

    return write


PRICED = update(Product).values(price=Decimal(77))
_by_key = (
    update(Product.__table__).where(Product.id == bindparam("key")).values(name=bindparam("to"))
)
_copied = insert(Product).from_select(
    ["id", "name", "price", "stock"],
    select(Product.id + 100, Product.name, Product.price, literal(0)),
)

ORM_CHANGES = {
    "bulk_insert_mappings": in_session(lambda s: s.bulk_insert_mappings(Product, [row(7), row(8)])),
    "bulk_save_objects": in_session(lambda s: s.bulk_save_objects([Product(**row(7))])),
    "bulk update by key": in_session(
        lambda s: s.execute(update(Product), [{"id": i, "name": f"b{i}"} for i in (1, 2)])
    ),
    "bulk_update_mappings": in_session(
        lambda s: s.bulk_update_mappings(Product, [{"id": 1, "name": "bulk"}])
    ),
    "query.update": in_session(lambda s: s.query(Product).update({"stock": Product.stock + 1})),
    "query.delete": in_session(lambda s: s.query(Product).filter_by(id=2).delete()),
    "unit of work": in_session(lambda s: s.delete(s.get(Product, 2))),
    "merge": in_session(lambda s: s.merge(Product(**row(1)))),
}

CHANGES = {
    "bulk insert": in_session(lambda s: s.execute(insert(Product), [row(7), row(8)])),
    "ORM update": in_session(lambda s: s.execute(PRICED.where(Product.id > 1))),
    "ORM delete": in_session(lambda s: s.execute(delete(Product).where(Product.id == 3))),
    "INSERT FROM SELECT": in_session(lambda s: s.execute(_copied)),
    "Core update": in_core(lambda c: c.execute(PRICED)),
    "Core executemany": in_core(
        lambda c: c.execute(_by_key, [{"key": i, "to": f"many {i}"} for i in (1, 2)])
    ),
    "Core insert of many": in_core(lambda c: c.execute(insert(Product), [row(i) for i in (7, 8)])),
    "raw SQL in a session": in_session(lambda s: s.execute(text("UPDATE products SET stock = 9"))),
    "raw SQL in Core": in_core(lambda c: c.execute(text("DELETE FROM products WHERE id = 1"))),
    "raw executemany": in_core(
        lambda c: c.execute(RAW_INSERT, [{"id": i, "name": "raw"} for i in (7, 8)])
    ),
    "driver SQL": in_core(lambda c: c.exec_driver_sql("UPDATE products SET name = 'driver'")),
    "driver SQL without parameters": in_core(
        lambda c: c.execution_options(no_parameters=True).exec_driver_sql(
            "UPDATE products SET name = '100 %'"
        )
    ),
    "driver SQL behind a comment": in_core(
        lambda c: c.exec_driver_sql(
            "/* nightly */ UPDATE products SET name = 'x' WHERE id IN (SELECT id FROM categories)"
        )
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_s11_every_way_to_write_is_seen(app: App, other: App, change):
    is_seen(app, other, change)


@pytest.mark.orm
@pytest.mark.parametrize("change", ORM_CHANGES.values(), ids=ORM_CHANGES.keys())
def test_s11_every_way_to_write_of_the_orm_is_seen(app: App, other: App, change):
    is_seen(app, other, change)


def is_seen(app: App, other: App, change) -> None:
    """
    Change the products, and see the change in what was cached before.
    """
    statement = select(Product.id, Product.name, Product.price, Product.stock).order_by(Product.id)
    before = cached_rows(app, statement)
    change(other)
    after = rows(app, statement)
    assert after != before
    assert after == truth(app.database, statement)
