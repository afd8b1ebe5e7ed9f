"""
Reads that wait for each other, in threads and on event loops, over the reference store.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ormcache import Outcome
from ormcache.drive import AsyncPerformer, Performer, arun, run
from ormcache.flights import Caller, Flights, Role
from ormcache.model import Column, Rows, Scope
from ormcache.reading import Answer, ReadRequest, read
from ormcache.stores.memory import MemoryStore
from ormcache.waiting.loops import LoopWaiting
from ormcache.waiting.threads import ThreadWaiting
from tests.unit.test_reading import ReprCodec

PATIENCE = 60.0
TOKENS = (b"t",)


class Service:
    """
    One process's worth: reads of one entry, by threads and by tasks.
    """

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.flights = Flights()
        self.threads, self.loops = ThreadWaiting(self.flights), LoopWaiting(self.flights)
        self.loads = 0

    def request(self, seconds: float = PATIENCE) -> ReadRequest:
        return ReadRequest(
            key="f",
            scopes=(Scope("db/a"),),
            ttl=60.0,
            max_rows=10,
            max_bytes=1000,
            codec=ReprCodec(),
            collapse=seconds,
        )

    def rows(self) -> Rows:
        self.loads += 1
        return Rows((Column("x", None),), [(self.loads,)])

    def read(self, load: Callable[[], Rows], seconds: float = PATIENCE) -> Answer:
        return run(read(self.request(seconds)), Performer(self.store, 1.0, load, self.threads))

    async def aread(self, load: Callable[[], Any], seconds: float = PATIENCE) -> Answer:
        performer = AsyncPerformer(self.store.asynchronous(), 1.0, load, self.loops)
        return await arun(read(self.request(seconds)), performer)

    @property
    def following(self) -> int:
        return sum(len(flight._wakes) for flight in list(self.flights._under_way.values()))


@pytest.fixture
def service() -> Service:
    return Service()


class Held:
    """
    A query that does not end before it is told to, asked by a thread or a task.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.begun, self.released = threading.Event(), threading.Event()

    def __call__(self) -> Rows:
        self.begun.set()
        assert self.released.wait(PATIENCE)
        return self.service.rows()

    async def asked(self) -> Rows:
        return await asyncio.to_thread(self)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what others do is seen, not announced
            await asyncio.sleep(0)


def test_threads_and_tasks_wait_for_the_same_leader(service: Service):
    async def scenario(leads: str) -> None:
        query = Held(service)
        if leads == "thread":
            leader: Any = asyncio.create_task(asyncio.to_thread(service.read, query))
        else:
            leader = asyncio.create_task(service.aread(query.asked))
        await until(query.begun.is_set)
        tasks = [asyncio.create_task(service.aread(pytest.fail)) for _ in range(3)]
        threads = [
            asyncio.create_task(asyncio.to_thread(service.read, pytest.fail)) for _ in range(2)
        ]
        await until(lambda: service.following == 5)
        query.released.set()
        assert (await leader).outcome is Outcome.MISS
        answers = await asyncio.gather(*tasks, *threads)
        assert {answer.outcome for answer in answers} == {Outcome.COLLAPSED}
        assert len({id(answer.rows) for answer in answers}) == 5
        service.store.clear()

    for leads in ("thread", "task"):
        asyncio.run(scenario(leads))
    assert service.loads == 2


def test_a_task_that_is_cancelled_lets_the_others_go_on(service: Service):
    async def scenario() -> None:
        begun = asyncio.Event()

        async def never() -> Rows:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def rows() -> Rows:
            return service.rows()

        leader = asyncio.create_task(service.aread(never))
        await begun.wait()
        followers = [asyncio.create_task(service.aread(rows)) for _ in range(3)]
        gone = asyncio.create_task(service.aread(pytest.fail))
        await until(lambda: service.following == 4)
        gone.cancel()
        leader.cancel()
        ended = await asyncio.gather(leader, gone, *followers, return_exceptions=True)
        assert [type(each) for each in ended[:2]] == [asyncio.CancelledError] * 2
        assert {each.outcome for each in ended[2:]} == {Outcome.MISS}
        assert len(service.flights) == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("world", ["thread", "task"])
def test_patience_has_an_end(service: Service, world: str):
    query = Held(service)

    async def rows() -> Rows:
        return service.rows()

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(service.read, query)
        assert query.begun.wait(PATIENCE)
        if world == "thread":
            answer = service.read(service.rows, 0.01)
        else:
            answer = asyncio.run(service.aread(rows, 0.01))
        assert answer.outcome is Outcome.MISS
        assert len(service.flights) == 0  # the next one does not wait for that leader
        query.released.set()
        assert leader.result().outcome is Outcome.MISS


def test_a_leader_outlives_the_loop_of_a_follower(service: Service):
    query = Held(service)

    async def scenario() -> None:
        follower = asyncio.create_task(service.aread(pytest.fail))
        await until(lambda: service.following == 1)
        follower.cancel()

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(service.read, query)
        assert query.begun.wait(PATIENCE)
        asyncio.run(scenario())
        query.released.set()
        assert leader.result().outcome is Outcome.MISS


def test_a_thread_does_not_block_the_loop_its_leader_runs_on(service: Service):
    async def scenario() -> None:
        async def rows() -> Rows:
            # A synchronous read in the middle of an event loop, while a task of it leads.
            assert service.read(service.rows).outcome is Outcome.MISS
            return service.rows()

        assert (await service.aread(rows)).outcome is Outcome.MISS

    asyncio.run(scenario())


def test_a_read_within_the_load_of_the_same_read_waits_for_nobody(service: Service):
    def nested() -> Rows:
        assert service.read(service.rows).outcome is Outcome.MISS
        return service.rows()

    assert service.read(nested).outcome is Outcome.MISS

    async def scenario() -> None:
        async def rows() -> Rows:
            return service.rows()

        async def nested() -> Rows:
            assert (await service.aread(rows)).outcome is Outcome.MISS
            return service.rows()

        service.store.clear()
        assert (await service.aread(nested)).outcome is Outcome.MISS

    asyncio.run(scenario())


def test_a_forked_child_waits_for_nobody_of_its_parent(service: Service, monkeypatch: Any):
    parent = os.getpid()
    _, flight = service.flights.join("f", TOKENS, Caller(1))
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    role, own = service.flights.join("f", TOKENS, Caller(2))
    assert role is Role.LEADS
    flight.land()
    own.land()
    assert len(service.flights) == 0


def test_the_state_can_be_read(service: Service):
    _, flight = service.flights.join("f", TOKENS, Caller(1))
    service.flights.join("f", TOKENS, Caller(2))
    flight.tell(int)
    assert repr(service.flights) == "<Flights 1 under way>"
    assert repr(flight) == "<Flight under way, 1 following, entry=False>"
    flight.entry = b"entry"
    flight.land()
    assert repr(flight) == "<Flight landed, 0 following, entry=True>"
    assert repr(service.flights) == "<Flights 0 under way>"
