"""
S20: many clients want an answer that is not there, at the same moment.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from ormcache import Outcome
from tests.fixtures.mongo import SHOP, MakeMongoApp, MongoApp
from tests.integration.conformance.stampede import PATIENT
from tests.integration.conformance_mongo.steps import at, name_of, rename, warm

CLIENTS = 200


def at_once(*apps: MongoApp, clients: int, act: Callable[[Any], Any]) -> list[Any]:
    """
    Do it as often with each of the applications, in threads or as tasks of its event loop.
    """
    share = clients // len(apps)
    with ThreadPoolExecutor(clients) as pool:
        if apps[0].loop is None:
            futures = [pool.submit(act, app.db) for app in apps for _ in range(share)]
        else:
            futures = [pool.submit(app.loop.run, _gathered(app, share, act)) for app in apps]
        found = [future.exception() or future.result() for future in futures]
    return found if apps[0].loop is None else [each for several in found for each in several]


async def _gathered(app: MongoApp, clients: int, act: Callable[[Any], Any]) -> list[Any]:
    database = app.client.target[SHOP]
    return await asyncio.gather(*(act(database) for _ in range(clients)), return_exceptions=True)


def find(database: Any) -> Any:
    return database.products.find_one({"_id": 2})


def ready(*apps: MongoApp, **settings: Any) -> None:
    for app in apps:
        app.cache.policy("ormcache_*.*", ttl=300, collapse=PATIENT, **settings)
        warm(app)
        app.log.outcomes()


@pytest.mark.parametrize("why", ["missing", "stale"])
def test_s20_of_many_clients_one_asks_the_database(mongo: MongoApp, why: str):
    ready(mongo)
    if why == "stale":
        name_of(mongo, 2)
        rename(mongo, "new", 2)
        mongo.log.outcomes()
    mongo.sent_since()
    found = at_once(mongo, clients=CLIENTS, act=find)
    assert [each["name"] for each in found] == ["new" if why == "stale" else "old"] * CLIENTS
    assert mongo.sent_since() == ["find"]
    outcomes = Counter(mongo.log.outcomes())
    assert outcomes[Outcome.STALE if why == "stale" else Outcome.MISS] == 1
    assert outcomes[Outcome.COLLAPSED] + outcomes[Outcome.HIT] == CLIENTS - 1
    assert len(mongo.cache.flights) == 0


def test_s20_over_four_processes_one_asks_the_database(make_mongo: MakeMongoApp):
    apps = [make_mongo() for _ in range(4)]
    ready(*apps, across_processes=True)
    for app in apps:
        app.sent_since()
    found = at_once(*apps, clients=CLIENTS, act=find)
    assert [each["name"] for each in found] == ["old"] * CLIENTS
    assert [name for app in apps for name in app.sent_since()] == ["find"]


def test_s20_documents_are_nobody_elses(mongo: MongoApp):
    ready(mongo)
    first, *others = at_once(mongo, clients=20, act=find)
    first.clear()
    assert [each["name"] for each in others] == ["old"] * 19


def test_s20_each_gets_its_own_error(mongo: MongoApp, plain: Any):
    ready(mongo)

    def divide(database: Any) -> Any:
        return database.products.count_documents({"$expr": {"$divide": ["$price", 0]}})

    found = at_once(mongo, clients=20, act=divide)
    assert {type(error) for error in found} == {OperationFailure}
    assert len({id(error) for error in found}) == 20


def test_s20_a_pool_of_one_connection(make_mongo: MakeMongoApp):
    app = make_mongo(client={"maxPoolSize": 1})
    ready(app)
    found = at_once(app, clients=50, act=find)
    assert [each["name"] for each in found] == ["old"] * 50


def test_s20_who_begins_after_a_write_does_not_wait_for_who_began_before(
    mongo: MongoApp, other_mongo: MongoApp
):
    ready(mongo, other_mongo)
    seen: list[Any] = []

    def write_and_read() -> None:
        # The leader's query has been answered, with what was there before.
        rename(other_mongo, "new", 2)
        seen.extend(at_once(mongo, clients=1, act=find))

    with at(mongo, "before save", write_and_read):
        assert name_of(mongo, 2) == "old"
    assert [each["name"] for each in seen] == ["new"]
    assert name_of(mongo, 2) == "new"
    assert len(mongo.cache.flights) == 0
