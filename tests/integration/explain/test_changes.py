"""
`cache.explain()` of what is no read says what it would invalidate.
"""

import pytest
from sqlalchemy import ForeignKey, delete, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable, DropTable

from ormcache import Reason
from tests.fixtures.apps import App
from tests.integration.explain.agreement import check, sqlite_only, stock, touched
from tests.shop import AuditLog, Category, Customer, Order, Product

CHANGES = {
    "insert": (insert(Product), {"products"}),
    "insert many": (insert(Customer).values([{"id": 1, "name": "a"}]), {"customers"}),
    "update": (update(Product).values(stock=1), {"products"}),
    "cascade": (delete(Category).where(Category.id == 1), {"categories", "products"}),
    "table": (Order.__table__.delete(), {"orders", "order_lines"}),
    "text": (text("UPDATE products SET stock = :n"), {"products"}),
    "ddl": (CreateTable(AuditLog.__table__), {"*"}),
    "drop": (DropTable(AuditLog.__table__), {"*"}),
    "call": (text("CALL something()"), {"*"}),
    "declared": (
        text("CALL something()").execution_options(ormcache_tables=["products"]),
        {"products"},
    ),
    "from_statement": (
        select(Product).from_statement(insert(Product).returning(Product)),
        {"products"},
    ),
}


@pytest.mark.parametrize(("statement", "tables"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_change_would_invalidate(app: App, statement, tables: set[str]):
    if app.database.name == "sqlite" and "CALL" in str(statement):
        tables = {"*"} if tables == {"*"} else {"products"}
    stock(app)
    app.sent_since()
    parameters = {"n": 1} if ":n" in str(statement) else None
    explained = app.cache.explain(statement, parameters)
    assert app.sent_since() == []
    assert touched(explained) == tables
    assert not explained.cached
    assert explained.scopes == ()
    assert explained.kind != "read"
    assert "invalidates" in str(explained)
    if explained.kind in ("write", "ddl", "call"):
        assert explained.reason is None
        assert str(explained).startswith(f"cached       no, it is a {explained.kind} statement")


def test_a_change_invalidates_what_was_said(app: App):
    stock(app)
    statement = delete(Category)
    explained = app.cache.explain(statement)
    with app.cache.record() as log, app.Session() as session:
        session.execute(statement)
        session.commit()
    (commit,) = log.commits
    said = {scope.partition("/")[2] for scope in explained.invalidates}
    assert set(commit.tables) == said


@sqlite_only
def test_inserts_into_a_class_with_inheritance(app: App):
    class Things(DeclarativeBase):
        pass

    class Thing(Things):
        __tablename__ = "things"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "thing"}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]

    class Book(Thing):
        __tablename__ = "books"
        __mapper_args__ = {"polymorphic_identity": "book"}  # noqa: RUF012
        id: Mapped[int] = mapped_column(ForeignKey("things.id"), primary_key=True)
        title: Mapped[str]

    with app.engine.begin() as connection:
        Things.metadata.create_all(connection)
    explained = app.cache.explain(insert(Book))
    assert touched(explained) == {"things", "books"}
    with app.cache.record() as log, app.Session() as session:
        session.execute(insert(Book), [{"title": "tea"}])
        session.commit()
    (commit,) = log.commits
    assert {table.rpartition(".")[2] for table in commit.tables} == {"things", "books"}


def test_a_read_that_may_write(app: App, database):
    stock(app)
    if database.name == "postgresql":
        with app.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS "
                "'UPDATE products SET stock = 1; SELECT 1'"
            )
        explained = check(app, "SELECT touch() FROM products")
        assert explained.reason is Reason.STATEMENT
        assert touched(explained) == {"*"}
    unknown = app.cache.explain("FROBNICATE products")
    assert (unknown.kind, unknown.reason) == ("unknown", Reason.STATEMENT)
    assert touched(unknown) == {"*"}
