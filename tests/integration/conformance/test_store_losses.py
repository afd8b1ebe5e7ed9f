"""
S15, S21: the store forgets what it knew, and refuses or cannot take what it is given.
"""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import redis

from ormcache import Outcome
from ormcache.errors import StoreError
from ormcache.testing import servers
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.gaps import at, hook
from tests.integration.conformance.steps import name_of, rename, truth, warm

# Only a server of ours may be emptied, stopped and frozen.
OURS = tuple(source for source in servers.SOURCES if source != "environment")
SHORT = 0.3
"""Seconds an operation of the store may take where the store is frozen."""


@pytest.fixture(scope="module")
def private() -> Iterator[servers.Server]:
    with servers.redis(sources=OURS) as server:
        yield server


@pytest.fixture
def store(private: servers.Server) -> Iterator[servers.Server]:
    yield private
    private.resume()
    private.start()


@pytest.fixture
def reader(make_app: MakeApp, store: servers.Server) -> App:
    # Without a wait after a restart: what the store lost must do no harm by itself.
    return make_app(store_url=store.url, recovery_grace=0)


@pytest.fixture
def writer(make_app: MakeApp, store: servers.Server) -> App:
    # Without a wait after a restart: what the store lost must do no harm by itself.
    return make_app(store_url=store.url, recovery_grace=0)


@contextlib.contextmanager
def talking_to(server: servers.Server) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(server.url)
    yield client
    client.close()


def lose_tokens(server: servers.Server) -> None:
    with talking_to(server) as client:
        assert client.delete(*client.keys("ormcache:*:t:*"))


def lose_everything(server: servers.Server) -> None:
    with talking_to(server) as client:
        client.flushall()


def restart_empty(server: servers.Server) -> None:
    with talking_to(server) as client:
        client.flushall()
        client.save()  # or it would start with what another test had it save
    server.stop()
    server.start()


LOSSES = [lose_tokens, lose_everything, restart_empty]


@pytest.mark.parametrize("lose", LOSSES)
def test_s15_entries_do_not_outlive_their_tokens(
    reader: App, writer: App, store: servers.Server, lose: Callable
):
    warm(reader)
    rename(writer, "new")
    lose(store)
    assert name_of(reader) == "new"
    assert name_of(reader) == "new"
    rename(writer, "newer")
    assert name_of(reader) == "newer"


@pytest.mark.parametrize("lose", LOSSES)
def test_s15_a_commit_whose_announcement_was_lost_is_seen_all_the_same(
    reader: App, writer: App, store: servers.Server, lose: Callable
):
    warm(reader)

    def lose_and_fill():
        lose(store)
        name_of(reader)
        warm(reader)

    with at(writer, "after announce", lose_and_fill):
        rename(writer, "new")
    assert name_of(reader) == "new"
    assert name_of(writer) == "new"


def test_s15_a_store_that_comes_back_with_what_it_held_long_ago(
    reader: App, writer: App, store: servers.Server
):
    warm(reader)
    with talking_to(store) as client:
        client.save()
    rename(writer, "new")
    store.stop()
    store.start()
    with talking_to(store) as client:
        assert client.keys("ormcache:*:e:*"), "the entry with the old name is back"
    assert name_of(reader) == "new"
    assert name_of(reader) == "new"


def test_s21_a_read_whose_rows_cannot_be_stored_is_answered_once(app: App, other: App):
    name_of(app, 2)
    hook(app).refuse("save", StoreError("the store is full"))
    app.sent_since()
    app.log.outcomes()
    assert [name_of(app) for _ in range(3)] == ["old"] * 3
    assert len(app.sent_since()) == 3
    assert not any(read.stored for read in app.log.reads)
    assert app.log.outcomes() == [Outcome.MISS] * 3
    rename(app, "new")
    assert name_of(app) == name_of(other) == "new"


def test_s21_a_full_server_refuses_entries_and_takes_invalidations(
    reader: App, writer: App, store: servers.Server
):
    warm(reader)
    with talking_to(store) as client, limited(client):
        reader.sent_since()
        assert name_of(reader, 2) == "old"
        assert len(reader.sent_since()) == 1
        assert not reader.log.last().stored
        rename(writer, "new")
        assert name_of(reader) == "new"
    assert name_of(reader) == name_of(writer) == "new"


@contextlib.contextmanager
def limited(client: redis.Redis) -> Iterator[None]:
    client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        client.config_set("maxmemory", "0")


@pytest.mark.parametrize("moment", ["before save", "before fetch", "after query"])
def test_s21_a_store_that_freezes_fails_no_read_and_repeats_none(
    make_app: MakeApp, database: Database, store: servers.Server, moment: str
):
    app = make_app(store_url=store.url, timeout=SHORT)
    name_of(app, 2)
    app.sent_since()
    with at(app, moment, store.pause):
        assert name_of(app) == "old"
    assert len(app.sent_since()) == 1
    store.resume()
    assert name_of(app) == truth(database) == "old"


@pytest.mark.parametrize("moment", ["before announce", "before settle"])
def test_s21_a_store_that_freezes_fails_no_commit(
    make_app: MakeApp, database: Database, store: servers.Server, moment: str
):
    app = make_app(store_url=store.url, timeout=SHORT)
    warm(app)
    with at(app, moment, store.pause):
        rename(app, "new")
    assert truth(database) == "new"
    assert name_of(app) == "new"
    store.resume()
    assert name_of(app) == "new"
