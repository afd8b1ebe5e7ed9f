"""
S22, S23: old payloads, results that are false or empty, and results that are too large.
"""

from typing import Any

import pymongo
import pytest
import redis
from bson.errors import InvalidBSON

from ormcache import Outcome, Policy, Reason
from ormcache.testing import servers
from tests.fixtures.mongo import SHOP, MongoApp
from tests.integration.conformance.test_contents import SPOILED
from tests.integration.conformance_mongo.steps import name_of, warm


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_s22_a_payload_that_is_not_of_this_release_is_a_miss(
    mongo: MongoApp, redis_server: servers.Server, namespace: str, spoil
):
    warm(mongo)
    with redis.Redis.from_url(redis_server.url) as client:
        for key in client.keys(f"ormcache:{namespace}:e:*"):
            client.set(key, spoil(client.get(key)))
    assert [name_of(mongo) for _ in range(2)] == ["old", "old"]
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]


FALSY = {
    "no document": lambda p: p.find_one({"_id": 99}),
    "no documents": lambda p: list(p.find({"_id": 99})),
    "no collection": lambda p: p.missing.find_one(),
    "a count of 0": lambda p: p.count_documents({"_id": 99}),
    "an estimate of 0": lambda p: p.missing.estimated_document_count(),
    "nothing distinct": lambda p: p.distinct("nothing"),
    "an aggregation of nothing": lambda p: list(p.aggregate([{"$match": {"_id": 99}}])),
    "an empty document": lambda p: p.find_one({"_id": 1}, {"nothing": 1, "_id": 0}),
    "null": lambda p: p.distinct("nullable"),
}


@pytest.mark.parametrize("read", FALSY.values(), ids=FALSY.keys())
def test_s23_what_is_false_or_empty_is_cached_as_it_is(mongo: MongoApp, plain: Any, read):
    plain.products.update_one({"_id": 1}, {"$set": {"nullable": None}})
    found = [read(mongo.products) for _ in range(2)]
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]
    assert [repr(value) for value in found] == [repr(read(plain.products))] * 2


def test_s23_that_there_is_no_document_ends_when_there_is_one(
    mongo: MongoApp, other_mongo: MongoApp
):
    assert [name_of(mongo, 9) for _ in range(2)] == [None, None]
    other_mongo.products.insert_one({"_id": 9, "name": "late"})
    assert name_of(mongo, 9) == "late"


# -- large results ----------------------------------------------------------------------------

MANY = 1000


@pytest.fixture
def many(plain: Any) -> list[dict[str, Any]]:
    documents = [{"_id": i, "filler": "x" * 100} for i in range(MANY)]
    plain.products.drop()
    plain.products.insert_many(documents)
    return documents


LIMITS = {
    "rows": Policy(max_rows=300),
    "one row too few": Policy(max_rows=MANY - 1),
    "bytes": Policy(max_bytes=20_000),
    "first batch": Policy(max_rows=5),
}
WAYS = {
    "find": lambda p: p.find().sort("_id"),
    "find in small batches": lambda p: p.find(batch_size=7).sort("_id"),
    "aggregate": lambda p: p.aggregate([{"$sort": {"_id": 1}}]),
    "aggregate in small batches": lambda p: p.aggregate([{"$sort": {"_id": 1}}], batchSize=7),
}


@pytest.mark.parametrize("policy", LIMITS.values(), ids=LIMITS.keys())
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_result_that_is_too_large_is_read_on_without_loss_or_repetition(
    mongo: MongoApp, many: list[dict[str, Any]], policy: Policy, way
):
    mongo.cache.policy(f"{SHOP}.products", policy)
    for _ in range(2):
        assert list(way(mongo.products)) == many
        assert mongo.log.last().reason is Reason.TOO_LARGE
        assert not mongo.log.last().stored
    assert way(mongo.products).to_list(5) == many[:5]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_result_of_many_batches_is_cached_whole(mongo: MongoApp, many: list[dict[str, Any]], way):
    mongo.cache.policy(f"{SHOP}.products", Policy(max_rows=MANY))
    assert [list(way(mongo.products)) for _ in range(2)] == [many] * 2
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_an_error_in_a_later_batch_is_raised_where_it_would_have_been(
    mongo: MongoApp, many: list[dict[str, Any]], plain: Any, way
):
    """
    The error comes when the documents before it have been given out, and the result is not kept.
    """
    fail = {"configureFailPoint": "failCommand", "mode": {"times": 1}}
    fail["data"] = {"failCommands": ["getMore"], "errorCode": 2}
    for _ in range(2):
        plain.client.admin.command(fail)
        found = []
        with pytest.raises(pymongo.errors.OperationFailure):
            read_on(way(mongo.products), found)
        assert 0 < len(found) < MANY
        assert found == many[: len(found)]
        assert not mongo.log.last().stored
    plain.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    plain.client.admin.command({**fail, "mode": {"times": 1}})
    with pytest.raises(pymongo.errors.OperationFailure):
        way(mongo.products).to_list()


def read_on(cursor: Any, found: list[Any]) -> None:
    while True:
        found.append(next(cursor))


def test_errors_are_those_of_the_database(mongo: MongoApp, plain: Any):
    class Own(dict):
        pass

    codec = plain.codec_options.with_options(document_class=Own)
    reads = {
        "find": lambda p: list(p.find({"$bad": 1})),
        "aggregate": lambda p: list(p.aggregate([{"$match": {"$bad": 1}}])),
        "aggregate at a document": lambda p: list(
            p.aggregate([{"$project": {"x": {"$divide": [1, {"$subtract": ["$price", 2]}]}}}])
        ),
        "count": lambda p: p.count_documents({"$bad": 1}),
        "distinct": lambda p: p.distinct("name", {"$bad": 1}),
    }
    for read in reads.values():
        raised = []
        for products in (plain.products, mongo.products):
            with pytest.raises(pymongo.errors.OperationFailure) as caught:
                read(products.with_options(codec))
            details = dict(caught.value.details)
            raised.append((str(caught.value), caught.value.code, type(caught.value.details)))
            assert details["ok"] == 0
        assert _without_times(raised[0]) == _without_times(raised[1])


def _without_times(raised: tuple[Any, ...]) -> tuple[Any, ...]:
    text, *rest = raised
    return (text.partition(", full error")[0], *rest)


def test_a_date_that_python_does_not_have(mongo: MongoApp, plain: Any):
    plain.command(
        "update",
        "products",
        updates=[{"q": {"_id": 1}, "u": [{"$set": {"at": {"$toDate": 2**60}}}]}],
    )
    for read in (
        lambda p: p.find_one({"_id": 1}),
        lambda p: list(p.aggregate([{"$match": {"_id": 1}}])),
        lambda p: p.distinct("at"),
    ):
        for products in (plain.products, mongo.products):
            with pytest.raises(InvalidBSON):
                read(products)
