import os

import pytest

from ormcache.model import Intent, Scope, slice_scope
from ormcache.stores import memory
from ormcache.stores.memory import MemoryStore
from ormcache.testing.clock import MovableClock

A = Scope("app/users")


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def store(clock):
    return MemoryStore(max_bytes=100, clock=clock)


def kept(store, *keys):
    return [key for key in keys if store.fetch(key, ()).entry is not None]


def test_the_least_recently_used_makes_room(store):
    for key in "abc":
        store.save(key, b"x" * 30, 60)
    store.fetch("a", ())
    store.save("d", b"x" * 30, 60)
    assert kept(store, "a", "b", "c", "d") == ["a", "c", "d"]
    assert store.info()["used_bytes"] == "90"


def test_one_that_is_too_large_replaces_only_its_own_predecessor(store):
    store.save("a", b"x", 60)
    store.save("b", b"x", 60)
    store.save("a", b"x" * 101, 60)
    assert kept(store, "a", "b") == ["b"]
    store.save("b", b"x" * 100, 60)
    assert kept(store, "b") == ["b"]


def test_a_ttl_ends_to_the_second(store, clock):
    store.save("a", b"x", 60)
    clock.advance(59.9)
    assert kept(store, "a")
    clock.advance(0.1)
    assert not kept(store, "a")
    assert store.info()["used_bytes"] == "0"


def test_a_lease_ends_to_the_second(store, clock):
    store.announce(Intent("writer", (A,)), 30)
    (announced,) = store.fetch(None, (A,)).tokens
    clock.advance(29.9)
    assert store.fetch(None, (A,)).tokens == (announced,)
    clock.advance(0.1)
    (reaped,) = store.fetch(None, (A,)).tokens
    assert not reaped.in_doubt
    assert reaped.token != announced.token


def test_an_entry_can_be_evicted(store):
    store.save("a", b"x", 60)
    store.evict_entry("a")
    store.evict_entry("a")
    assert not kept(store, "a")
    assert store.info()["entries"] == "0"


def test_an_entry_is_a_copy(store):
    entry = bytearray(b"rows")
    store.save("a", entry, 60)
    entry[:] = b"lies"
    assert store.fetch("a", ()).entry == b"rows"


def test_repr(store):
    store.save("a", b"xyz", 60)
    assert repr(store) == "<MemoryStore 1 entries, 3/100 bytes>"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_empty_whatever_the_parent_was_doing(store):
    store.save("a", b"rows", 60)
    (before,) = store.fetch(None, (A,)).tokens
    with store._lock:
        child = os.fork()
        if child == 0:
            try:
                fetched = store.fetch("a", (A,))
                empty = fetched.entry is None and fetched.tokens != (before,)
                os._exit(0 if empty and store.info()["used_bytes"] == "0" else 2)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.fetch("a", (A,)) == (b"rows", (before,))


def test_the_oldest_quiet_slices_make_room_and_nothing_else(store, monkeypatch):
    monkeypatch.setattr(memory, "_MOST_SLICES", 3)
    announced, *quiet = (slice_scope(A, "id", str(n)) for n in range(6))
    store.announce(Intent("lease", (A, announced)), 60)
    before = store.fetch(None, (A, announced, *quiet)).tokens
    assert store.info()["scopes"] == "5"
    assert store.fetch(None, (A, announced, *quiet[2:])).tokens == (*before[:2], *before[4:])
    store.settle(Intent("lease", (A, announced)))
    assert store.fetch(None, quiet[3:]).tokens == before[5:]
    assert store.info()["scopes"] == "4"
