"""
Threads that share one engine and one cache: no read is older than a commit that had returned.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from sqlalchemy import select, update

from ormcache import Outcome
from tests.fixtures.apps import App
from tests.shop import Category, Product

READERS, COMMITS = 3, 150


def test_threads_of_one_process(app: App):
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.flush()
        session.add(Product(id=1, category_id=1, name="tea", price=Decimal(1), stock=0))
        session.commit()
    committed = 0
    done = threading.Event()

    def write() -> None:
        nonlocal committed
        try:
            for number in range(1, COMMITS + 1):
                with app.Session() as session:
                    if number % 2:
                        session.get(Product, 1).stock = number
                    else:
                        session.execute(update(Product).where(Product.id == 1).values(stock=number))
                    session.commit()
                committed = number
        finally:
            done.set()

    def read() -> tuple[int, list]:
        reads, wrong = 0, []
        while not done.is_set():
            before = committed
            with app.Session() as session:
                seen = session.get(Product, 1).stock
                again = session.scalar(select(Product.stock).where(Product.id == 1))
            reads += 1
            if seen < before or again < before:
                wrong.append((before, seen, again))
        return reads, wrong

    with ThreadPoolExecutor(READERS + 1) as pool:
        readers = [pool.submit(read) for _ in range(READERS)]
        pool.submit(write).result()
        results = [reader.result() for reader in readers]
    assert [wrong for _, wrong in results] == [[]] * READERS
    assert all(reads > 0 for reads, _ in results)
    with app.Session() as session:
        assert session.get(Product, 1).stock == COMMITS
    with app.Session() as session:
        session.get(Product, 1)
    assert app.log.last().outcome is Outcome.HIT
    assert app.engine.pool.checkedout() == 0
