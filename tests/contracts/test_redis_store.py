"""
Does the Redis store keep the contract of stores, and live with what else may be under its keys?
"""

import gc
import weakref

import pytest
import redis

from ormcache.model import Intent, Scope, slice_scope
from ormcache.stores.layout import Layout
from ormcache.stores.redis import RedisStore
from ormcache.testing.async_store_contract import AsyncStoreContract
from ormcache.testing.store_contract import A, B, StoreContract

# Generous: these tests are about answers, and the machine may be busy.
TIMEOUT = 10

GARBAGE = (
    b"",
    b"5",
    b"hello world",
    b"\xff\x00\xfe",
    b"aaaaaaaaaaaaaaaa|",
    b"aaaaaaaaaaaaaaaa|lease",
    b"aaaaaaaaaaaaaaaa|lease:soon",
    b"aaaaaaaaaaaaaaaa|lease:1|",
    b"aaaaaaaaaaaaaaaa|lease:1\n",
    b"aaaaaaaaaaaaaaaa\n",
    b"aaaaaaaaaaaaaaaaa",
    b"x" * 100_000,
)


class TestRedisStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server):
        self.url = redis_server.url
        with redis.Redis.from_url(redis_server.url) as self.client:
            yield

    def open_store(self, namespace):
        return RedisStore.from_url(self.url, namespace, timeout=TIMEOUT)

    def evict(self, store, scope):
        assert self.client.delete(store._layout.token(scope)) == 1

    def test_the_token_of_a_quiet_slice_has_an_end_and_no_other(self):
        store = self.fresh_store()
        piece = slice_scope(A, "id", "5")

        def ends() -> tuple[bool, bool]:
            left = [self.client.pttl(store._layout.token(scope)) for scope in (A, piece)]
            assert -2 not in left
            return left[0] > 0, left[1] > 23 * 3600 * 1000

        store.fetch(None, (A, piece))
        assert ends() == (False, True)
        intent, another = Intent.of(frozenset({A, piece})), Intent.of(frozenset({A, piece}))
        store.announce(intent, 60)
        assert ends() == (False, False)
        store.announce(another, 60)
        store.settle(intent)
        assert ends() == (False, False)
        store.settle(another)
        assert ends() == (False, True)

    def test_a_quiet_fetch_is_one_command(self):
        store = self.fresh_store()
        store.fetch("fingerprint", (A, B))
        before = self.client.info("commandstats")
        store.fetch("fingerprint", (A, B))
        after = self.client.info("commandstats")
        calls = {
            name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after
        }
        assert {name: count for name, count in calls.items() if count and "info" not in name} == {
            "cmdstat_mget": 1
        }

    def test_a_store_that_is_dropped_leaves_no_socket_to_the_garbage_collector(self):
        store = self.fresh_store()
        store.fetch(None, (A,))
        gc.collect()
        gc.disable()
        try:
            (link,) = store._wire._idle
            connection = weakref.ref(link._connection)
            del store, link
            assert connection() is None
        finally:
            gc.enable()

    @pytest.mark.parametrize("garbage", GARBAGE)
    def test_what_is_no_token_is_replaced(self, garbage):
        store = self.fresh_store()
        name = store._layout.token(A)
        self.client.set(name, garbage)
        first, other = store.fetch(None, (A, B)).tokens
        assert not first.in_doubt
        assert store.fetch(None, (A, B)).tokens == (first, other)
        assert len(self.client.get(name)) == 16

    @pytest.mark.parametrize("operation", ["fetch", "announce", "settle"])
    def test_a_key_of_another_type_is_replaced(self, operation):
        store = self.fresh_store()
        name = store._layout.token(A)
        self.client.rpush(name, b"a", b"list")
        intent = Intent.of(frozenset((A,)))
        match operation:
            case "announce":
                store.announce(intent, 60)
            case "settle":
                store.settle(intent)
        (state,) = store.fetch(None, (A,)).tokens
        assert state.in_doubt == (operation == "announce")
        assert self.client.type(name) == b"string"

    def test_an_entry_of_another_type_is_a_miss(self):
        store = self.fresh_store()
        self.client.rpush(store._layout.entry("fingerprint"), b"a")
        assert store.fetch("fingerprint", (A,)).entry is None
        store.save("fingerprint", b"rows", 60)
        assert store.fetch("fingerprint", (A,)).entry == b"rows"

    def test_tokens_have_no_ttl_and_entries_have_one(self):
        store = self.fresh_store()
        store.fetch(None, (A,))
        store.settle(Intent.of(frozenset((B,))))
        store.save("fingerprint", b"rows", 60)
        store.save("forever", b"rows", float("inf"))
        assert self.client.ttl(store._layout.token(A)) == -1
        assert self.client.ttl(store._layout.token(B)) == -1
        assert 0 < self.client.pttl(store._layout.entry("fingerprint")) <= 60_000
        assert self.client.ttl(store._layout.entry("forever")) > 0

    def test_the_scripts_are_sent_again_when_the_server_forgot_them(self):
        store = self.fresh_store()
        intent = Intent.of(frozenset((A,)))
        before = store.fetch(None, (A,)).tokens
        self.client.script_flush()
        store.announce(intent, 60)
        self.client.script_flush()
        (announced,) = store.fetch(None, (A,)).tokens
        self.client.script_flush()
        store.settle(intent)
        (settled,) = store.fetch(None, (A,)).tokens
        assert len({before[0].token, announced.token, settled.token}) == 3
        assert announced.in_doubt
        assert not settled.in_doubt

    def test_clear_takes_nothing_that_is_not_ours(self):
        store = self.fresh_store()
        namespace = Layout(store._layout.namespace).namespace
        foreign = [f"ormcache:{namespace}", f"{namespace}:t:x", f"ormcache:{namespace}2:t:x"]
        for name in foreign:
            self.client.set(name, b"kept")
        store.save("fingerprint", b"rows", 60)
        store.fetch(None, (A,))
        store.clear()
        assert self.client.mget(foreign) == [b"kept"] * len(foreign)
        assert list(self.client.scan_iter(match=f"ormcache:{namespace}:*")) == []
        self.client.delete(*foreign)

    def test_a_fetch_with_thousands_of_scopes_is_still_one_answer(self):
        store = self.fresh_store()
        scopes = tuple(Scope(f"app/t{number}") for number in range(5000))
        first = store.fetch("fingerprint", scopes)
        assert len({state.token for state in first.tokens}) >= 1
        assert store.fetch("fingerprint", scopes) == first


class TestAsyncRedisStore(AsyncStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server):
        self.url = redis_server.url
        with redis.Redis.from_url(redis_server.url) as self.client:
            yield

    def open_async_store(self, namespace):
        return RedisStore.from_url(self.url, namespace, timeout=TIMEOUT).asynchronous()

    def evict(self, store, scope):
        assert self.client.delete(store.store._layout.token(scope)) == 1
