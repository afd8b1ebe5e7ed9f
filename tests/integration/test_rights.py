"""
What becomes of the store where its user lacks a right, or another way of being let in?

The page on topologies lists the commands that a user needs; with exactly these the contract of
stores holds, in `tests/contracts`.
"""

import re

import pytest
import redis

from ormcache.errors import StoreError
from ormcache.model import Intent, Scope
from ormcache.stores import open_store
from ormcache.stores.cluster import ClusterStore
from ormcache.stores.redis import RedisStore
from ormcache.testing import servers
from ormcache.testing.servers import topologies
from tests.fixtures.rights import documented, give_rights

A = Scope("app/public.users")
B = Scope("app/public.orders")
TIMEOUT = 10

OPERATIONS = {
    "hit": lambda store: store.fetch("fingerprint", (A,)),
    "first fetch": lambda store: store.fetch(None, (Scope("app/public.new"),)),
    "save": lambda store: store.save("fingerprint", b"rows", 60),
    "announce": lambda store: store.announce(Intent.of(frozenset((B,))), 60),
    "settle": lambda store: store.settle(Intent.of(frozenset((B,)))),
    "clear": lambda store: store.clear(),
    "info": lambda store: store.info(),
}
SCRIPTS = {"first fetch", "announce", "settle"}
MISSED_BY = {
    "info": set(OPERATIONS),
    "mget": {"hit", "first fetch"},
    "get": SCRIPTS,
    "set": {"first fetch", "save", "announce"},
    "del": set(),
    "eval": SCRIPTS,
    "evalsha": SCRIPTS,
    "time": SCRIPTS,
    "scan": {"clear"},
    "unlink": {"clear"},
}


def refused(store):
    """
    The operations that the server refuses, each with a word about the rights.
    """
    said = {}
    for name, operation in OPERATIONS.items():
        try:
            operation(store)
        except StoreError as exc:
            said[name] = str(exc)
    assert [text for text in said.values() if not re.search("ermission|can't run", text)] == []
    return set(said)


@pytest.fixture
def admin(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        yield client
        client.acl_deluser("lacking")


def store_of(server, namespace="rights"):
    url = server.url.replace("//", "//lacking:pw@")
    return RedisStore.from_url(url, namespace, timeout=TIMEOUT)


def test_the_page_lists_what_is_needed():
    assert documented("ormcache")[0] == "-@all"
    assert {rule.lstrip("+") for rule in documented("ormcache")[1:]} == set(MISSED_BY)


@pytest.mark.parametrize("command", MISSED_BY)
def test_without_a_right_the_store_fails_where_it_needs_it(command, redis_server, admin):
    whole = RedisStore.from_url(redis_server.url, "rights", timeout=TIMEOUT)
    whole.clear()
    whole.save("fingerprint", b"rows", 60)
    whole.fetch("fingerprint", (A,))
    give_rights(admin, "lacking", "rights", without=(command,))
    if command == "eval":
        admin.script_flush()
    assert refused(store_of(redis_server)) == MISSED_BY[command]


def test_del_is_for_a_full_server(redis_server, admin):
    # As SET is refused there, so is it here; then DEL is what an invalidation arrives by.
    whole = RedisStore.from_url(redis_server.url, "rights", timeout=TIMEOUT)
    (before,) = whole.fetch(None, (B,)).tokens
    give_rights(admin, "lacking", "rights", without=("set", "del"))
    assert "settle" in refused(store_of(redis_server))
    give_rights(admin, "lacking", "rights", without=("set",))
    assert "settle" not in refused(store_of(redis_server))
    assert whole.fetch(None, (B,)).tokens != (before,)


def test_another_namespace_is_out_of_reach(redis_server, admin):
    give_rights(admin, "lacking", "rights")
    with pytest.raises(StoreError, match="permission"):
        store_of(redis_server, "rights2").save("fingerprint", b"rows", 60)


def test_a_cluster_wants_its_map_read(cluster):
    for node in cluster.servers:
        with redis.Redis.from_url(node.url) as client:
            give_rights(client, "mapper", "rights", kind="ormcache-cluster")
    url = cluster.url.replace("//", "//mapper:pw@")
    assert refused(ClusterStore.from_url(url, "rights", timeout=TIMEOUT)) == set()
    for node in cluster.servers:
        with redis.Redis.from_url(node.url) as client:
            client.execute_command("ACL", "SETUSER", "mapper", "-cluster|slots")
    assert refused(ClusterStore.from_url(url, "rights", timeout=TIMEOUT)) == set(OPERATIONS)


def test_sentinels_want_little(service):
    for server in service.servers:
        with redis.Redis.from_url(server.url) as client:
            give_rights(client, "few", "rights")
    rules = documented("ormcache-sentinel")
    for sentinel in service.sentinels:
        service.ask(sentinel, "ACL", "SETUSER", "asker", "reset", "on", ">pw2", *rules)
    login = "?sentinel_username=asker&sentinel_password=pw2"
    url = service.url.replace("//", "//few:pw@") + login
    assert refused(RedisStore.from_url(url, "rights", timeout=TIMEOUT)) == set()
    wrong = RedisStore.from_url(url.replace("pw2", "pw3"), "rights", timeout=TIMEOUT)
    with pytest.raises(StoreError, match="none named any"):
        wrong.fetch(None, (A,))


def test_a_warning_of_evicted_tokens_comes_once(caplog):
    settings = {"maxmemory-policy": "allkeys-lru"}
    with servers.redis(settings=settings, sources=topologies.PRIVATE) as server:
        for _ in range(2):
            store = open_store(server.url, "warned", timeout=TIMEOUT)
            store.fetch(None, (A,))
            store.close()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "use volatile-lru" in record.message


# -- TLS ---------------------------------------------------------------------------------------


def test_who_shows_no_certificate_is_not_let_in(encrypted):
    with pytest.raises(StoreError):
        RedisStore.from_url(encrypted.url(client=None), "tls", timeout=TIMEOUT).info()


def test_a_server_that_a_stranger_vouches_for_is_not_believed(encrypted):
    with pytest.raises(StoreError, match=r"(?i)certificate"):
        RedisStore.from_url(encrypted.url(ca="stranger"), "tls", timeout=TIMEOUT).info()


def test_a_server_of_another_name_is_not_believed_unless_told_so(encrypted):
    url = encrypted.url(host="127.0.0.1")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1"):
        RedisStore.from_url(url, "tls", timeout=TIMEOUT).info()
    assert RedisStore.from_url(f"{url}&ssl_check_hostname=false", "tls", timeout=TIMEOUT).info()


def test_plain_words_to_a_server_that_wants_tls_are_a_store_error(encrypted):
    with pytest.raises(StoreError):
        RedisStore.from_url(f"redis://localhost:{encrypted.port}", "tls", timeout=TIMEOUT).info()
