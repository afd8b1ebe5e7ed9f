"""
Slots that move, nodes that freeze, primaries that are none any more: whom is to be believed?
"""

import contextlib
from functools import partial

import pytest
from redis.crc import key_slot

from ormcache.errors import StoreError
from ormcache.model import Intent, Scope
from ormcache.stores import open_store
from ormcache.stores.cluster import ClusterStore
from ormcache.stores.layout import ClusterLayout
from ormcache.stores.redis import RedisStore
from ormcache.testing.servers import topologies

A = Scope("app/public.users")
SLICE = Scope("app/public.users#id=7")
B = Scope("app/public.orders")
TIMEOUT = 10
SHORT = 0.3


def intent(*scopes):
    return Intent.of(frozenset(scopes))


class Moving:
    """
    A slot on its way from the node that serves it to another one.
    """

    def __init__(self, cluster, slot):
        self.cluster, self.slot = cluster, str(slot)
        self.source = cluster.owner(slot)
        self.target = next(each for each in cluster.primaries() if each is not self.source)
        self._ask(self.target, "IMPORTING", self._id(self.source))
        self._ask(self.source, "MIGRATING", self._id(self.target))

    def move(self, *keys):
        host, port = self.target.url.split("//")[1].split("/")[0].split(":")
        for key in keys:
            moved = self.cluster.ask(self.source, "MIGRATE", host, port, key, "0", "5000")
            assert moved == "OK", (key, moved)

    def end(self):
        for node in (self.target, self.source):
            self._ask(node, "NODE", self._id(self.target))

    def _id(self, node):
        return self.cluster.ask(node, "CLUSTER", "MYID")

    def _ask(self, node, state, other):
        assert self.cluster.ask(node, "CLUSTER", "SETSLOT", self.slot, state, other)


@pytest.fixture(params=["sync", "async"])
def make_store(request, cluster):
    """
    Opens stores, used from here as from a thread whatever they are.
    """
    if request.param == "sync":
        return lambda name: ClusterStore.from_url(cluster.url, name, timeout=TIMEOUT)
    carry = request.getfixturevalue("carry")
    return lambda name: carry(ClusterStore.from_url(cluster.url, name, timeout=TIMEOUT))


def test_scopes_of_a_table_share_a_slot_and_entries_do_not():
    layout = ClusterLayout("shop")
    table = {key_slot(layout.token(scope)) for scope in (A, SLICE, Scope("app/public.users!bulk"))}
    assert len(table) == 1
    assert key_slot(layout.token(B)) not in table
    assert len({key_slot(layout.entry(f"{number:040x}")) for number in range(100)}) > 90


def test_an_entry_is_found_while_its_slot_moves_and_afterwards(cluster, make_store):
    store = make_store("moving-entry")
    store.save("fingerprint", b"rows", 600)
    before = store.fetch("fingerprint", (A,))
    key = ClusterLayout("moving-entry").entry("fingerprint").decode()
    moving = Moving(cluster, key_slot(key.encode()))
    moving.move(key)
    assert store.fetch("fingerprint", (A,)) == before
    moving.end()
    assert store.fetch("fingerprint", (A,)) == before
    store.save("fingerprint", b"new rows", 600)
    assert store.fetch("fingerprint", (A,)).entry == b"new rows"


def test_tokens_are_bumped_while_their_slot_moves_and_afterwards(cluster, make_store):
    store = make_store("moving-token")
    seen = {store.fetch(None, (A,)).tokens[0].token}
    key = ClusterLayout("moving-token").token(A).decode()
    moving = Moving(cluster, key_slot(key.encode()))
    moving.move(key)
    for step in (lambda: None, moving.end, lambda: None):
        mine = intent(A)
        store.announce(mine, 60)
        announced, again = store.fetch(None, (A, A)).tokens
        assert announced.in_doubt
        assert announced == again
        step()
        store.settle(mine)
        (settled,) = store.fetch(None, (A,)).tokens
        assert not settled.in_doubt
        assert not seen & {announced.token, settled.token}
        seen |= {announced.token, settled.token}


def test_a_table_whose_scopes_are_apart_for_the_moment_is_a_store_error(cluster, make_store):
    store = make_store("apart")
    before = store.fetch(None, (A, SLICE, B)).tokens
    layout = ClusterLayout("apart")
    moving = Moving(cluster, key_slot(layout.token(A)))
    moving.move(layout.token(A).decode())
    with pytest.raises(StoreError, match="TryAgain"):
        store.fetch(None, (A, SLICE))
    # What can be told is told all the same.
    with pytest.raises(StoreError, match="TryAgain"):
        store.settle(intent(A, SLICE, B))
    assert store.fetch(None, (B,)).tokens != before[2:]
    moving.move(layout.token(SLICE).decode())
    moving.end()
    store.settle(intent(A, SLICE))
    after = store.fetch(None, (A, SLICE)).tokens
    assert not {state.token for state in before} & {state.token for state in after}


def test_one_deadline_bounds_all_nodes(cluster):
    store = ClusterStore.from_url(cluster.url, "frozen", timeout=SHORT)
    patient = ClusterStore.from_url(cluster.url, "frozen", timeout=TIMEOUT)
    scopes = tuple(Scope(f"app/public.t{number}") for number in range(30))
    before = patient.fetch(None, scopes).tokens
    with contextlib.ExitStack() as paused:
        for node in cluster.servers:
            node.pause()
            paused.callback(node.resume)
        with pytest.raises(StoreError):
            store.fetch("fingerprint", scopes)
        with pytest.raises(StoreError):
            store.settle(intent(*scopes))
    cluster.wait_until_whole()
    assert len(patient.fetch("fingerprint", scopes).tokens) == len(before)


def test_a_url_of_the_wrong_kind_says_so(cluster, redis_server, service):
    node = cluster.servers[0].url
    with pytest.raises(StoreError, match=r"redis\+cluster://"):
        RedisStore.from_url(node, "wrong", timeout=TIMEOUT).info()
    alone = redis_server.url.replace("redis://", "redis+cluster://")
    with pytest.raises(StoreError, match="cluster"):
        ClusterStore.from_url(alone, "wrong", timeout=TIMEOUT).info()
    other = service.url.replace("/shop/", "/shoop/")
    with pytest.raises(StoreError, match="none named any"):
        RedisStore.from_url(other, "wrong", timeout=TIMEOUT).info()


def test_a_primary_that_wakes_up_too_late_is_not_believed():
    with topologies.sentinels() as service:
        idle = RedisStore.from_url(service.url, "late", timeout=TIMEOUT)
        other = RedisStore.from_url(service.url, "late", timeout=TIMEOUT)
        idle.save("fingerprint", b"old rows", 600)
        (old,) = idle.fetch("fingerprint", (A,)).tokens
        frozen = service.primary()
        frozen.pause()
        try:
            service.wait_for(lambda: service.primary() is not frozen, "nobody has taken over")
            service.wait_for(lambda: named_by_most(service) is not frozen, "no majority")
            other.settle(intent(A))
            (new,) = other.fetch(None, (A,)).tokens
        finally:
            frozen.resume()
        # Its connections are open, and it would answer.
        assert idle.fetch(None, (A,)).tokens == (new,)
        assert new.token != old.token


def test_a_server_that_is_demoted_under_an_open_connection_is_not_believed_for_long(redis_server):
    with topologies.sentinels(count=1) as service:
        first, second = service.servers
        store = RedisStore.from_url(first.url, "demoted", timeout=TIMEOUT)
        store.fetch(None, (A,))
        service.ask(second, "REPLICAOF", "NO", "ONE")
        service.ask(first, "REPLICAOF", *second.url.split("//")[1].split("/")[0].split(":"))

        def refused():
            try:
                store.fetch(None, (A,))
            except StoreError as exc:
                return "replica" in str(exc)
            return False

        service.wait_for(refused, "it is still believed")


def named_by_most(service):
    named = [
        service.ask(each, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service.service)[1]
        for each in service.sentinels
    ]
    port = max(set(named), key=named.count)
    return next(each for each in service.servers if f":{port}/" in each.url)


def test_the_guard_hears_of_a_takeover():
    with topologies.sentinels() as service:
        store = open_store(service.url, "heard", timeout=1, recovery_grace=600)
        store.fetch(None, (A,))
        first = service.primary()
        service.ask(service.sentinels[0], "SENTINEL", "FAILOVER", service.service)
        service.wait_for(lambda: named_by_most(service) is not first, "nobody has taken over")

        def recovering():
            try:
                store.fetch(None, (A,))
            except StoreError as exc:
                return "is back" in str(exc)
            return False

        service.wait_for(recovering, "the guard has not heard of it")
        store.close()


def test_tokens_of_a_first_reign_are_not_those_of_a_second_by_the_same_server():
    with topologies.sentinels(count=1) as service:
        first, second = service.servers
        before = RedisStore.from_url(first.url, "reigns", timeout=TIMEOUT).fetch(None, (A, B))
        place = second.url.split("//")[1].split("/")[0].split(":")
        service.ask(second, "REPLICAOF", "NO", "ONE")
        service.ask(first, "REPLICAOF", *place)
        service.wait_for(
            lambda: service.ask(first, "INFO", "replication")["master_link_status"] == "up",
            "it did not become a replica",
        )
        service.ask(first, "REPLICAOF", "NO", "ONE")
        after = RedisStore.from_url(first.url, "reigns", timeout=TIMEOUT).fetch(None, (A, B))
        parts = [[state.token.split(b".") for state in found.tokens] for found in (before, after)]
        assert [token for token, _ in parts[0]] == [token for token, _ in parts[1]]
        assert not {reign for _, reign in parts[0]} & {reign for _, reign in parts[1]}


@pytest.mark.parametrize("late", ["announcement", "settlement"])
def test_an_invalidation_may_have_to_reach_a_replica(late, carry):
    with topologies.sentinels(count=1) as service:
        store = RedisStore.from_url(f"{service.url}?wait_replicas=1", "replicas", timeout=5)
        store = store if late == "announcement" else carry(store)
        replica = next(each for each in service.servers if each is not service.primary())
        store.announce(intent(A), 60)
        assert "|" in service.ask(replica, "GET", f"ormcache:replicas:t:{A}")
        replica.pause()
        try:
            operation = (
                store.settle if late == "settlement" else partial(store.announce, lease_seconds=60)
            )
            with pytest.raises(StoreError, match="0 of 1 replicas"):
                operation(intent(B))
        finally:
            replica.resume()


def test_an_invalidation_of_a_cluster_may_have_to_reach_a_replica(cluster):
    store = ClusterStore.from_url(f"{cluster.url}?wait_replicas=1", "replicas", timeout=2)
    with pytest.raises(StoreError, match="0 of 1 replicas"):
        store.settle(intent(A))
    assert len(store.fetch(None, (A, B)).tokens) == 2
