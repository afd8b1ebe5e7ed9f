"""
A store that is always full: whatever it evicts or refuses, no read is stale and no commit fails.
"""

import threading
from contextlib import contextmanager

import pytest
import redis

from ormcache.testing import servers
from ormcache.testing.servers import topologies
from tests.integration.under_load import load

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

EVICTING = ("volatile-lru", "volatile-ttl", "allkeys-lru", "allkeys-random")


@contextmanager
def full_server(policy):
    """
    A server with memory for a few entries, and a client of it.
    """
    settings = {"maxmemory": "3mb", "maxmemory-policy": policy}
    with (
        servers.redis(settings=settings, sources=topologies.PRIVATE) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        yield server, client


@contextmanager
def pressure(client):
    """
    Somebody else who fills the server all the time, with what has a TTL.
    """
    enough = threading.Event()

    def fill():
        number = 0
        while not enough.wait(0.0005):
            number += 1
            try:
                client.set(f"junk:{number}", b"x" * 20_000, ex=600)
            except redis.exceptions.OutOfMemoryError:
                full.set()

    full = threading.Event()
    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield full
    finally:
        enough.set()
        thread.join()


def apps_at(make_app, server):
    return [make_app(store_url=server.url, timeout=1.0, recovery_grace=0.5) for _ in range(2)]


@pytest.mark.parametrize("policy", EVICTING)
def test_what_is_evicted_is_never_stale(policy, make_app):
    with (
        full_server(policy) as (server, client),
        load(apps_at(make_app, server)) as work,
        pressure(client),
    ):
        work.until(lambda: client.info()["evicted_keys"] > 200, "evictions")
        work.more_hits(100)
        commits = work.commits
        work.until(lambda: work.commits > commits + 50, "commits")


def test_what_is_refused_is_never_stale(make_app):
    with full_server("noeviction") as (server, client), load(apps_at(make_app, server)) as work:
        work.more_hits(50)
        with pressure(client) as full:
            work.until(full.is_set, "a refusal")
            commits = work.commits
            work.until(lambda: work.commits > commits + 50, "commits")
            client.config_set("maxmemory", "100mb")
        work.more_hits(50)
    # A full server refuses the announcement; the settlement gets there by DEL.
    commits = [event for app in work.apps for event in app.log.commits]
    assert [event for event in commits if not event.delivered] == []
