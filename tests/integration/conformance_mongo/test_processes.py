"""
S12, S13: real processes that write, and that are killed between announcing and settling.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ormcache import Outcome
from ormcache.testing import servers
from tests.fixtures.mongo import MongoApp
from tests.fixtures.servers import eventually
from tests.integration.conformance_mongo.process import MongoWorker
from tests.integration.conformance_mongo.steps import name_of, rename, truth, warm

LEASE = 3.0
"""Seconds. As short as a busy machine allows: the tests wait until it has run out."""


@pytest.fixture
def start_mongo_worker(
    kind: str, mongodb_server: servers.Server, redis_server: servers.Server, namespace: str
) -> Iterator[Callable[..., MongoWorker]]:
    started: list[MongoWorker] = []

    def start(**settings: Any) -> MongoWorker:
        where = (kind, mongodb_server.url)
        started.append(MongoWorker(where, redis_server.url, namespace, **settings))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


@pytest.mark.parametrize("transactions", [False, True], ids=["writes", "transactions"])
def test_s12_what_another_process_writes_is_seen_by_the_next_read(
    mongo: MongoApp, start_mongo_worker, transactions: bool
):
    process = start_mongo_worker(transactions=transactions)
    for round_ in range(5):
        warm(mongo)
        process.rename(f"theirs {round_}")
        assert name_of(mongo) == f"theirs {round_}"
        assert process.name() == f"theirs {round_}"
        rename(mongo, f"ours {round_}")
        assert process.name() == f"ours {round_}"


@pytest.mark.parametrize("moment", ["after announce", "before settle", "after settle"])
@pytest.mark.parametrize("transactions", [False, True], ids=["write", "transaction"])
def test_s13_a_writer_that_is_killed_leaves_nothing_stale(
    mongo: MongoApp,
    other_mongo: MongoApp,
    start_mongo_worker,
    plain: Any,
    moment: str,
    transactions: bool,
):
    warm(mongo)
    process = start_mongo_worker(lease_seconds=LEASE, transactions=transactions)
    process.rename_and_die("new", moment, meanwhile=lambda: name_of(other_mongo))
    written = "old" if moment == "after announce" else "new"
    assert truth(plain) == written
    assert is_cached_again_and_never_wrong(mongo, written)
    assert name_of(other_mongo) == written


def is_cached_again_and_never_wrong(app: MongoApp, name: str) -> bool:
    """
    Whether the application's reads become hits, and all of them, until then too, were right.
    """
    app.log.outcomes()

    def hit() -> bool:
        assert name_of(app) == name
        return app.log.outcomes() == [Outcome.HIT]

    return eventually(hit)
