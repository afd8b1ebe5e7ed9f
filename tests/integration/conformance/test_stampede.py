"""
S20: many clients want an entry that is not there, at the same moment.
"""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, select

from ormcache import Outcome
from tests.fixtures.apps import App, MakeApp
from tests.integration.conformance.gaps import at
from tests.integration.conformance.stampede import (
    at_once,
    collapse,
    following,
    until,
)
from tests.integration.conformance.steps import change, name_of, names, rename, warm
from tests.shop import Category

CLIENTS = 200


def cold(app: App, product: int = 2) -> str | None:
    """
    The name of a product that nobody has read before.
    """
    return name_of(app, product)


def ready(*apps: App) -> None:
    """
    Have applications know what a first read asks the database for.
    """
    for app in apps:
        collapse(app)
        warm(app)
        app.log.outcomes()


@pytest.mark.parametrize("why", ["missing", "stale"])
def test_s20_of_many_clients_one_asks_the_database(app: App, why: str):
    ready(app)
    if why == "stale":
        cold(app)
        rename(app, "new", 2)
        app.log.outcomes()
    app.sent_since()
    with at(app, "after query", lambda: until(app, lambda: following(app.cache) == CLIENTS - 1)):
        found = at_once(app, [lambda: cold(app)] * CLIENTS)
    assert found == ["new" if why == "stale" else "old"] * CLIENTS
    assert len(app.sent_since()) == 1
    loaded = Outcome.STALE if why == "stale" else Outcome.MISS
    assert Counter(app.log.outcomes()) == {loaded: 1, Outcome.COLLAPSED: CLIENTS - 1}
    assert cold(app) == found[0]
    assert app.log.outcomes() == [Outcome.HIT]
    assert len(app.cache.flights) == 0


def test_s20_however_the_clients_meet_one_asks_the_database(app: App):
    ready(app)
    for round_ in range(5):
        rename(app, f"new {round_}")
        app.sent_since()
        assert at_once(app, [lambda: name_of(app)] * 50) == [f"new {round_}"] * 50
        assert len(app.sent_since()) == 1


def test_s20_over_four_processes_one_asks_the_database(make_app: MakeApp):
    apps = [make_app() for _ in range(4)]
    ready(*apps)
    for each in apps:
        collapse(each, across_processes=True)
        each.sent_since()
    acts = [lambda app=app: cold(app) for app in apps for _ in range(CLIENTS // len(apps))]
    assert at_once(apps[0], acts) == ["old"] * CLIENTS
    assert sum(len(each.sent_since()) for each in apps) == 1
    counted = Counter(outcome for each in apps for outcome in each.log.outcomes())
    assert counted[Outcome.MISS] == 1
    assert counted[Outcome.COLLAPSED] + counted[Outcome.HIT] == CLIENTS - 1


def test_s20_a_process_that_is_killed_while_it_loads_holds_nobody_up_for_long(
    app: App, start_worker: Any
):
    collapse(app, across_processes=True)
    process = start_worker()
    process.collapse(2.0)  # so that its lease runs out after a second
    warm(app)
    process.name()
    rename(app, "new")
    app.sent_since()
    process.die_while_loading()
    assert at_once(app, [lambda: name_of(app)] * 20) == ["new"] * 20
    assert len(app.sent_since()) == 1


def test_s20_who_begins_after_a_commit_does_not_wait_for_who_began_before(app: App, other: App):
    ready(app, other)
    seen: list[Any] = []

    def commit_and_read() -> None:
        # The leader's query has been answered, with what was there before.
        rename(other, "new", 2)
        seen.extend(at_once(app, [lambda: cold(app)]))

    with at(app, "after query", commit_and_read):
        assert cold(app) == "old"
    assert seen == ["new"]
    assert cold(app) == "new"


def test_s20_each_gets_its_own_error(app: App):
    ready(app)
    clients = 20
    failed: list[bool] = []

    def fail(*_: Any) -> None:
        if not failed:
            until(app, lambda: following(app.cache) == clients - 1)
        failed.append(True)
        raise RuntimeError("no rows today")

    event.listen(app.engine, "after_cursor_execute", fail)
    found = at_once(app, [lambda: cold(app)] * clients)
    event.remove(app.engine, "after_cursor_execute", fail)
    assert {type(error) for error in found} == {RuntimeError}
    assert len({id(error) for error in found}) == len(failed) == clients
    assert at_once(app, [lambda: cold(app)] * clients) == ["old"] * clients


def test_s20_a_transaction_that_has_changed_something_does_not_wait(app: App):
    ready(app)

    def change_and_read() -> str | None:
        with app.Session() as session:
            change(session, "mine", 3)
            return session.scalar(select(Category.name).where(Category.id == 2))

    def read() -> str | None:
        with app.Session() as session:
            return session.scalar(select(Category.name).where(Category.id == 2))

    found: list[Any] = []
    with at(app, "after query", lambda: found.extend(at_once(app, [change_and_read]))):
        assert read() == "coffee"
    assert found == ["coffee"]
    assert app.log.outcomes().count(Outcome.COLLAPSED) == 0


@pytest.mark.parametrize("reads", [1, 3])
def test_s20_a_pool_of_one_connection(make_app: MakeApp, reads: int):
    app = make_app(engine={"pool_size": 1, "max_overflow": 0})
    ready(app)

    def read() -> list[Any]:
        with app.Session() as session:
            # Not cached: the session has the connection when its next read begins.
            uncached = select(Category.name).execution_options(ormcache=False)
            assert len(session.execute(uncached).all()) == 2
            return [session.scalar(names(number)) for number in range(1, reads + 1)]

    assert at_once(app, [read, lambda: cold(app, reads)] * 25) == [["old"] * reads, "old"] * 25
