"""
A cached read is what the database would have returned, and costs no connection.
"""

from decimal import Decimal

import pytest
from sqlalchemy import func, select, text, true
from sqlalchemy.orm import joinedload, selectinload

from ormcache import Outcome
from tests.fixtures.apps import App
from tests.fixtures.ways import SESSION, go_every_way
from tests.shop import Category, Product


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    go_every_way(metafunc, SESSION)


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.flush()
        session.add_all(
            Product(id=i, category_id=1, name=f"tea {i}", price=Decimal(f"{i}.50"))
            for i in (1, 2, 3)
        )
        session.commit()
    app.sent_since()
    app.log.outcomes()


def test_second_read_is_a_hit_and_sends_nothing(app: App):
    stock(app)
    with app.Session() as session:
        first = session.get(Product, 2)
        assert (first.name, first.price) == ("tea 2", Decimal("2.50"))
    assert app.log.outcomes() == [Outcome.MISS]
    app.sent_since()
    with app.Session() as session:
        again = session.get(Product, 2)
        assert (again.name, again.price, type(again.price)) == ("tea 2", Decimal("2.50"), Decimal)
        assert app.engine.pool.checkedout() == 0
    assert app.log.outcomes() == [Outcome.HIT]
    assert app.sent_since() == []


def test_relationships_joins_and_text_are_hits(app: App):
    stock(app)

    def read() -> list:
        with app.Session() as session:
            lazy = [p.name for p in session.get(Category, 1).products]
            eager = session.scalars(select(Category).options(selectinload(Category.products))).all()
            joined = (
                session.scalars(select(Product).options(joinedload(Product.category)))
                .unique()
                .all()
            )
            count = session.scalar(select(func.count()).select_from(Product))
            raw = session.execute(
                text("SELECT name FROM products WHERE id = :id"), {"id": 3}
            ).scalar()
            return [
                lazy,
                [len(c.products) for c in eager],
                [p.category.name for p in joined],
                count,
                raw,
            ]

    first = read()
    app.log.outcomes()
    app.sent_since()
    assert read() == first
    assert set(app.log.outcomes()) == {Outcome.HIT}
    assert app.sent_since() == []


def test_whether_something_exists_is_a_hit(app: App):
    stock(app)
    some = select(true()).where(select(Product).where(Product.stock == 0).exists())
    for _ in range(2):  # MySQL is sent this with FROM DUAL
        with app.Session() as session:
            assert session.scalar(some) == 1
    assert app.log.outcomes() == [Outcome.MISS, Outcome.HIT]
    with app.Session() as session:
        session.query(Product).update({"stock": 5})
        session.commit()
    with app.Session() as session:
        assert session.scalar(some) is None


def test_commit_in_another_process_is_seen_by_the_next_read(app: App, other: App):
    stock(app)
    for _ in range(2):
        with app.Session() as session:
            assert session.get(Product, 1).name == "tea 1"
    with other.Session() as session:
        session.get(Product, 1).name = "coffee"
        session.commit()
    with app.Session() as session:
        assert session.get(Product, 1).name == "coffee"
