"""
As `test_planted`, through MongoDB clients.
"""

from contextlib import suppress

import pytest
from redis import Redis

from ormcache import Cache, Outcome, Reason
from ormcache.testing import servers
from tests.fixtures.mongo import SHOP, MakeMongoApp, MongoApp
from tests.fixtures.planted import (
    BLOB,
    LITERAL,
    NUMBER,
    PARAMETER,
    SEALS,
    TENANT,
    TEXT,
    Found,
    Own,
    entries_hold,
    every_seal,
    search_cache,
    without_store,
)


def stock_mongo(app: MongoApp) -> None:
    app.products.insert_one({"_id": NUMBER, "name": TEXT, "blob": BLOB, "stock": NUMBER})


def read_mongo(app: MongoApp) -> None:
    products = app.products
    for _ in range(2):
        list(products.find({"stock": NUMBER}))
        list(products.find({"name": {"$in": [PARAMETER, TEXT]}}))
        list(products.find({"$or": [{"blob": BLOB}, {"name": {"$regex": f"^{PARAMETER}"}}]}))
        products.find_one(NUMBER)
        products.distinct("name", {"name": {"$ne": PARAMETER}})
        products.count_documents({"blob": BLOB})
        list(products.aggregate([{"$match": {"stock": NUMBER}}, {"$set": {"x": LITERAL}}]))
        list(products.find({"$expr": {"$eq": ["$name", {"$concat": [PARAMETER, "x"]}]}}))


def write_mongo(app: MongoApp) -> None:
    products = app.products
    products.update_many({"name": TEXT}, {"$set": {"note": PARAMETER}})
    products.replace_one({"_id": PARAMETER}, {"name": PARAMETER}, upsert=True)
    products.find_one_and_update({"name": PARAMETER}, {"$set": {"name": LITERAL}})
    products.delete_many({"name": LITERAL})


def fail_mongo(app: MongoApp) -> None:
    products = app.products
    for attempt in (
        lambda: products.insert_one({"_id": NUMBER, "name": TEXT}),
        lambda: list(products.find({"$nonsense": PARAMETER})),
        lambda: list(products.find({"name": Own()})),
        lambda: list(products.aggregate([{"$nonsense": {"x": PARAMETER}}])),
        lambda: list(products.find({"$where": f"this.name == '{LITERAL}'"})),
        lambda: products.update_one({"_id": NUMBER}, {"$set": {"_id": PARAMETER}}),
    ):
        with suppress(Exception):
            attempt()


def prepare_mongo(cache: Cache) -> None:
    cache.vary("tenant", lambda: TENANT)
    cache.policy(f"{SHOP}.products", ttl=300, vary=("tenant",))


@every_seal
def test_no_planted_value_leaves_mongodb(
    make_mongo: MakeMongoApp,
    private_store: servers.Server,
    client: Redis,
    everything_logged: pytest.LogCaptureFixture,
    seal: str,
):
    found = Found()
    app = make_mongo(store_url=private_store.url, **SEALS[seal])
    prepare_mongo(app.cache)
    with app.cache.record() as recording:
        for act in (stock_mongo, read_mongo, write_mongo, read_mongo, fail_mongo, read_mongo):
            act(app)
    assert app.cache.counts[Outcome.HIT] >= 5
    search_cache(found, app.cache, app.log, recording)
    assert found.look_at_store(client, payloads=seal == "encrypted") >= 8
    if seal != "encrypted":
        for value in (TEXT, NUMBER, BLOB):
            assert entries_hold(client, value)
    with without_store(found) as elsewhere:
        lost = make_mongo(store_url=elsewhere, **SEALS[seal])
        prepare_mongo(lost.cache)
        for act in (read_mongo, write_mongo, read_mongo):
            act(lost)
        assert lost.cache.reasons[Reason.STORE]
        search_cache(found, lost.cache, lost.log)
    found.look_at_logs(everything_logged)
    assert found == []
