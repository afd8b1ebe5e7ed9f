"""
S15, S21, P8: the store forgets, is full, or does not answer; and the database does not.
"""

from collections.abc import Callable, Iterator

import pytest

from ormcache import Outcome
from ormcache.testing import servers
from tests.fixtures.mongo import SHOP, MakeMongoApp, MongoApp
from tests.integration.conformance.test_store_losses import LOSSES, OURS, limited, talking_to
from tests.integration.conformance_mongo.steps import at, name_of, rename, truth, warm

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
def reader(make_mongo: MakeMongoApp, store: servers.Server) -> MongoApp:
    # Without a wait after a restart: what the store lost must do no harm by itself.
    return make_mongo(store_url=store.url, recovery_grace=0)


@pytest.fixture
def writer(make_mongo: MakeMongoApp, store: servers.Server) -> MongoApp:
    # Without a wait after a restart: what the store lost must do no harm by itself.
    return make_mongo(store_url=store.url, recovery_grace=0)


@pytest.mark.parametrize("lose", LOSSES)
def test_s15_entries_do_not_outlive_their_tokens(
    reader: MongoApp, writer: MongoApp, store: servers.Server, lose: Callable
):
    warm(reader)
    rename(writer, "new")
    lose(store)
    assert name_of(reader) == "new"
    assert name_of(reader) == "new"
    rename(writer, "newer")
    assert name_of(reader) == "newer"


@pytest.mark.parametrize("lose", LOSSES)
def test_s15_a_write_whose_announcement_was_lost_is_seen_all_the_same(
    reader: MongoApp, writer: MongoApp, store: servers.Server, lose: Callable
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


def test_s21_a_full_server_refuses_entries_and_takes_invalidations(
    reader: MongoApp, writer: MongoApp, store: servers.Server
):
    warm(reader)
    with talking_to(store) as client, limited(client):
        reader.sent_since()
        assert name_of(reader, 2) == "old"
        assert reader.sent_since() == ["find"]
        assert not reader.log.last().stored
        rename(writer, "new")
        assert name_of(reader) == "new"
    assert name_of(reader) == name_of(writer) == "new"


@pytest.mark.parametrize("moment", ["before save", "before fetch", "after find"])
def test_s21_a_store_that_freezes_fails_no_read_and_repeats_none(
    make_mongo: MakeMongoApp, plain, store: servers.Server, moment: str
):
    app = make_mongo(store_url=store.url, timeout=SHORT)
    name_of(app, 2)
    app.sent_since()
    with at(app, moment, store.pause):
        assert name_of(app) == "old"
    assert app.sent_since() == ["find"]
    store.resume()
    assert name_of(app) == truth(plain) == "old"


@pytest.mark.parametrize("moment", ["before announce", "before settle"])
def test_s21_a_store_that_freezes_fails_no_write(
    make_mongo: MakeMongoApp, plain, store: servers.Server, moment: str
):
    app = make_mongo(store_url=store.url, timeout=SHORT)
    warm(app)
    with at(app, moment, store.pause):
        rename(app, "new")
    assert truth(plain) == "new"
    assert name_of(app) == "new"
    store.resume()
    assert name_of(app) == "new"


# -- P8 ---------------------------------------------------------------------------------------


def every_read(app: MongoApp) -> list[object]:
    products = app.products
    return [
        name_of(app),
        list(products.find({"price": {"$gt": 1}}).sort("price")),
        products.count_documents({}),
        products.estimated_document_count(),
        products.distinct("price"),
        list(products.aggregate([{"$group": {"_id": None, "all": {"$sum": "$price"}}}])),
    ]


def test_p8_a_hit_sends_the_server_nothing(mongo: MongoApp):
    found = every_read(mongo)
    mongo.sent_since()
    mongo.log.outcomes()
    assert every_read(mongo) == found
    assert mongo.log.outcomes() == [Outcome.HIT] * 6
    assert mongo.sent_since() == []


@pytest.fixture(scope="module")
def stopped() -> Iterator[servers.Server]:
    with servers.mongodb(sources=OURS) as server:
        yield server


def test_p8_a_hit_works_with_the_server_stopped(make_mongo: MakeMongoApp, stopped: servers.Server):
    stopped.start()
    app = make_mongo(url=stopped.url, client={"serverSelectionTimeoutMS": 100})
    app.client.drop_database(SHOP)
    app.products.insert_many([{"_id": i, "name": "old", "price": i} for i in (1, 2, 3)])
    found = every_read(app)
    assert every_read(app) == found
    stopped.stop()
    app.log.outcomes()
    try:
        assert every_read(app) == found
        assert app.log.outcomes() == [Outcome.HIT] * 6
    finally:
        stopped.start()
