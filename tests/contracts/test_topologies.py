"""
Does the store keep the contract wherever it may live: in a cluster, behind sentinels, over TLS,
through a socket of this machine, for a user with no more rights than it needs, in an older Redis?
"""

import contextlib

import pytest
import redis

from ormcache.stores import open_store
from ormcache.stores.cluster import ClusterStore
from ormcache.stores.redis import RedisStore
from ormcache.testing.async_store_contract import AsyncStoreContract
from ormcache.testing.store_contract import StoreContract
from tests.fixtures.rights import give_rights

TIMEOUT = 10


class _Somewhere:
    """
    A store at `url`, and a client `at` the server that holds a key.
    """

    kind = RedisStore

    def open(self, namespace):
        return self.kind.from_url(self.url, namespace, timeout=TIMEOUT)

    def evict(self, store, scope):
        name = getattr(store, "store", store)._layout.token(scope)
        assert self.client.delete(name) == 1

    @contextlib.contextmanager
    def server(self, url, client_url=None):
        self.url = url
        with redis.Redis.from_url(client_url or url) as self.client:
            yield


class _Contract(StoreContract):
    def open_store(self, namespace):
        return self.open(namespace)


class _AsyncContract(AsyncStoreContract):
    def open_async_store(self, namespace):
        return self.open(namespace).asynchronous()


class _InACluster(_Somewhere):
    kind = ClusterStore

    @pytest.fixture(autouse=True)
    def _server(self, cluster):
        self.url = cluster.url
        port = int(cluster.url.rpartition(":")[2])
        with redis.RedisCluster(host="127.0.0.1", port=port) as self.client:
            yield


class _BehindSentinels(_Somewhere):
    @pytest.fixture(autouse=True)
    def _server(self, service):
        with self.server(service.url, service.primary().url):
            yield


class _OverTls(_Somewhere):
    @pytest.fixture(autouse=True)
    def _server(self, encrypted):
        with self.server(encrypted.url()):
            yield


class _ThroughASocket(_Somewhere):
    @pytest.fixture(autouse=True)
    def _server(self, local_socket):
        with self.server(local_socket):
            yield


class _WithFewRights(_Somewhere):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server):
        with self.server(redis_server.url.replace("//", "//few:pw@"), redis_server.url):
            # Some tests open namespaces with something before the name.
            give_rights(self.client, "few", "*contract-*")
            yield
            self.client.acl_deluser("few")


class _InDebiansRedis(_Somewhere):
    @pytest.fixture(autouse=True)
    def _server(self, debian_redis):
        with self.server(debian_redis.url):
            yield


class TestInACluster(_InACluster, _Contract): ...


class TestAsyncInACluster(_InACluster, _AsyncContract): ...


class TestBehindSentinels(_BehindSentinels, _Contract): ...


class TestAsyncBehindSentinels(_BehindSentinels, _AsyncContract): ...


class TestOverTls(_OverTls, _Contract): ...


class TestAsyncOverTls(_OverTls, _AsyncContract): ...


class TestThroughASocket(_ThroughASocket, _Contract): ...


class TestAsyncThroughASocket(_ThroughASocket, _AsyncContract): ...


class TestWithFewRights(_WithFewRights, _Contract): ...


class TestAsyncWithFewRights(_WithFewRights, _AsyncContract): ...


class TestInDebiansRedis(_InDebiansRedis, _Contract): ...


class TestAsyncInDebiansRedis(_InDebiansRedis, _AsyncContract): ...


@pytest.mark.parametrize("of", ["cluster", "service"])
def test_the_url_alone_tells_what_to_open(of, request):
    place = request.getfixturevalue(of)
    store = open_store(place.url, "topologies", timeout=TIMEOUT)
    assert store.info()["breaker"] == "closed"
    store.close()
