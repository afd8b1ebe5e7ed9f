"""
S9 to S11: whatever a statement reads, and whatever way a change is made.
"""

from decimal import Decimal

import pytest
from sqlalchemy import (
    DDL,
    bindparam,
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
from tests.integration.conformance.steps import truth
from tests.shop import Category, Product


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
        session.add(Product(id=9, category_id=1, name="fine", price=Decimal("99.50")))
        session.commit()
    after = rows(app, statement)
    assert after != before
    assert after == truth(app.database, statement)


@pytest.mark.parametrize("statement", MATCHES.values(), ids=MATCHES.keys())
def test_s09_a_row_that_is_updated_matches_a_cached_filter(app: App, other: App, statement):
    before = cached_rows(app, statement)
    with other.Session() as session:
        session.get(Product, 1).price = Decimal("99.50")
        session.commit()
    after = rows(app, statement)
    assert after != before
    assert after == truth(app.database, statement)


_tea = select(Category.id).where(Category.name == "tea")
_cte = _tea.cte("teas")
_derived = select(Category.id, Category.name).subquery()
_of_category = select(Category.name).where(Category.id == Product.category_id)
_product = aliased(Product)

DEPENDENT = {
    "a join": select(Product.id, Category.name).join(Product.category),
    "an outer join": select(Product.id, Category.name).outerjoin(Product.category),
    "an ORDER BY": select(Product.id)
    .join(Product.category)
    .order_by((Category.name == "tea").desc(), Product.id)
    .where(Product.id == 1, Category.name == "tea"),
    "a CTE": select(Product.id).join(_cte, _cte.c.id == Product.category_id),
    "an IN subquery": select(Product.id).where(Product.category_id.in_(_tea)),
    "an EXISTS": select(Product.id).where(Product.category.has(name="tea")),
    "a NOT EXISTS": select(Product.id).where(~exists(_tea)),
    "a scalar subquery": select(Product.id, _of_category.scalar_subquery()),
    "a derived table": select(Product.id, _derived.c.name).join(
        _derived, _derived.c.id == Product.category_id
    ),
    "a subquery in a subquery": select(_product.id).where(
        _product.id.in_(select(Product.id).where(Product.category_id.in_(_tea)))
    ),
    "a union": union(select(Product.name), select(Category.name)),
    "a subquery in HAVING": select(Product.category_id)
    .group_by(Product.category_id)
    .having(Product.category_id.in_(_tea)),
    "text": text("SELECT p.id, c.name FROM products p JOIN categories c ON c.id = p.category_id"),
    "a view": text("SELECT * FROM titled").execution_options(ormcache=60),
}


@pytest.mark.parametrize("statement", DEPENDENT.values(), ids=DEPENDENT.keys())
def test_s10_a_change_in_every_table_a_statement_reads_is_seen(
    database: Database, make_app, statement
):
    add_view(database)
    app, other = make_app(), make_app()
    before = sorted(cached_rows(app, statement))
    with other.Session() as session:
        session.get(Category, 1).name = "herbs"
        session.commit()
    after = sorted(rows(app, statement))
    assert after != before
    assert after == sorted(truth(database, statement))


def test_s10_a_change_in_a_table_of_an_eager_load_is_seen(app: App, other: App):
    def read() -> list[str]:
        found = []
        for load in (joinedload, selectinload, subqueryload):
            with app.Session() as session:
                statement = select(Product).options(load(Product.category))
                found += [p.category.name for p in session.scalars(statement).unique()]
        with app.Session() as session:
            return [*found, session.get(Product, 1).category.name]

    assert set(read()) == {"tea"}
    with other.Session() as session:
        session.get(Category, 1).name = "herbs"
        session.commit()
    assert set(read()) == {"herbs"}


def add_view(database: Database) -> None:
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(
            DDL(
                "CREATE VIEW titled AS SELECT p.id, c.name FROM products p "
                "JOIN categories c ON c.id = p.category_id"
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

CHANGES = {
    "bulk insert": in_session(lambda s: s.execute(insert(Product), [row(7), row(8)])),
    "bulk_insert_mappings": in_session(lambda s: s.bulk_insert_mappings(Product, [row(7), row(8)])),
    "bulk_save_objects": in_session(lambda s: s.bulk_save_objects([Product(**row(7))])),
    "bulk update by key": in_session(
        lambda s: s.execute(update(Product), [{"id": i, "name": f"b{i}"} for i in (1, 2)])
    ),
    "bulk_update_mappings": in_session(
        lambda s: s.bulk_update_mappings(Product, [{"id": 1, "name": "bulk"}])
    ),
    "ORM update": in_session(lambda s: s.execute(PRICED.where(Product.id > 1))),
    "ORM delete": in_session(lambda s: s.execute(delete(Product).where(Product.id == 3))),
    "query.update": in_session(lambda s: s.query(Product).update({"stock": Product.stock + 1})),
    "query.delete": in_session(lambda s: s.query(Product).filter_by(id=2).delete()),
    "unit of work": in_session(lambda s: s.delete(s.get(Product, 2))),
    "merge": in_session(lambda s: s.merge(Product(**row(1)))),
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
    "driver SQL behind a comment": in_core(
        lambda c: c.exec_driver_sql(
            "/* nightly */ UPDATE products SET name = 'x' WHERE id IN (SELECT id FROM categories)"
        )
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_s11_every_way_to_write_is_seen(app: App, other: App, change):
    statement = select(Product.id, Product.name, Product.price, Product.stock).order_by(Product.id)
    before = cached_rows(app, statement)
    change(other)
    after = rows(app, statement)
    assert after != before
    assert after == truth(app.database, statement)
