"""
Several reads of one entry, each stepped by hand over the reference store: who asks the database,
and does anybody get rows that are older than its own read allows?
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ormcache.effects import Claim, Effect, Fetch, Join, Load, Pause, Save, Wait
from ormcache.errors import StoreError
from ormcache.flights import Caller, Flights
from ormcache.freshness import Snapshot
from ormcache.model import Column, Intent, Outcome, Reason, Rows, Scope
from ormcache.reading import Answer, ReadRequest, read
from ormcache.stores.memory import MemoryStore
from ormcache.testing.clock import MovableClock
from tests.unit.test_reading import ReprCodec

A, B = Scope("db/a"), Scope("db/b")
SECONDS = 1.0


class World:
    """
    A store, a database that holds one value, and processes that read it.
    """

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.store = MemoryStore(clock=self.clock)
        self.value = "old"
        self.loads = 0

    def process(self) -> "Process":
        return Process(self)

    def commit(self, value: str, scope: Scope = A) -> None:
        for _ in self.committing(value, scope):
            pass

    def committing(self, value: str, scope: Scope = A) -> Any:
        """
        A commit that stops after each of its steps.
        """
        intent = Intent.of(frozenset({scope}))
        self.store.announce(intent, 10.0)
        yield
        self.value = value
        yield
        self.store.settle(intent)
        yield


class Process:
    """
    One process's worth.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.flights = Flights()

    def read(self, thread: int = 0, **settings: Any) -> "Reader":
        return Reader(self, thread, settings)


class Reader:
    """
    A read that goes on when it is told to.
    """

    threads = 0

    def __init__(self, process: Process, thread: int, settings: dict[str, Any]) -> None:
        Reader.threads += 1
        self.process, self.world = process, process.world
        self.caller = Caller(thread or 10_000 + Reader.threads)
        usual = {"key": "f", "scopes": (A, B), "ttl": 60.0, "max_rows": 10, "max_bytes": 1000}
        usual |= {"codec": ReprCodec(), "collapse": SECONDS}
        self.request = ReadRequest(**{**usual, **settings})
        self.path = read(self.request)
        self.answer: Answer | None = None
        self.loaded: Rows | None = None
        self.asked: list[str] = []
        self._next(partial(next, self.path))

    def go(self, answer: object = None) -> None:
        """
        Perform the effect that is asked for, or answer it so, and go on to the next.
        """
        assert self.answer is None, "the read has ended"
        self.asked.append(type(self.effect).__name__.lower())
        if isinstance(answer, BaseException):
            self._next(partial(self.path.throw, answer))
        else:
            answered = self._perform(self.effect) if answer is None else answer
            self._next(partial(self.path.send, answered))

    def lose_patience(self) -> None:
        """
        Wait for a flight no longer.
        """
        self.until(Wait).effect.flight.give_up()
        self._next(partial(self.path.send, None))

    def until(self, kind: type[Effect]) -> "Reader":
        """
        Go on until an effect of *kind* is asked for.
        """
        while not isinstance(self.effect, kind):
            assert self.answer is None, f"ended without {kind}: {self.asked}"
            self.go()
        return self

    def end(self) -> Answer:
        """
        Go on until the read has ended.
        """
        while self.answer is None:
            self.go()
        return self.answer

    @property
    def value(self) -> str:
        """
        What the caller got.
        """
        answer = self.end()
        rows = answer.rows or self.loaded
        assert rows is not None
        return rows.rows[0][0]

    @property
    def outcome(self) -> Outcome:
        return self.end().outcome

    def _next(self, advance: Callable[[], Effect]) -> None:
        try:
            self.effect = advance()
        except StopIteration as stop:
            self.answer = stop.value

    def _perform(self, effect: Effect) -> object:
        match effect:
            case Fetch(key, scopes):
                return self.world.store.fetch(key, scopes)
            case Save(key, entry, ttl):
                return self.world.store.save(key, entry, ttl)
            case Claim(name, seconds):
                return self.world.store.save(name, b"", seconds, absent=True)
            case Load():
                return self.load()
            case Join(key, tokens, holds):
                return self.process.flights.join(key, tokens, self.caller, holds=holds)
            case Wait(flight):
                assert flight.landed, "it waits for a flight that has not landed"
                return flight.entry
            case Pause(seconds):
                self.world.clock.advance(seconds)
        return None

    def load(self) -> Rows:
        self.world.loads += 1
        self.loaded = Rows((Column("x", None),), [(self.world.value,)])
        return self.loaded


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def process(world: World) -> Process:
    return world.process()


# -- one loads for all -------------------------------------------------------------------------


def test_one_loads_and_the_others_wait_for_it(world: World, process: Process):
    leader = process.read().until(Load)
    followers = [process.read().until(Wait) for _ in range(5)]
    assert (leader.outcome, leader.value) == (Outcome.MISS, "old")
    assert {(follower.outcome, follower.value) for follower in followers} == {
        (Outcome.COLLAPSED, "old")
    }
    assert world.loads == 1
    assert followers[0].asked == ["fetch", "join", "wait"]
    assert leader.asked == ["fetch", "join", "load", "save"]
    assert len(process.flights) == 0


def test_a_hit_asks_nobody(world: World, process: Process):
    process.read().end()
    hit = process.read()
    assert hit.outcome is Outcome.HIT
    assert hit.asked == ["fetch"]


def test_each_gets_rows_that_nobody_else_holds(process: Process):
    process_read = process.read().until(Load)
    first, second = process.read().until(Wait), process.read().until(Wait)
    process_read.end()
    first.end().rows.rows.clear()
    assert second.value == "old"


def test_a_stale_entry_is_loaded_by_one(world: World, process: Process):
    process.read().end()
    world.commit("new")
    leader, follower = process.read().until(Load), process.read().until(Wait)
    assert (leader.outcome, leader.value) == (Outcome.STALE, "new")
    assert (follower.outcome, follower.value) == (Outcome.COLLAPSED, "new")


def test_who_joins_just_after_the_landing_looks_again(world: World, process: Process):
    leader, late = process.read().until(Load), process.read().until(Join)
    leader.end()
    assert (late.outcome, late.value) == (Outcome.COLLAPSED, "old")
    assert late.asked == ["fetch", "join", "fetch"]
    assert world.loads == 1


def test_an_entry_that_expires_is_loaded_by_one(world: World, process: Process):
    process.read(ttl=0.5).end()
    world.clock.advance(1.0)
    leader = process.read().until(Load)
    follower = process.read().until(Wait)
    assert leader.outcome is Outcome.MISS
    assert follower.outcome is Outcome.COLLAPSED
    assert world.loads == 2


# -- never rows older than one's own read allows ------------------------------------------------


@pytest.mark.parametrize("moment", [Join, Load, Save])
def test_who_begins_after_a_commit_never_gets_rows_from_before(
    world: World, process: Process, moment: type[Effect]
):
    leader = process.read().until(moment)
    world.commit("new")
    waiter = process.read().until(Load)  # it does not wait for that leader
    leader.end()
    assert waiter.value == "new"
    assert process.read().value == "new"


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_commit_around_the_query_of_a_leader(world: World, process: Process, steps: int):
    leader = process.read().until(Load)
    follower = process.read().until(Wait)
    commit = world.committing("new")
    for _ in range(steps):
        next(commit)
    leader.go()  # the query
    list(commit)
    after = process.read()
    leader.end()
    # It began before the commit did: either will do. Who began after it has no choice.
    assert follower.value == ("new" if steps >= 2 else "old")
    assert after.value == "new"


def test_a_scope_in_doubt_is_left_to_the_database(world: World, process: Process):
    leader = process.read().until(Load)
    commit = world.committing("new")
    next(commit)
    during = process.read()
    assert (during.end().outcome, during.answer.reason) == (Outcome.BYPASS, Reason.IN_DOUBT)
    assert during.asked == ["fetch", "load"]
    list(commit)
    leader.end()


def test_a_snapshot_gets_no_rows_that_are_newer_than_it(world: World, process: Process):
    snapshot = Snapshot()
    leader = process.read().until(Load)
    follower = process.read(snapshot=snapshot, tracked=(A, B)).until(Wait)
    world.commit("new")
    leader.end()
    assert leader.value == "new"
    # Its vector is from before the commit, which the leader's rows have in them.
    follower.until(Load)
    assert follower.asked == ["fetch", "join", "wait", "fetch"]
    follower.go(follower.load())
    assert follower.end().outcome is Outcome.MISS


def test_a_snapshot_that_nothing_has_passed_gets_the_rows(world: World, process: Process):
    snapshot = Snapshot()
    leader = process.read().until(Load)
    follower = process.read(snapshot=snapshot, tracked=(A, B)).until(Wait)
    leader.end()
    assert (follower.outcome, follower.value) == (Outcome.COLLAPSED, "old")
    assert snapshot.to_recheck() == (A, B)


@pytest.mark.parametrize("moved", [False, True])
def test_slices_in_a_snapshot_are_compared_with_their_table(
    world: World, process: Process, moved: bool
):
    of_slice = {"scopes": (A,), "tables": (B,)}
    leader = process.read(**of_slice).until(Load)
    snapshot = Snapshot()
    follower = process.read(**of_slice, snapshot=snapshot, tracked=(A, B)).until(Wait)
    leader.end()
    if moved:
        world.commit("new", B)  # another slice of the table
        follower.until(Load)
    assert follower.outcome is (Outcome.MISS if moved else Outcome.COLLAPSED)
    assert snapshot.to_recheck() == (() if moved else (B,))


def test_rows_of_a_lost_snapshot_are_not_shared(world: World, process: Process):
    snapshot = Snapshot()
    leader = process.read(snapshot=snapshot, tracked=(A, B)).until(Load)
    follower = process.read().until(Wait)
    snapshot.lose()
    assert not leader.end().stored
    follower.until(Load)
    assert follower.outcome is Outcome.MISS


# -- a leader that fails ------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("no such table"), KeyboardInterrupt()])
def test_whoever_waits_for_a_leader_that_fails_loads_by_itself(
    world: World, process: Process, error: BaseException
):
    leader = process.read().until(Load)
    followers = [process.read().until(Wait) for _ in range(2)]
    with pytest.raises(type(error)) as raised:
        leader.go(error)
    assert raised.value is error
    assert len(process.flights) == 0
    for follower in followers:
        follower.until(Load)
        own = ValueError("its own")
        with pytest.raises(ValueError, match="its own"):
            follower.go(own)


def test_a_leader_that_is_closed_lets_the_others_go_on(world: World, process: Process):
    leader, follower = process.read().until(Load), process.read().until(Wait)
    leader.path.close()
    assert follower.outcome is Outcome.MISS
    assert follower.asked == ["fetch", "join", "wait", "load", "save"]


def test_patience_ends_and_the_next_read_leads(world: World, process: Process):
    leader, impatient = process.read().until(Load), process.read()
    impatient.lose_patience()
    impatient.until(Load)
    second, third = process.read().until(Load), process.read().until(Wait)
    assert second.outcome is Outcome.MISS
    assert third.outcome is Outcome.COLLAPSED
    assert leader.outcome is Outcome.MISS
    assert impatient.outcome is Outcome.MISS


def test_what_the_store_did_not_take_is_not_shared(world: World, process: Process):
    leader, follower = process.read().until(Save), process.read().until(Wait)
    leader.go(StoreError("the schema may have changed"))
    assert not leader.end().stored
    follower.until(Load)
    assert follower.outcome is Outcome.MISS


@pytest.mark.parametrize("settings", [{"max_rows": 0}, {"max_bytes": 1}])
def test_nobody_waits_twice_for_what_cannot_be_stored(
    world: World, process: Process, settings: dict[str, Any]
):
    leader, follower = process.read(**settings).until(Load), process.read().until(Wait)
    assert leader.end().reason is Reason.TOO_LARGE
    follower.until(Load)
    alone, beside = process.read(**settings).until(Load), process.read().until(Load)
    assert alone.end().reason is Reason.TOO_LARGE
    assert beside.end().stored
    world.commit("new")
    # It could be stored, so the next ones wait again.
    leader = process.read().until(Load)
    assert process.read().until(Wait)
    leader.end()


# -- who takes no part --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"collapse": 0.0},
        {"shadow": True},
        {"not_served": Reason.ASKED},
        {"not_filled": Reason.OWN_WRITES},
    ],
    ids=["never", "shadow", "refresh", "own writes"],
)
def test_who_takes_no_part(world: World, process: Process, settings: dict[str, Any]):
    leader = process.read().until(Load)
    assert process.read(**settings).until(Load).asked == ["fetch"]
    leader.end()


def test_a_thread_does_not_wait_for_itself(process: Process):
    leader = process.read(thread=1).until(Load)
    assert process.read(thread=1).until(Load).asked == ["fetch", "join"]
    leader.end()


def test_who_holds_a_connection_waits_only_for_one_that_does(process: Process):
    leader = process.read().until(Load)
    assert process.read(holds=True).until(Load)
    assert process.read(holds=False).until(Wait)
    leader.end()
    leader = process.read(key="g", holds=True).until(Load)
    assert process.read(key="g", holds=True).until(Wait)
    leader.end()


# -- across processes ---------------------------------------------------------------------------


def test_one_of_all_processes_loads(world: World):
    processes = [world.process() for _ in range(3)]
    leaders = [each.read(across_processes=True) for each in processes]
    leaders[0].until(Load)
    for leader in leaders[1:]:
        leader.until(Pause).go()
        leader.until(Pause)
    followers = [each.read(across_processes=True).until(Wait) for each in processes]
    assert leaders[0].outcome is Outcome.MISS
    assert [leader.outcome for leader in leaders[1:]] == [Outcome.COLLAPSED] * 2
    assert [follower.outcome for follower in followers] == [Outcome.COLLAPSED] * 3
    assert leaders[0].asked == ["fetch", "join", "claim", "load", "save"]
    assert world.loads == 1


def test_who_missed_the_entry_of_another_process_finds_its_lease(world: World):
    loader, late = (world.process().read(across_processes=True) for _ in range(2))
    late.until(Join)
    loader.end()
    assert late.outcome is Outcome.COLLAPSED
    assert world.loads == 1


def test_a_process_that_dies_holds_the_others_up_until_its_lease_runs_out(world: World):
    dead = world.process().read(across_processes=True).until(Load)
    waiting = world.process().read(across_processes=True)
    begun = world.clock()
    assert waiting.outcome is Outcome.MISS
    assert world.clock() - begun == pytest.approx(SECONDS / 2)
    assert world.loads == 1
    dead.path.close()
    world.commit("new")
    assert world.process().read(across_processes=True).value == "new"


def test_what_another_process_loaded_later_is_right_for_all(world: World):
    here, there = world.process(), world.process()
    loader = there.read(across_processes=True).until(Load)
    leader = here.read(across_processes=True).until(Pause)
    follower = here.read(across_processes=True).until(Wait)
    world.commit("new")
    assert there.read(across_processes=True).value == "new"
    assert (leader.outcome, leader.value) == (Outcome.COLLAPSED, "new")
    assert (follower.outcome, follower.value) == (Outcome.COLLAPSED, "new")
    assert loader.end().stored
    assert here.read().value == "new"


@pytest.mark.parametrize("moment", [Claim, Pause])
def test_a_store_that_fails_means_loading(world: World, moment: type[Effect]):
    other = world.process().read(across_processes=True).until(Load)
    reader = world.process().read(across_processes=True).until(moment)
    if moment is Pause:
        reader.go()
    reader.go(StoreError("down"))
    assert isinstance(reader.effect, Load)
    assert reader.outcome is Outcome.MISS
    other.end()
