import sys

import pytest

from ormcache.errors import ConfigurationError
from ormcache.stores import open_store
from ormcache.stores.address import read_address
from ormcache.stores.memory import MemoryStore
from ormcache.testing.clock import MovableClock


def test_a_redis_store_is_guarded_and_not_connected_yet():
    store = open_store("redis://user:secret@cache.example:6380/2", "shop")
    assert repr(store) == (
        "<GuardedStore closed, owes 0 scopes, "
        "<RedisStore 'shop' over <Wire to cache.example:6380/2, 0 idle>>>"
    )


def test_a_memory_store_takes_its_options():
    store = open_store("memory://", "shop", max_bytes=10, clock=MovableClock())
    assert isinstance(store, MemoryStore)
    assert store.info()["max_bytes"] == "10"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("localhost:6379", {}, "redis://localhost"),
        ("", {}, "redis://localhost"),
        ("reddis://localhost", {}, "did you mean 'redis'"),
        ("memcached://localhost", {}, "memory"),
        ("redis://localhost:port", {}, "malformed"),
        ("redis://user:pass/word@localhost", {}, "malformed"),
        ("redis://user:12?word@localhost", {}, "malformed"),
        ("redis://localhost:99999", {}, "malformed"),
        ("redis://[::1", {}, "malformed"),
        ("redis://localhost/zero", {}, "is a number"),
        ("redis://localhost/-1", {}, "is a number"),
        ("redis://localhost?db=x", {}, "is a number"),
        ("redis://localhost?protocol=3", {}, "option in the Redis URL 'protocol'"),
        ("redis://localhost?decode_responses=1", {}, "decode_responses"),
        ("redis://localhost?ssl_cert_reqs=none", {}, "ssl_cert_reqs"),
        ("rediss://localhost?ssl_cert_reqs=no", {}, "required, optional or none"),
        ("rediss://localhost?ssl_check_hostname=1", {}, "true or false"),
        ("redis://localhost#0", {}, "%23"),
        ("unix://", {}, "path of the socket"),
        ("redis://localhost", {"max_bytes": 5}, "'max_bytes'"),
        ("memory://", {"max_byte": 5}, "did you mean 'max_bytes'"),
        ("memory://", {"max_bytes": 0}, "above 0"),
        ("memory://", {"timeout": 0}, "above 0 seconds"),
        ("redis://localhost", {"timeout": float("nan")}, "above 0 seconds"),
    ],
)
def test_what_is_wrong_is_said(url, options, message):
    with pytest.raises(ConfigurationError) as caught:
        open_store(url, "shop", **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("url", ["memory://", "redis://localhost"])
def test_a_bad_namespace_is_refused_by_every_store(url):
    with pytest.raises(ConfigurationError, match="namespace"):
        open_store(url, "sh*p")


@pytest.mark.parametrize(
    "url",
    ["redis://u:hunter2@host:x", "redis://u:hunter#2@h", "redis://u:hunter2@h?passwort=hunter2"],
)
def test_an_error_shows_no_password(url):
    with pytest.raises(ConfigurationError) as caught:
        open_store(url, "shop")
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://h?password=p@ss", "redis://u:p@h/0?client_name=a@b", "unix:///a@b?password=@"]
)
def test_a_sign_that_needs_no_quoting_is_fine(url):
    open_store(url, "shop")


def test_a_missing_library_is_an_instruction(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "redis"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("ormcache.stores.redis", "ormcache.stores.wire"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    # None in sys.modules is Python's own way to say "not installed".
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'ormcache\[redis\]'"):
        open_store("redis://localhost", "shop")
    assert isinstance(open_store("memory://", "shop"), MemoryStore)


def test_addresses():
    address = read_address("redis://us%40er:p%3Aw@host:1/3")
    assert address.kind == "tcp"
    assert address.arguments == {
        "username": "us@er", "password": "p:w", "host": "host", "port": 1, "db": 3,
    }  # fmt: skip
    assert address.text == "host:1/3"
    assert read_address("valkey://").arguments == {"host": "localhost", "port": 6379}
    assert read_address("redis://[::1]:1").arguments["host"] == "::1"


def test_tls_checks_the_host_unless_told_otherwise():
    assert read_address("rediss://h").kind == "tls"
    assert read_address("rediss://h").arguments["ssl_check_hostname"] is True
    unchecked = read_address("rediss://h?ssl_cert_reqs=none").arguments
    assert unchecked["ssl_cert_reqs"] == "none"
    assert unchecked["ssl_check_hostname"] is False
    assert (
        read_address("rediss://h?ssl_check_hostname=False").arguments["ssl_check_hostname"] is False
    )


def test_a_socket_of_this_machine():
    address = read_address("unix:///run/my%20redis.sock?db=2&password=pw")
    assert address.kind == "unix"
    assert address.arguments == {"path": "/run/my redis.sock", "db": 2, "password": "pw"}
    assert address.text == "/run/my redis.sock, database 2"
