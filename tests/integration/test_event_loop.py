"""
The event loop goes on while the cache waits for its store.

Nothing is timed: the store is frozen, and only a task of the same loop will thaw it. Were the loop
held up by a read or a commit, that task would never get to run, and the store would be given up.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator

import pytest

from ormcache import Outcome
from ormcache.testing import servers
from tests.fixtures.apps import Database
from tests.fixtures.drivers import ASYNC, Driver
from tests.integration.test_cancellation import AsyncApp, opened

TASKS = 100
TICKS = 50
# Only a server of ours may be frozen.
OURS = tuple(source for source in servers.SOURCES if source != "environment")

pytestmark = pytest.mark.parametrize(
    ("database", "driver"),
    [(driver.database, driver) for driver in ASYNC],
    indirect=["database"],
    ids=str,
)


@pytest.fixture(scope="module")
def private() -> Iterator[servers.Server]:
    with servers.redis(sources=OURS) as server:
        yield server


@pytest.fixture
def store(private: servers.Server) -> Iterator[servers.Server]:
    yield private
    private.resume()


async def while_frozen(
    store: servers.Server, work: Callable[[], Coroutine[None, None, object]], times: int
) -> list[object]:
    """
    Begin *work* that often with the store frozen, and thaw it once the loop has gone round.
    """
    store.pause()
    tasks = [asyncio.create_task(work()) for _ in range(times)]
    for _ in range(TICKS):
        await asyncio.sleep(0.001)
    assert not any(task.done() for task in tasks)
    store.resume()
    return await asyncio.gather(*tasks)


def test_reads_that_wait_for_the_store_hold_up_nothing_else(
    database: Database, driver: Driver, store: servers.Server, namespace: str
):
    async def read(app: AsyncApp) -> None:
        await app.name()
        assert await app.name() == "old"
        with app.cache.record() as log:
            names = await while_frozen(store, app.name, TASKS)
        assert names == ["old"] * TASKS
        assert [event.outcome for event in log.reads] == [Outcome.HIT] * TASKS

    run(read, database, driver, store, namespace)


def test_a_commit_that_waits_for_the_store_holds_up_nothing_else(
    database: Database, driver: Driver, store: servers.Server, namespace: str
):
    async def write(app: AsyncApp) -> None:
        await app.name()
        with app.cache.record() as log:
            await while_frozen(store, lambda: app.rename("new"), 1)
        assert [commit.delivered for commit in log.commits] == [True]
        assert await app.name() == "new"

    run(write, database, driver, store, namespace)


def run(
    scenario: Callable[[AsyncApp], Coroutine[None, None, None]],
    database: Database,
    driver: Driver,
    store: servers.Server,
    namespace: str,
) -> None:
    async def main() -> None:
        async with opened(database, driver, store.url, namespace, patience=30.0) as app:
            await scenario(app)

    asyncio.run(main())
