"""
S9 to S11: writes of every kind, and reads that depend on more than the collection they name.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne

from ormcache import Outcome, Reason
from ormcache.pymongo import listener
from ormcache.pymongo.sent import HandedOver
from tests.fixtures.mongo import SHOP, MongoApp
from tests.integration.conformance_mongo.steps import name_of, rename, truth, warm

# -- S9 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda products: products.insert_one({"_id": 9, "name": "late", "category": 7}),
        lambda products: products.update_one({"_id": 3}, {"$set": {"category": 7}}),
        lambda products: products.update_one({"_id": 8}, {"$set": {"category": 7}}, upsert=True),
    ],
    ids=["insert", "update", "upsert"],
)
def test_s09_a_row_that_newly_matches_is_found(mongo: MongoApp, other_mongo: MongoApp, write):
    def matching() -> list[list[int]]:
        products = mongo.products
        pipeline = [{"$match": {"category": 7}}, {"$count": "n"}]
        return [
            [found["_id"] for found in products.find({"category": 7})],
            [products.count_documents({"category": 7}), products.estimated_document_count()],
            [len(products.distinct("_id", {"category": 7}))],
            [found["n"] for found in products.aggregate(pipeline)],
        ]

    assert [matching() for _ in range(2)] == [[[], [0, 3], [0], []]] * 2
    assert mongo.log.outcomes()[-5:] == [Outcome.HIT] * 5
    write(other_mongo.products)
    ids, (count, total), distinct, aggregated = matching()
    assert len(ids) == count == distinct[0] == aggregated[0] == 1
    assert total == other_mongo.products.uncached().estimated_document_count()


# -- S10 --------------------------------------------------------------------------------------

NESTED = [{"$lookup": {"from": "categories", "pipeline": [], "as": "found"}}]
DEPENDING = {
    "lookup": [
        {
            "$lookup": {
                "from": "categories",
                "localField": "category",
                "foreignField": "_id",
                "as": "found",
            }
        }
    ],
    "lookup with a pipeline": NESTED,
    "lookup inside facet": [{"$facet": {"all": NESTED}}],
    "lookup inside lookup": [{"$lookup": {"from": "products", "pipeline": NESTED, "as": "all"}}],
    "graphLookup": [
        {
            "$graphLookup": {
                "from": "categories",
                "startWith": "$category",
                "connectFromField": "parent",
                "connectToField": "_id",
                "as": "found",
            }
        }
    ],
    "unionWith": [{"$unionWith": "categories"}],
    "unionWith a pipeline": [
        {"$unionWith": {"coll": "categories", "pipeline": [{"$match": {"_id": 1}}]}}
    ],
}


@pytest.mark.parametrize("pipeline", DEPENDING.values(), ids=DEPENDING.keys())
def test_s10_a_change_in_a_joined_collection(
    mongo: MongoApp, other_mongo: MongoApp, plain: Any, pipeline: list
):
    def read() -> list[Any]:
        return list(mongo.products.aggregate(pipeline))

    before = read()
    assert read() == before
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]
    other_mongo.db.categories.update_one({"_id": 1}, {"$set": {"title": "coffee"}})
    after = read()
    assert after != before
    assert after == list(plain.products.aggregate(pipeline))


def test_s10_a_view_changes_with_what_it_is_built_on(
    mongo: MongoApp, other_mongo: MongoApp, plain: Any
):
    mongo.db.create_collection(
        "cheap", viewOn="products", pipeline=[{"$match": {"price": {"$lt": 3}}}]
    )
    mongo.db.create_collection("cheap_ids", viewOn="cheap", pipeline=[{"$project": {"_id": 1}}])
    for _ in range(3):
        assert mongo.db.cheap_ids.count_documents({}) == 2
    assert mongo.log.outcomes()[-1] is Outcome.HIT
    other_mongo.products.delete_one({"_id": 1})
    assert mongo.db.cheap_ids.count_documents({}) == 1
    other_mongo.db.command("collMod", "cheap", viewOn="categories", pipeline=[])
    for _ in range(3):
        assert [found["_id"] for found in mongo.db.cheap_ids.find()] == [1]
    assert mongo.log.outcomes()[-1] is Outcome.HIT
    other_mongo.db.categories.insert_one({"_id": 2})
    assert [found["_id"] for found in mongo.db.cheap_ids.find()] == [1, 2]
    other_mongo.db.drop_collection("cheap_ids")
    other_mongo.db.cheap_ids.insert_one({"_id": "a collection now"})
    for _ in range(3):
        found = [document["_id"] for document in mongo.db.cheap_ids.find()]
        assert found == ["a collection now"]


def test_s10_a_view_that_is_not_the_same_each_time_is_not_cached(mongo: MongoApp):
    mongo.db.create_collection("some", viewOn="products", pipeline=[{"$sample": {"size": 1}}])
    for _ in range(3):
        assert mongo.db.some.count_documents({}) == 1
    assert mongo.log.last().reason is Reason.STATEMENT
    assert "$sample" in mongo.log.last().detail
    mongo.db.command("collMod", "some", viewOn="products", pipeline=[{"$limit": 1}])
    for _ in range(3):
        assert mongo.db.some.count_documents({}) == 1
    assert mongo.log.last().outcome is Outcome.HIT


def test_s10_a_time_series_and_its_buckets(mongo: MongoApp, other_mongo: MongoApp):
    mongo.db.create_collection("temperatures", timeseries={"timeField": "at"})

    def measure(app: MongoApp) -> None:
        app.db.temperatures.insert_one({"at": dt.datetime(2024, 7, 1), "celsius": 20.5})

    measure(mongo)
    for _ in range(2):
        assert len(list(mongo.db.temperatures.find())) == 1
        assert mongo.db["system.buckets.temperatures"].count_documents({}) == 1
    assert mongo.log.outcomes()[-2:] == [Outcome.HIT] * 2
    measure(other_mongo)
    assert len(list(mongo.db.temperatures.find())) == 2


def test_s10_what_a_policy_depends_on(mongo: MongoApp, other_mongo: MongoApp):
    for name in ("triggers", f"{SHOP}.triggers"):
        mongo.cache.policy(f"{SHOP}.products", depends_on=[name])
        warm(mongo)
        other_mongo.db.triggers.insert_one({})
        mongo.log.outcomes()
        name_of(mongo)
        assert mongo.log.outcomes() == [Outcome.STALE]


# -- S11 --------------------------------------------------------------------------------------


@pytest.fixture
def nothing_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    An asynchronous client announces by itself all that the test does; its listener, which can only
    hand it over to a thread, finds nothing to do.
    """
    handed: list[Any] = []

    def hand_over(*what: Any) -> HandedOver:
        handed.append(what)
        return HandedOver(*what)

    monkeypatch.setattr(listener, "HandedOver", hand_over)
    yield
    assert handed == []


def update_by_a_command(app: MongoApp) -> None:
    app.db.command(
        "update", "products", updates=[{"q": {"_id": 1}, "u": {"$set": {"name": "new"}}}]
    )


def merge(app: MongoApp, **options: Any) -> None:
    pipeline = [{"$set": {"name": "new"}}, {"$merge": {"into": "products", **options}}]
    assert list(app.products.aggregate(pipeline)) == []


def merge_through_a_cursor(app: MongoApp) -> None:
    pipeline = [{"$set": {"name": "new"}}, {"$merge": "products"}]
    app.db.command("aggregate", "products", pipeline=pipeline, cursor={})


def out(app: MongoApp) -> None:
    app.db.categories.aggregate([{"$set": {"name": "new"}}, {"$out": "products"}])


def rename_over(app: MongoApp) -> None:
    app.db.drafts.insert_one({"_id": 1, "name": "new"})
    app.db.drafts.rename("products", dropTarget=True)


def map_reduce(app: MongoApp) -> None:
    app.db.command(
        "mapReduce",
        "categories",
        map="function() { emit(this._id, 1); }",
        reduce="function(key, values) { return 1; }",
        finalize="function(key, value) { return 1; }",
        out={"replace": "products"},
    )
    app.products.update_one({"_id": 1}, {"$set": {"name": "new"}})


WRITES = {
    "update_one": lambda app: rename(app, "new"),
    "insert_many": lambda app: (
        app.products.delete_one({"_id": 1}),
        app.products.insert_many([{"_id": 1, "name": "new"}]),
    ),
    "update_many": lambda app: app.products.update_many({}, {"$set": {"name": "new"}}),
    "replace_one": lambda app: app.products.replace_one({"_id": 1}, {"name": "new"}),
    "find_one_and_update": lambda app: app.products.find_one_and_update(
        {"_id": 1}, {"$set": {"name": "new"}}
    ),
    "find_one_and_replace": lambda app: app.products.find_one_and_replace(
        {"_id": 1}, {"name": "new"}
    ),
    "bulk_write": lambda app: app.products.bulk_write(
        [
            InsertOne({"_id": 5}),
            DeleteOne({"_id": 5}),
            UpdateMany({}, {"$set": {"name": "newer"}}),
            ReplaceOne({"_id": 1}, {"name": "newest"}),
            UpdateOne({"_id": 1}, {"$set": {"name": "new"}}),
        ]
    ),
    "bulk_write, unordered": lambda app: app.products.bulk_write(
        [UpdateOne({"_id": 1}, {"$set": {"name": "new"}})], ordered=False
    ),
    "command": update_by_a_command,
    "merge": merge,
    "merge elsewhere": lambda app: app.db.categories.aggregate(
        [{"$set": {"name": "new"}}, {"$merge": {"into": {"db": SHOP, "coll": "products"}}}]
    ),
    "merge from a database": lambda app: app.db.aggregate(
        [{"$documents": [{"_id": 1, "name": "new"}]}, {"$merge": "products"}]
    ),
    "merge in raw batches": lambda app: app.products.aggregate_raw_batches(
        [{"$set": {"name": "new"}}, {"$merge": "products"}]
    ),
    "merge by a command": merge_through_a_cursor,
    "out": out,
    "rename over it": rename_over,
    "mapReduce": map_reduce,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_s11_every_way_to_write_is_seen(
    mongo: MongoApp, other_mongo: MongoApp, plain: Any, nothing_is_handed_over: None, write
):
    warm(mongo)
    write(other_mongo)
    assert truth(plain) == "new"
    assert name_of(mongo) == "new"
    assert name_of(other_mongo) == "new"


ENDS = {
    "delete_one": lambda app: app.products.delete_one({"_id": 1}),
    "delete_many": lambda app: app.products.delete_many({}),
    "find_one_and_delete": lambda app: app.products.find_one_and_delete({"_id": 1}),
    "drop": lambda app: app.products.drop(),
    "drop_collection": lambda app: app.db.drop_collection("products"),
    "drop by a command": lambda app: app.db.command("drop", "products"),
    "drop_database": lambda app: app.client.drop_database(SHOP),
    "dropDatabase by a command": lambda app: app.db.command("dropDatabase"),
    "rename": lambda app: app.products.rename("gone"),
    "renameCollection by a command": lambda app: app.client.admin.command(
        "renameCollection", f"{SHOP}.products", to=f"{SHOP}.gone"
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_s11_every_way_to_end_a_row_is_seen(
    mongo: MongoApp, other_mongo: MongoApp, nothing_is_handed_over: None, end
):
    warm(mongo)
    end(other_mongo)
    assert name_of(mongo) is None
    assert name_of(other_mongo) is None


def test_s11_a_write_that_is_refused_half_way(mongo: MongoApp, other_mongo: MongoApp, plain: Any):
    warm(mongo)
    requests = [UpdateOne({"_id": 1}, {"$set": {"name": "new"}}), InsertOne({"_id": 2})]
    with pytest.raises(pymongo.errors.BulkWriteError):
        other_mongo.products.bulk_write(requests)
    assert name_of(mongo) == truth(plain) == "new"
    mongo.log.outcomes()
    assert name_of(mongo) == "new"
    assert mongo.log.outcomes() == [Outcome.HIT]


def test_s11_a_refused_write_leaves_nothing_in_doubt(mongo: MongoApp, other_mongo: MongoApp):
    with pytest.raises(pymongo.errors.DuplicateKeyError):
        other_mongo.products.insert_one({"_id": 1})
    with pytest.raises(TypeError):
        other_mongo.products.insert_one("no document")
    with pytest.raises(pymongo.errors.OperationFailure):
        other_mongo.db.command("update", "products", updates=[{"no": "filter"}])
    assert [name_of(mongo) for _ in range(2)] == ["old", "old"]
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]


def test_s11_a_write_that_nobody_acknowledges_leaves_its_lease(
    mongo: MongoApp, other_mongo: MongoApp, plain: Any
):
    warm(mongo)
    unacknowledged = other_mongo.products.with_options(write_concern=pymongo.WriteConcern(w=0))
    unacknowledged.update_one({"_id": 1}, {"$set": {"name": "new"}})
    mongo.log.outcomes()
    assert name_of(mongo) == truth(plain)
    assert mongo.log.last().reason is Reason.IN_DOUBT


def test_s11_a_merge_that_the_getmore_carries_out(make_mongo, mongo: MongoApp, plain: Any):
    """
    Beyond a synchronous client's own calls, only the listener sees it; there it is announced.
    """
    writer = make_mongo(kind="sync")
    warm(mongo)
    pipeline = [{"$set": {"name": "new"}}, {"$merge": "products"}]
    cursor = writer.db.cursor_command(
        "aggregate", "products", pipeline=pipeline, cursor={"batchSize": 0}
    )
    warm(mongo)
    assert list(cursor) == []
    assert truth(plain) == "new"
    assert name_of(mongo) == "new"


@pytest.mark.parametrize("unknown", ["cloneCollectionAsCapped"])
def test_s11_a_command_that_nobody_knows_counts_as_a_change_of_the_database(
    mongo: MongoApp, other_mongo: MongoApp, unknown: str
):
    warm(mongo)
    other_mongo.db.command(unknown, "products", toCollection="capped", size=4096)
    mongo.log.outcomes()
    assert name_of(mongo) == "old"
    assert mongo.log.outcomes() == [Outcome.STALE]


def test_s11_commands_that_change_nothing_end_no_entry(mongo: MongoApp, other_mongo: MongoApp):
    warm(mongo)
    db = other_mongo.db
    for command in ("ping", "hello", "buildInfo", "dbStats", "connectionStatus", "listCollections"):
        db.command(command)
    db.command("collStats", "products")
    db.list_collection_names()
    list(other_mongo.products.list_indexes())
    other_mongo.products.find({}).explain()
    other_mongo.client.list_database_names()
    mongo.log.outcomes()
    name_of(mongo)
    assert mongo.log.outcomes() == [Outcome.HIT]


# -- never cached -----------------------------------------------------------------------------

NEVER = {
    "$sample": lambda p: list(p.aggregate([{"$sample": {"size": 1}}])),
    "$rand": lambda p: list(p.find({"$expr": {"$lt": [{"$rand": {}}, 2]}})),
    "$$NOW": lambda p: list(p.aggregate([{"$set": {"now": "$$NOW"}}])),
    "$where": lambda p: list(p.find({"$where": "true"})),
    "$function": lambda p: list(
        p.aggregate(
            [{"$set": {"x": {"$function": {"body": "function() {}", "args": [], "lang": "js"}}}}]
        )
    ),
    "$collStats": lambda p: list(p.aggregate([{"$collStats": {"count": {}}}])),
    "explain": lambda p: p.find().explain(),
}


@pytest.mark.parametrize("read", NEVER.values(), ids=NEVER.keys())
def test_what_is_not_the_same_each_time_is_never_cached(mongo: MongoApp, read):
    for _ in range(2):
        read(mongo.products)
    assert [event.reason for event in mongo.log.reads] == [Reason.STATEMENT] * 2
