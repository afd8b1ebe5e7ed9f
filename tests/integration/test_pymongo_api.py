"""
PyMongo's public API is intact: same signatures, same classes, same behaviour of cursors.
"""

import copy
import inspect
from typing import Any

import pymongo
import pytest
from bson.codec_options import CodecOptions
from pymongo.asynchronous import collection as theirs_async
from pymongo.errors import InvalidOperation
from pymongo.synchronous import collection as theirs

import ormcache.pymongo as ours
from ormcache import ConfigurationError, Outcome, Policy, Reason
from ormcache.pymongo import async_client, async_cursors, cursors
from tests.fixtures.mongo import SHOP, MongoApp

CLASSES = [
    *(ours.Collection, ours.AsyncCollection, ours.Database, ours.AsyncDatabase),
    *(cursors.Cursor, cursors.CommandCursor),
    *(async_cursors.AsyncCursor, async_cursors.AsyncCommandCursor, async_client.AsyncClientSession),
    *(ours.MongoClient, ours.AsyncMongoClient),
]
ADDED = {"with_cache", "uncached"}


def overridden(cls: type) -> list[str]:
    return [
        name
        for name, value in vars(cls).items()
        if (callable(value) or isinstance(value, property))
        and not name.startswith("_ormcache")
        and name not in ADDED
    ]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_method_has_the_signature_of_its_parents(cls: type):
    parent = cls.__mro__[1]
    for name in overridden(cls):
        if name in ("__init__", "_unpack_response") or not hasattr(parent, name):
            continue
        own, other = getattr(cls, name), getattr(parent, name)
        assert own.__name__ == other.__name__
        assert parameters(own) == parameters(other), name
        assert inspect.iscoroutinefunction(own) == inspect.iscoroutinefunction(other), name


def parameters(method: Any) -> list[tuple[str, Any, Any]]:
    signature = inspect.signature(method)
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


@pytest.mark.parametrize("cls", [ours.MongoClient, ours.AsyncMongoClient])
def test_a_client_takes_a_cache_and_all_that_its_parent_takes(cls: type):
    own = parameters(cls.__init__)
    assert [p for p in own if p[0] != "cache"] == parameters(cls.__mro__[1].__init__)
    assert ("cache", inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty) in own


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_nothing_public_is_added_but_the_choice_of_caching(cls: type):
    added = {name for name in dir(cls) if not name.startswith("_")} - set(dir(cls.__mro__[1]))
    assert added <= ADDED


WRITES = "insert update replace delete find_one_and bulk_write create_index drop rename".split()


def test_every_method_that_writes_is_covered_on_an_event_loop():
    names = {
        name
        for name in vars(theirs_async.AsyncCollection)
        if name.startswith(tuple(WRITES)) and "search" not in name
    }
    assert len(names) >= 17
    assert names <= set(vars(ours.AsyncCollection))


def test_whatever_is_derived_is_of_our_classes(mongo: MongoApp):
    client = mongo.client if mongo.loop is None else mongo.client.target
    collection = ours.Collection if mongo.loop is None else ours.AsyncCollection
    database = ours.Database if mongo.loop is None else ours.AsyncDatabase
    codec = CodecOptions(tz_aware=True)
    for db in (
        *(client[SHOP], client.ormcache_shop, client.get_database(SHOP)),
        *(client.get_default_database(SHOP), client[SHOP].with_options(codec)),
    ):
        assert type(db) is database
        for made in (
            *(db["a"], db.a, db.get_collection("a"), db.a.b, db.a["b"]),
            *(db.a.with_options(codec), db.a.with_cache(ttl=5), db.a.uncached()),
            db.a.find().collection,
        ):
            assert type(made) is collection
    assert client[SHOP].with_options(codec).a.codec_options == codec
    assert type(mongo.db.create_collection("made")).__name__ in ("Collection", "Waited")
    plain = (theirs if mongo.loop is None else theirs_async).__dict__[collection.__name__]
    assert client[SHOP].a == client[SHOP].a.uncached()
    assert isinstance(client[SHOP].a, plain)


def test_a_choice_for_one_object_stays_with_it_and_reaches_no_server(mongo: MongoApp):
    products = mongo.products
    products.uncached().with_options(CodecOptions(tz_aware=True)).find_one()
    assert mongo.log.last().reason is Reason.NEVER
    mongo.client["unnamed"].things.with_cache(ttl=5).find_one()
    assert mongo.log.last().stored
    mongo.client["unnamed"].things.with_cache(Policy.never).find_one()
    assert mongo.log.last().reason is Reason.NEVER
    mongo.client["unnamed"].things.find_one()
    assert mongo.log.last().reason is Reason.NO_POLICY
    assert not any("cache" in key for command in mongo.sent.commands for key in command)
    for wrong in (
        lambda: products.with_cache(tttl=5),
        lambda: products.with_cache(5),
        lambda: products.with_cache(Policy(), ttl=5),
    ):
        with pytest.raises(ConfigurationError):
            wrong()


@pytest.mark.parametrize("kind", ["sync"], indirect=True)  # a block is of one context
def test_blocks(mongo: MongoApp):
    mongo.products.find_one()
    with mongo.cache.bypass():
        mongo.products.find_one()
    with mongo.cache.refresh():
        mongo.products.find_one()
    outcomes = [(read.outcome, read.reason, read.stored) for read in mongo.log.reads]
    assert outcomes == [
        (Outcome.MISS, None, True),
        (Outcome.BYPASS, Reason.ASKED, False),
        (Outcome.BYPASS, Reason.ASKED, True),
    ]


CURSOR_OPTIONS = {
    "sort": lambda c: c.sort("price", -1),
    "skip and limit": lambda c: c.sort("_id").skip(1).limit(1),
    "negative limit": lambda c: c.sort("_id").limit(-2),
    "negative limit in batches": lambda c: c.sort("_id").batch_size(1).limit(-2),
    "hint": lambda c: c.hint([("_id", 1)]),
    "min and max": lambda c: c.min([("_id", 2)]).max([("_id", 3)]).hint([("_id", 1)]),
    "collation": lambda c: c.collation(pymongo.collation.Collation("en", strength=2)),
    "batch size": lambda c: c.sort("_id").batch_size(2),
    "comment and time": lambda c: c.sort("_id").comment("x").max_time_ms(10_000),
    "disk": lambda c: c.sort("_id").allow_disk_use(True),
}


@pytest.mark.parametrize("options", CURSOR_OPTIONS.values(), ids=CURSOR_OPTIONS.keys())
def test_a_cursor_with_options_gives_what_pymongos_gives(mongo: MongoApp, plain: Any, options):
    expected = options(plain.products.find({}, {"_id": 1})).to_list()
    assert expected
    for _ in range(2):
        assert list(options(mongo.products.find({}, {"_id": 1}))) == expected
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]


def test_a_cursor_that_was_answered_from_the_cache_is_used_like_any_other(mongo: MongoApp):
    def find() -> Any:
        return mongo.products.find({}, {"_id": 1}).sort("_id")

    everything = [{"_id": i} for i in (1, 2, 3)]
    list(find())
    mongo.sent_since()
    with find() as cursor:
        assert cursor.alive
        assert cursor.retrieved == 0
        assert next(cursor) == {"_id": 1}
        assert cursor.retrieved == 3
        assert cursor.cursor_id == 0
        assert cursor.alive
        with pytest.raises(InvalidOperation):
            cursor.limit(1)
        assert list(cursor.clone()) == everything
        assert cursor.to_list() == everything[1:]
        assert not cursor.alive
        with pytest.raises(StopIteration):
            next(cursor)
        cursor.rewind()
        assert cursor.to_list(2) == everything[:2]
        assert cursor.to_list(2) == everything[2:]
        assert cursor.to_list(2) == []
    assert mongo.sent_since() == []
    assert find().distinct("_id") == [1, 2, 3]
    assert "queryPlanner" in find().explain()


def test_an_aggregation_that_was_answered_from_the_cache_is_used_like_any_other(mongo: MongoApp):
    def aggregate() -> Any:
        return mongo.products.aggregate([{"$sort": {"_id": 1}}, {"$project": {"_id": 1}}])

    for _ in range(2):
        with aggregate() as cursor:
            assert cursor.alive
            assert next(cursor) == {"_id": 1}
            assert cursor.try_next() == {"_id": 2}
            assert cursor.to_list() == [{"_id": 3}]
            assert not cursor.alive
            assert cursor.cursor_id == 0
            assert cursor.try_next() is None
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_a_synchronous_cursor_is_indexed_and_copied(mongo: MongoApp):
    cursor = mongo.products.find({}, {"_id": 1}).sort("_id")
    for _ in range(2):
        assert cursor.clone()[1] == {"_id": 2}
        assert list(copy.copy(cursor)[1:]) == [{"_id": 2}, {"_id": 3}]
        assert list(copy.deepcopy(cursor)[:0]) == []
    assert mongo.log.outcomes() == [Outcome.MISS] * 2 + [Outcome.HIT] * 2


def test_readers_share_nothing_that_can_change(mongo: MongoApp):
    for _ in range(2):
        found = mongo.products.find_one({"_id": 1})
        assert found["name"] == "old"
        found["name"] = "mine"
        values = mongo.products.distinct("name")
        assert values == ["old"]
        values.append("mine")


def test_raw_batches_are_left_to_pymongo(mongo: MongoApp):
    assert b"".join(mongo.products.find_raw_batches()) == b"".join(
        mongo.products.uncached().find_raw_batches()
    )
    assert list(mongo.products.aggregate_raw_batches([{"$limit": 1}]))
    assert mongo.log.reads == []


def test_shadow_mode_compares_document_by_document(mongo: MongoApp, plain: Any):
    mongo.cache.mode = "shadow"
    for _ in range(2):
        assert len(list(mongo.products.find())) == 3
    assert mongo.log.differences == []
    plain.products.update_one({"_id": 1}, {"$set": {"name": "behind ormcache's back"}})
    assert len(list(mongo.products.find())) == 3
    (difference,) = mongo.log.differences
    assert (difference.cached_rows, difference.differing_rows) == (3, 1)
    assert difference.statement == f"find {SHOP}.products"


def test_with_caching_switched_off_the_database_answers_and_writes_invalidate(
    mongo: MongoApp, other_mongo: MongoApp
):
    mongo.products.find_one({"_id": 1})
    other_mongo.cache.mode = "off"
    assert other_mongo.products.find_one({"_id": 1})["name"] == "old"
    assert other_mongo.log.last().reason is Reason.OFF
    other_mongo.products.update_one({"_id": 1}, {"$set": {"name": "new"}})
    assert mongo.products.find_one({"_id": 1})["name"] == "new"


def test_no_value_of_a_command_is_told(mongo: MongoApp):
    mongo.products.find_one({"name": "secret"})
    list(mongo.products.aggregate([{"$match": {"name": "secret"}}]))
    mongo.products.distinct("name", {"name": "secret"})
    assert "secret" not in repr(mongo.log.reads)
