import contextlib
import os
import threading

import pytest

from ormcache.errors import ConfigurationError, StoreError, StoreRecoveringError
from ormcache.model import Intent, Scope
from ormcache.stores.guarded import GuardedStore
from ormcache.stores.memory import MemoryStore
from ormcache.testing.clock import MovableClock

A, B, C = (Scope(f"app/{name}") for name in "abc")


class Unreliable(MemoryStore):
    """
    A memory store behind a network that can be cut, for all operations or for some.
    """

    def __init__(self):
        super().__init__(clock=MovableClock())
        self.cut = False
        self.calls = []
        self.meanwhile = None

    def _reach(self, operation):
        self.calls.append(operation)
        if self.cut is True or (self.cut and operation in self.cut):
            raise StoreError("the network is cut")
        if self.meanwhile and operation == "settle":
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()

    def fetch(self, key, scopes):
        self._reach("fetch")
        return super().fetch(key, scopes)

    def save(self, key, entry, ttl, *, absent=False):
        self._reach("save")
        return super().save(key, entry, ttl, absent=absent)

    def announce(self, intent, lease_seconds):
        self._reach("announce")
        super().announce(intent, lease_seconds)

    def settle(self, intent):
        self._reach("settle")
        super().settle(intent)

    def clear(self):
        self._reach("clear")
        super().clear()

    def info(self):
        self._reach("info")
        return super().info()


@pytest.fixture
def inner():
    return Unreliable()


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def store(inner, clock):
    return guard(inner, clock)


def guard(inner, clock, **settings):
    settings.setdefault("recovery_grace", 0)
    return GuardedStore(inner, background=False, clock=clock, **settings)


def intent(*scopes):
    return Intent.of(frozenset(scopes))


def refused(operation, *arguments):
    with pytest.raises(StoreError):
        operation(*arguments)


def token(store, scope):
    return MemoryStore.fetch(store, None, (scope,)).tokens[0].token


def test_an_open_breaker_keeps_calls_from_the_store(store, inner, clock):
    inner.cut = True
    for _ in range(3):
        refused(store.fetch, "key", (A,))
    inner.cut = False
    inner.calls.clear()
    refused(store.fetch, "key", (A,))
    refused(store.save, "key", b"rows", 60)
    refused(store.clear)
    assert inner.calls == []
    clock.advance(1)
    store.fetch("key", (A,))
    store.save("key", b"rows", 60)
    assert inner.calls == ["fetch", "save"]


@pytest.mark.parametrize("missed", ["announce", "settle"])
def test_no_fetch_is_answered_before_what_was_missed_has_arrived(store, inner, missed):
    before = token(inner, A)
    inner.cut = {"announce", "settle"}
    match missed:
        case "announce":
            refused(store.announce, intent(A), 60)
        case "settle":
            refused(store.settle, intent(A))
    refused(store.fetch, "key", (B,))
    assert "fetch" not in inner.calls
    assert token(inner, A) == before
    inner.cut = False
    (state,) = store.fetch("key", (A,)).tokens
    assert state.token != before
    assert store.fetch("key", (A,)).tokens == (state,)
    assert inner.calls[-3:] == ["settle", "fetch", "fetch"]


def test_it_rests_while_the_breaker_is_open_and_not_when_it_may_be_tried(store, inner, clock):
    assert not store.rests()
    inner.cut = True
    for _ in range(3):
        refused(store.fetch, "f", ())
    assert store.rests()
    clock.advance(30.0)
    assert not store.rests()


def test_a_settle_is_tried_even_while_the_breaker_is_open(store, inner):
    before = token(inner, A)
    inner.cut = True
    for _ in range(3):
        refused(store.fetch, None, (A,))
    inner.cut = False
    refused(store.announce, intent(A), 60)
    store.settle(intent(A))
    assert token(inner, A) != before
    assert store.fetch(None, (A,)).tokens[0].token == token(inner, A)
    assert repr(store).startswith("<GuardedStore closed, owes 0 scopes, ")


def test_a_settle_that_arrives_pays_for_its_missed_announce(store, inner):
    inner.cut = {"announce"}
    refused(store.announce, intent(A), 60)
    store.settle(intent(A))
    store.fetch(None, (A,))
    assert inner.calls == ["announce", "settle", "fetch"]


def test_a_settle_pays_for_no_other_scope(store, inner):
    inner.cut = {"announce"}
    refused(store.announce, intent(A, B), 60)
    store.settle(intent(A))
    assert store.info()["debt"] == "1 scopes"


def test_what_is_missed_during_a_settle_is_not_paid_by_it(store, inner):
    inner.meanwhile = lambda: store._guard._owe([A])
    store.settle(intent(A))
    assert store.info()["debt"] == "1 scopes"


def test_what_is_missed_during_a_payment_is_not_lost(store, inner):
    inner.cut = True
    refused(store.settle, intent(A, B))
    inner.cut = False
    inner.meanwhile = lambda: store._guard._owe([B, C])
    refused(store.fetch, None, (A,))
    assert store._guard._debt.due().scopes == {B, C}
    store.fetch(None, (A,))
    assert not store._guard._debt


def test_another_thread_is_not_answered_during_a_payment(store, inner):
    inner.cut = True
    refused(store.settle, intent(A))
    inner.cut = False
    seen = []

    def fetch():
        try:
            seen.append(store.fetch(None, (A,)))
        except StoreError as exc:
            seen.append(exc)

    def meanwhile():
        other = threading.Thread(target=fetch)
        other.start()
        other.join()

    inner.meanwhile = meanwhile
    store.fetch(None, (A,))
    assert isinstance(seen[0], StoreError)


def test_too_much_debt_clears_the_namespace(inner, clock):
    store = guard(inner, clock, debt_limit=2)
    before = token(inner, A)
    inner.save("key", b"old rows", 60)
    inner.cut = True
    refused(store.settle, intent(A, B, C))
    assert store.info()["debt"] == "everything"
    inner.cut = False
    entry, (state,) = store.fetch("key", (A,))
    assert entry is None
    assert state.token != before
    assert store.info()["debt"] == "0 scopes"


def test_a_long_debt_is_paid_in_parts_and_what_arrived_stays_paid(store, inner):
    scopes = [Scope(f"app/t{number:04}") for number in range(1200)]
    before = {scope: token(inner, scope) for scope in scopes}
    inner.cut = True
    refused(store.settle, intent(*scopes))
    inner.cut = False
    inner.calls.clear()

    def cut():
        inner.cut = True

    inner.meanwhile = cut
    refused(store._pay)
    assert store.info()["debt"] == "700 scopes"
    inner.cut = False
    inner.calls.clear()
    refused(store.fetch, None, ())
    assert inner.calls == ["settle"], "a read delivers what fits into one operation, no more"
    assert store.info()["debt"] == "200 scopes"
    store.fetch(None, ())
    assert not [scope for scope in scopes if token(inner, scope) == before[scope]]


def test_a_late_save_under_the_tokens_of_a_missed_settle_is_not_current(store, inner):
    read_under = store.fetch("key", (A,)).tokens
    inner.cut = {"settle"}
    refused(store.settle, intent(A))
    store.save("key", b"old rows", 60)
    inner.cut = False
    entry, tokens = store.fetch("key", (A,))
    assert entry == b"old rows"
    assert tokens[0].token != read_under[0].token


def test_what_is_owed_arrives_without_a_read(inner):
    arrived = threading.Event()
    store = GuardedStore(inner, cooldown=0.01)
    before = token(inner, A)
    inner.cut = True
    refused(store.settle, intent(A))
    inner.cut = False
    inner.meanwhile = arrived.set
    assert arrived.wait(30)
    timer = store._guard._timer
    if timer is not None:
        timer.join()
    assert token(inner, A) != before


def test_closing_delivers_what_is_owed(store, inner):
    inner.cut = True
    refused(store.settle, intent(A))
    inner.cut = False
    store.close()
    assert store.info()["debt"] == "0 scopes"


def test_closing_while_the_store_is_away_is_quiet(inner):
    store = GuardedStore(inner, cooldown=60, longest_cooldown=60)
    inner.cut = True
    refused(store.settle, intent(A))
    timer = store._guard._timer
    store.close()
    timer.join(30)
    assert not timer.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_owes_what_its_parent_owed_and_inherits_no_held_lock(store, inner):
    inner.cut = True
    refused(store.settle, intent(A))
    inner.cut = False
    guard = store._guard
    parts = (guard._debt, guard._breaker, guard._recovery, guard._recent)
    with guard._paying, contextlib.ExitStack() as held:
        for part in parts:
            held.enter_context(part._lock)
        child = os.fork()
        if child == 0:
            try:
                store.fetch(None, (A,))
                os._exit(0 if "settle" in inner.calls[1:] else 2)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store._guard._debt


def test_info_is_told_while_the_store_is_away(store, inner):
    inner.cut = True
    refused(store.settle, intent(A))
    assert store.info() == {
        "problem": "the network is cut",
        "breaker": "closed",
        "breaker_opened": "0",
        "debt": "1 scopes",
        "recovering": "0.0 seconds",
    }
    for _ in range(2):
        refused(store.save, "key", b"rows", 60)
    assert (store.info()["breaker"], store.info()["breaker_opened"]) == ("open", "1")
    assert repr(store).startswith("<GuardedStore open, owes 1 scopes, <MemoryStore")


@pytest.mark.parametrize(
    "settings",
    [
        {"failures": 0},
        {"cooldown": 0},
        {"cooldown": 2.0, "longest_cooldown": 1.0},
        {"recovery_grace": -1},
    ],
)
def test_bad_settings_are_refused(inner, settings):
    with pytest.raises(ConfigurationError, match="cooldown"):
        GuardedStore(inner, **settings)


# -- recovery: other processes, too, may owe something -----------------------------------------


def outage(store, inner, clock, seconds=10.0):
    store.fetch(None, (A,))
    inner.cut = True
    refused(store.fetch, None, (A,))
    clock.advance(seconds)
    inner.cut = False


def recovering(store):
    with pytest.raises(StoreRecoveringError):
        store.fetch(None, (A,))


@pytest.fixture
def careful(inner, clock):
    return guard(inner, clock, recovery_grace=5.0, shortest_outage=0.1)


def test_after_an_outage_nothing_is_read_until_others_had_time_to_deliver(careful, inner, clock):
    outage(careful, inner, clock)
    recovering(careful)
    clock.advance(4.9)
    recovering(careful)
    assert careful.info()["recovering"] == "0.1 seconds"
    clock.advance(0.2)
    careful.fetch(None, (A,))
    assert careful.info()["recovering"] == "0.0 seconds"


def test_an_outage_during_the_wait_is_noticed_and_waited_for_anew(careful, inner, clock):
    outage(careful, inner, clock)
    recovering(careful)
    clock.advance(3)
    inner.cut = True
    with pytest.raises(StoreError):
        careful.fetch(None, (A,))
    clock.advance(1.5)
    inner.cut = False
    recovering(careful)
    clock.advance(2)  # the first wait would be over
    recovering(careful)
    clock.advance(3)
    careful.fetch(None, (A,))


def test_a_commit_that_gets_through_is_where_the_wait_begins(careful, inner, clock):
    outage(careful, inner, clock)
    careful.announce(intent(A), 60)
    careful.settle(intent(A))
    clock.advance(4.9)
    recovering(careful)
    clock.advance(0.2)
    careful.fetch(None, (A,))


def test_what_is_owed_arrives_during_the_wait(careful, inner, clock):
    before = token(inner, A)
    outage(careful, inner, clock)
    inner.cut = True
    refused(careful.settle, intent(A))
    inner.cut = False
    recovering(careful)
    assert token(inner, A) != before
    recovering(careful)


def test_a_silence_too_short_for_a_debt_does_not_take_the_cache_away(careful, inner, clock):
    outage(careful, inner, clock, seconds=0.09)
    careful.fetch(None, (A,))


def test_a_silence_without_a_failure_is_no_outage(careful, clock):
    careful.fetch(None, (A,))
    clock.advance(3600)
    careful.fetch(None, (A,))


def test_a_failure_that_is_heard_of_after_the_next_answer_counts(careful, inner, clock):
    careful.fetch(None, (A,))
    slow = careful._guard.fetch(None, (A,))
    next(slow)
    clock.advance(1)
    careful.fetch(None, (A,))
    with pytest.raises(StoreError):
        slow.throw(StoreError("timed out"))
    recovering(careful)


def test_a_process_that_starts_during_an_outage_waits_too(careful, inner, clock):
    inner.cut = True
    refused(careful.fetch, None, (A,))
    inner.cut = False
    recovering(careful)
    clock.advance(5)
    careful.fetch(None, (A,))


# -- another run of the server ------------------------------------------------------------------


def test_another_run_is_told_again_what_was_settled_lately(careful, inner, clock):
    careful._guard.met("primary", b"first")
    careful.settle(intent(A))
    clock.advance(61)
    careful.settle(intent(B))
    before = [token(inner, A), token(inner, B)]
    careful._guard.met("primary", b"second")
    assert careful.info()["debt"] == "1 scopes"
    recovering(careful)
    assert token(inner, A) == before[0]
    assert token(inner, B) != before[1]
    clock.advance(5)
    careful.fetch(None, (A,))


def test_more_than_can_be_remembered_clears_the_namespace(inner, clock):
    store = guard(inner, clock, debt_limit=2)
    store._guard.met("primary", b"first")
    store.settle(intent(A, B, C))
    store._guard.met("primary", b"second")
    assert store.info()["debt"] == "everything"
    clock.advance(61)
    store.fetch(None, (A,))
    assert "clear" in inner.calls
    store._guard.met("primary", b"third")
    assert store.info()["debt"] == "0 scopes"


def test_an_answer_of_the_run_that_was_just_met_is_not_believed(careful):
    careful._guard.met("primary", b"first")
    answer = careful._store.fetch(None, (A,))
    path = careful._guard.fetch(None, (A,))
    next(path)
    careful._guard.met("primary", b"second")
    with pytest.raises(StoreRecoveringError):
        path.send(answer)


def test_the_same_run_and_another_place_are_nothing_new(careful):
    careful._guard.met("primary", b"first")
    careful.settle(intent(A))
    careful._guard.met("primary", b"first")
    careful._guard.met("elsewhere", b"second")
    careful.fetch(None, (A,))
    assert careful.info()["debt"] == "0 scopes"
