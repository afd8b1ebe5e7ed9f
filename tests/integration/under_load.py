"""
Two applications that read and write while something happens to the store they share.

Each has an engine, a cache and connections of its own, as two processes have. Every read is held
against the last commit that had returned, anywhere, before it began.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ormcache import Outcome
from tests.fixtures.apps import App
from tests.shop import Category, Product

READS_FOR_A_COMMIT = 20


class Load:
    """
    What has been read and committed so far, and what was wrong with it.
    """

    def __init__(self, apps: list[App]) -> None:
        self.apps = apps
        self.committed = {Category: 0, Product: 0}
        self.commits = 0
        self.reads = 0
        self.stale: list[object] = []
        self.errors: list[BaseException] = []
        self.over = threading.Event()

    @property
    def hits(self) -> int:
        return sum(app.cache.counts[Outcome.HIT] for app in self.apps)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """
        Let it go on until the condition holds; fail where it does not come true.
        """
        for _ in range(6000):
            if condition() or self.errors:
                return
            self.over.wait(0.01)
        raise AssertionError(f"not reached: {what}; {[app.cache.store for app in self.apps]}")

    def more_hits(self, count: int) -> None:
        """
        Let it go on until there were *count* hits in each application from now on.
        """
        for app in self.apps:
            goal = app.cache.counts[Outcome.HIT] + count
            self.until(lambda app=app, goal=goal: app.cache.counts[Outcome.HIT] >= goal, "hits")

    def begin_anew(self) -> None:
        """
        Forget what was stale among the reads that have begun by now.
        """
        for app in self.apps:
            goal = len(app.log.reads) + 2
            self.until(lambda app=app, goal=goal: len(app.log.reads) >= goal, "reads that are over")
        self.stale.clear()

    def write(self, app: App, model: type) -> None:
        while not self.over.is_set():
            goal = self.reads + READS_FOR_A_COMMIT
            while self.reads < goal and not self.over.is_set():
                self.over.wait(0.001)
            number = self.committed[model] + 1
            with app.Session() as session:
                change(session, model, number)
                session.commit()
            self.committed[model] = number
            self.commits += 1

    def read(self, app: App) -> None:
        while not self.over.is_set():
            for model in (Category, Product):
                before = self.committed[model]
                with app.Session() as session:
                    seen = look(session, model)
                self.reads += 1
                if seen < before:
                    self.stale.append((model.__name__, before, seen, app.log.last()))

    def carefully(self, work: Callable[..., None], *args: object) -> None:
        try:
            work(*args)
        except BaseException as exc:  # noqa: BLE001 - the test shows it
            self.errors.append(exc)


def change(session: Session, model: type, number: int) -> None:
    if model is Category:
        session.execute(update(Category).where(Category.id == 1).values(name=str(number)))
    else:
        session.get(Product, 1).stock = number


def look(session: Session, model: type) -> int:
    if model is Category:
        return int(session.scalar(select(Category.name).where(Category.id == 1)))
    return session.get(Product, 1).stock


@contextmanager
def load(apps: list[App]) -> Iterator[Load]:
    """
    Run a writer of each table and two readers until the block ends, then check all they saw.
    """
    one, other = apps
    with one.Session() as session:
        session.add(Category(id=1, name="0"))
        session.flush()
        session.add(Product(id=1, category_id=1, name="tea", price=Decimal(1), stock=0))
        session.commit()
    made = Load(apps)
    jobs = (
        *((made.write, one, Category), (made.write, other, Product)),
        *((made.read, one), (made.read, other)),
    )
    threads = [threading.Thread(target=made.carefully, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.over.set()
        for thread in threads:
            thread.join()
    assert not made.errors, made.errors
    assert not made.stale, made.stale
