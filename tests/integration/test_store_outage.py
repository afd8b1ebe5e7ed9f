"""
What does the Redis store do when its server stops, freezes, comes back, or talks nonsense?
"""

import asyncio
import contextlib
import os
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
import redis

from ormcache.errors import StoreError, StoreRecoveringError
from ormcache.model import Intent, Scope
from ormcache.stores import open_store
from ormcache.stores.guarded import GuardedStore
from ormcache.stores.redis import RedisStore
from ormcache.testing import servers
from ormcache.testing.clock import MovableClock

A = Scope("app/public.users")
B = Scope("app/public.orders")
OURS = tuple(source for source in servers.SOURCES if source != "environment")

# What a healthy operation may take on a busy machine, and what a failing one is given.
PATIENT = 10
SHORT = 0.2


@pytest.fixture(scope="module")
def private():
    with servers.redis(persist=True, sources=OURS) as server:
        yield server


@pytest.fixture
def server(private):
    yield private
    with contextlib.suppress(Exception):
        private.resume()
    with contextlib.suppress(Exception):
        private.start()


def intent(*scopes):
    return Intent.of(frozenset(scopes))


def redis_store(server, name, timeout=PATIENT):
    return RedisStore.from_url(server.url, name, timeout=timeout)


def guarded(store, **settings):
    clock = MovableClock()
    settings.setdefault("recovery_grace", 0)
    return GuardedStore(store, background=False, clock=clock, **settings), clock


@contextlib.contextmanager
def paused(server):
    server.pause()
    try:
        yield
    finally:
        server.resume()


@contextlib.contextmanager
def stopped(server):
    server.stop()
    try:
        yield
    finally:
        server.start()


def test_no_operation_outlives_a_server_that_is_frozen(server):
    store = redis_store(server, "frozen", SHORT)
    redis_store(server, "frozen").fetch(None, (A,))
    with paused(server):
        for operation in (
            lambda: store.fetch("fingerprint", (A,)),
            lambda: store.save("fingerprint", b"rows", 60),
            lambda: store.announce(intent(A), 60),
            lambda: store.settle(intent(A)),
            store.clear,
            store.info,
        ):
            with pytest.raises(StoreError):
                operation()


def test_after_a_timeout_no_read_gets_the_answer_of_another(server):
    store = redis_store(server, "mixed-up", SHORT)
    patient = redis_store(server, "mixed-up")
    for number in range(8):
        patient.save(f"f{number}", b"rows of %d" % number, 600)
    states = patient.fetch(None, (A, B)).tokens
    store.fetch("f0", (A,))
    answers = 0
    for number in range(7):
        with paused(server), pytest.raises(StoreError):
            store.fetch(f"f{number}", (A, B))
        # The first may still find the machine busy; what counts is whose answer it gets.
        with contextlib.suppress(StoreError):
            assert store.fetch(f"f{number + 1}", (A, B)) == (b"rows of %d" % (number + 1), states)
            answers += 1
    assert answers


def test_a_server_that_is_gone_is_a_store_error_and_its_return_is_noticed(server):
    store = redis_store(server, "gone")
    store.fetch(None, (A,))
    with stopped(server), pytest.raises(StoreError, match=r"127\.0\.0\.1"):
        store.fetch(None, (A,))
    assert not store.fetch(None, (A,)).tokens[0].in_doubt


def test_a_restart_is_no_outage_for_connections_that_were_idle(server):
    store = redis_store(server, "restart")
    store.fetch(None, (A,))
    with stopped(server):
        pass
    assert len(store.fetch("fingerprint", (A,)).tokens) == 1
    store.announce(intent(A), 60)


def test_tokens_of_before_a_restart_are_never_current_again(server):
    # The data came back; but from when? Here it is an append-only file that lacks nothing, while a
    # snapshot lacks the bumps of its last minutes: old tokens beside the old entries they match.
    store = redis_store(server, "rollback")
    store.save("fingerprint", b"rows", 600)
    before = store.fetch("fingerprint", (A, B))
    with stopped(server):
        pass
    after = store.fetch("fingerprint", (A, B))
    assert after.entry == b"rows"
    assert not {state.token for state in before.tokens} & {state.token for state in after.tokens}
    # Every other connection, of whatever process, calls them the same.
    assert redis_store(server, "rollback").fetch("fingerprint", (A, B)) == after


def test_an_open_intent_survives_a_restart(server):
    store = redis_store(server, "intent")
    mine = intent(A)
    store.announce(mine, 600)
    with stopped(server):
        pass
    assert store.fetch(None, (A,)).tokens[0].in_doubt
    store.settle(mine)
    assert not store.fetch(None, (A,)).tokens[0].in_doubt


def test_a_restart_is_noticed_by_the_first_answer_after_it(server):
    store, clock = guarded(redis_store(server, "noticed"), recovery_grace=5.0)
    other = redis_store(server, "noticed")
    store.settle(intent(A))
    (before,) = other.fetch(None, (A,)).tokens
    with stopped(server):
        pass
    (after,) = other.fetch(None, (A,)).tokens
    assert before.token[:16] == after.token[:16], "the data came back"
    with pytest.raises(StoreRecoveringError):
        store.fetch(None, (A,))
    assert store.info()["debt"] == "1 scopes"
    with pytest.raises(StoreRecoveringError):
        store.fetch(None, (A,))
    assert store.info()["debt"] == "0 scopes"
    (told_again,) = other.fetch(None, (A,)).tokens
    assert told_again.token[:16] != after.token[:16]
    clock.advance(5.0)
    assert store.fetch(None, (A,)).tokens == (told_again,)


def test_a_failover_is_noticed_at_an_address_that_stays(server):
    with servers.redis(sources=OURS) as second, a_way_to(server) as way:
        store, _ = guarded(RedisStore.from_url(way.url, "failover", timeout=PATIENT))
        replica = redis_store(second, "failover")
        store.settle(intent(A))
        (before,) = replica.fetch(None, (A,)).tokens
        way.lead_to(second)
        with pytest.raises(StoreRecoveringError):
            store.fetch(None, (A,))
        (after,) = store.fetch(None, (A,)).tokens
        assert after.token != before.token
        assert replica.fetch(None, (A,)).tokens == (after,)


def test_a_connection_to_the_server_that_was_replaced_is_not_used_again(server):
    with servers.redis(sources=OURS) as second, a_way_to(server) as way:
        store = RedisStore.from_url(way.url, "replaced", timeout=PATIENT)
        store.save("fingerprint", b"old rows", 600)
        busy = store._wire.take()
        way.lead_to(second, hang_up=False)
        assert store.fetch("fingerprint", ()).entry is None
        # Another thread's operation ends meanwhile, over the connection it had.
        ends = time.monotonic() + PATIENT
        ended = store._wire._use(busy, store._say.fetch("fingerprint", ()), ends)
        assert ended.entry == b"old rows"
        assert store.fetch("fingerprint", ()).entry is None


def test_a_connection_of_another_loop_to_the_server_that_was_replaced_is_not_used_again(server):
    async def entry(store):
        return (await store.fetch("fingerprint", ())).entry

    with servers.redis(sources=OURS) as second, a_way_to(server) as way:
        redis_store(server, "replaced-async").save("fingerprint", b"old rows", 600)
        first, other = asyncio.new_event_loop(), asyncio.new_event_loop()
        store = RedisStore.from_url(way.url, "replaced-async", timeout=PATIENT).asynchronous()
        assert first.run_until_complete(entry(store)) == b"old rows"
        way.lead_to(second, hang_up=False)
        assert other.run_until_complete(entry(store)) is None
        assert first.run_until_complete(entry(store)) is None
        for loop in (first, other):
            loop.run_until_complete(store.close())
            loop.close()


class Way:
    """
    An address that leads to one server and then to another, as that of a managed service does.
    """

    def __init__(self, to: servers.Server) -> None:
        self._to = to
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, to: servers.Server, *, hang_up: bool = True) -> None:
        self._to = to
        if hang_up:
            self._hang_up()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                address = urlsplit(self._to.url)
                theirs = socket.create_connection((address.hostname, address.port))
                self._open += [ours, theirs]
                for source, sink in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=_copy, args=(source, sink), daemon=True).start()

    def _hang_up(self) -> None:
        while self._open:
            ended = self._open.pop()
            with contextlib.suppress(OSError):
                ended.shutdown(socket.SHUT_RDWR)
            ended.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


@contextlib.contextmanager
def a_way_to(server):
    way = Way(server)
    try:
        yield way
    finally:
        way.close()


@contextlib.contextmanager
def scripts_forbidden(client):
    """
    An outage of half the server: invalidations are refused while reads would be answered.
    """
    client.execute_command("ACL", "SETUSER", "half", "-evalsha", "-eval")
    try:
        yield
    finally:
        client.execute_command("ACL", "SETUSER", "half", "+evalsha", "+eval")


@pytest.fixture
def half(server):
    """
    A client that may do everything, and the URL of a user for `scripts_forbidden`.
    """
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "half", "on", "nopass", "~*", "+@all")
        yield client, server.url.replace("redis://", "redis://half:any@")
        client.acl_deluser("half")


def test_a_missed_invalidation_arrives_before_the_next_answer(server, half):
    client, url = half
    store, clock = guarded(RedisStore.from_url(url, "debt", timeout=PATIENT))
    other = redis_store(server, "debt")
    other.save("fingerprint", b"old rows", 600)
    (before,) = store.fetch("fingerprint", (A,)).tokens
    with scripts_forbidden(client):
        for operation in (lambda: store.announce(intent(A), 600), lambda: store.settle(intent(A))):
            with pytest.raises(StoreError):
                operation()
        assert other.fetch("fingerprint", (A,)) == (b"old rows", (before,))
        with pytest.raises(StoreError):
            store.fetch("fingerprint", (A,))
        assert store.info()["debt"] == "1 scopes"
    clock.advance(60)
    entry, (after,) = store.fetch("fingerprint", (A,))
    assert entry == b"old rows"
    assert not after.in_doubt
    assert after.token != before.token
    assert other.fetch(None, (A,)).tokens == (after,)
    assert store.info()["debt"] == "0 scopes"


def test_a_save_that_lands_after_a_missed_settle_is_never_current(server, half):
    client, url = half
    store, clock = guarded(RedisStore.from_url(url, "late", timeout=PATIENT))
    (read_under,) = store.fetch("fingerprint", (A,)).tokens
    with scripts_forbidden(client):
        with pytest.raises(StoreError):
            store.settle(intent(A))
        store.save("fingerprint", b"old rows", 600)
    clock.advance(60)
    entry, (now,) = store.fetch("fingerprint", (A,))
    assert entry == b"old rows"
    assert now.token != read_under.token


def fill(store, size):
    for number in range(10_000):
        store.save(f"{size}-{number}", b"x" * size, 600)


def test_a_full_server_refuses_entries_but_no_invalidation():
    settings = {"maxmemory": "3mb", "maxmemory-policy": "noeviction"}
    with servers.redis(settings=settings, sources=OURS) as server:
        store = redis_store(server, "full")
        (before,) = store.fetch(None, (A,)).tokens
        for size in (100_000, 1000, 10):
            with pytest.raises(StoreError, match="maxmemory"):
                fill(store, size)
        mine = intent(A)
        with pytest.raises(StoreError, match="maxmemory"):
            store.announce(mine, 600)
        assert store.fetch(None, (A,)).tokens == (before,)
        store.settle(mine)
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "100mb")
        (after,) = store.fetch(None, (A,)).tokens
        assert after.token != before.token
        assert not after.in_doubt


def test_a_policy_that_evicts_tokens_is_a_problem():
    with servers.redis(settings={"maxmemory-policy": "allkeys-lru"}, sources=OURS) as server:
        told = open_store(server.url, "policy", timeout=PATIENT).info()
        assert "volatile" in told["problem"]
        assert told["eviction"] == "allkeys-lru"


def test_a_good_policy_is_none(server):
    told = open_store(server.url, "policy", timeout=PATIENT).info()
    assert "problem" not in told
    assert told["version"][0].isdigit()
    assert int(told["used_bytes"]) > 0


def test_a_replica_is_refused(server):
    port = server.url.rpartition(":")[2].split("/")[0]
    with servers.redis(sources=OURS) as second:
        with redis.Redis.from_url(second.url) as client:
            client.replicaof("127.0.0.1", port)
        with pytest.raises(StoreError, match="name the primary"):
            redis_store(second, "replica").fetch(None, (A,))


def test_a_user_without_info_is_told_so(server):
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "plain", "on", ">pw", "~*", "+@all", "-info")
        url = server.url.replace("redis://", "redis://plain:pw@")
        with pytest.raises(StoreError, match="info") as caught:
            RedisStore.from_url(url, "acl", timeout=PATIENT).fetch(None, (A,))
        assert "pw@" not in str(caught.value)
        client.execute_command("ACL", "SETUSER", "plain", "+info")
        RedisStore.from_url(url, "acl", timeout=PATIENT).fetch(None, (A,))
        client.acl_deluser("plain")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_takes_connections_of_its_own(server):
    store = redis_store(server, "fork")
    (before,) = store.fetch(None, (A,)).tokens
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            same = all(store.fetch(None, (A,)).tokens == (before,) for _ in range(200))
            code = 0 if same else 2
        os._exit(code)
    for number in range(200):
        store.save(f"f{number}", b"rows", 60)
        assert store.fetch(f"f{number}", ()) == (b"rows", ())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()
    assert store.fetch(None, (A,)).tokens == (before,)


NONSENSE = (
    b"",
    b"\x00" * 100,
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"$-7\r\n",
    b"$abc\r\n",
    b"*3\r\n:1\r\n:2\r\n:3\r\n",
    b"$9\r\nrun_id:ab\r\n" + b"*1\r\n$1\r\nx\r\n",
    b"$9\r\nrun_id:ab\r\n" + b"+OK\r\n",
    b"$9\r\nrun_id:ab\r\n" + b"*2\r\n*1\r\n:1\r\n:5\r\n" + b"*1\r\n:5\r\n",
    b"-ERR whatever\r\n",
    b":1\r\n",
    b"$5\r\nhello\r\n",
)


@contextlib.contextmanager
def stranger(talk):
    """
    Something that listens where a Redis should, and calls *talk* with each connection.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_is_a_store_error(nonsense):
    def talk(connection):
        connection.recv(4096)
        connection.sendall(nonsense)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass

    with stranger(talk) as url, pytest.raises(StoreError):
        RedisStore.from_url(url, "nonsense", timeout=PATIENT).fetch("fingerprint", (A,))


def test_an_answer_that_trickles_in_for_ever_ends_at_the_deadline():
    enough = threading.Event()

    def talk(connection):
        connection.recv(4096)
        connection.sendall(b"$1000000\r\n")
        while not enough.wait(0.01):
            connection.sendall(b"x")

    with stranger(talk) as url:
        try:
            with pytest.raises(StoreError):
                RedisStore.from_url(url, "trickle", timeout=SHORT).fetch("fingerprint", (A,))
        finally:
            enough.set()
