"""
Does a read end as `cache.explain()` said it would?
"""

from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ormcache import Explanation, Outcome, ReadEvent
from tests.fixtures.apps import App
from tests.shop import AuditLog, Category, Product

sqlite_only = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.flush()
        session.add_all(
            Product(id=i, category_id=1, name=f"tea {i}", price=Decimal(i)) for i in (1, 2, 3)
        )
        session.add(AuditLog(id=1, text="x"))
        session.commit()


class Keys:
    """
    The app's own store, which remembers the keys it was asked for.
    """

    def __init__(self, store) -> None:
        self._store = store
        self.asked: list[str | None] = []

    def fetch(self, key, scopes):
        self.asked.append(key)
        return self._store.fetch(key, scopes)

    def __getattr__(self, name: str):
        return getattr(self._store, name)


def disagreement(
    explained: Explanation, event: ReadEvent, keys: list[str | None], *, first: bool
) -> str:
    """
    How a read, the first of its statement or not, was not what was said of it; empty where it was.
    """
    if explained.statement != event.statement:
        return f"another statement: {event.statement}"
    if explained.cached:
        right = event.stored is first and explained.key in keys
        right = right and event.outcome is (Outcome.MISS if first else Outcome.HIT)
        return "" if right and explained.reason is None else f"it was {event}"
    if first and (explained.served or explained.stored) and event.reason is None:
        return "" if explained.key in keys else "another key"  # there was no entry to refuse
    if (explained.reason, explained.detail) != (event.reason, event.detail):
        return f"another reason: {event.reason} {event.detail}"
    if explained.served or explained.stored:
        right = event.stored is explained.stored and explained.key in keys
    else:
        right = event.outcome is Outcome.BYPASS and not event.stored and explained.key is None
    return "" if right else f"it was {event}"


def check(
    app: App,
    statement,
    parameters=None,
    *,
    session: Session | None = None,
    first: bool = True,
) -> Explanation:
    """
    The explanation of a statement, after comparing it with what then happens.
    """
    app.sent_since()
    used = app.engine.pool.checkedout()
    explained = app.cache.explain(statement, parameters, bind=session)
    assert app.sent_since() == []
    assert app.engine.pool.checkedout() == used
    store, keys = app.cache.store, Keys(app.cache.store)
    app.cache.store = keys
    with app.cache.record() as log:
        if session is None:
            with app.Session() as fresh:
                fresh.execute(executable(statement), parameters).all()
        else:
            session.execute(executable(statement), parameters).all()
    app.cache.store = store
    wrong = disagreement(explained, log.reads[0], keys.asked, first=first)
    assert not wrong, f"{explained}\n{wrong}"
    return explained


def executable(statement):
    return text(statement) if isinstance(statement, str) else statement


def touched(explained: Explanation) -> set[str]:
    return {scope.rpartition("/")[2].rpartition(".")[2] for scope in explained.invalidates}
