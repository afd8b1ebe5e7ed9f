"""
S18: the same command with another meaning: type, order, option, user, database, deployment.
"""

import uuid
from typing import Any

import pymongo
import pytest
from bson import SON, Binary, Int64
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.decimal128 import Decimal128
from pymongo.collation import Collation
from pymongo.read_concern import ReadConcern

from ormcache import Outcome, Policy, Reason
from ormcache.testing import servers
from tests.fixtures.mongo import SHOP, MakeMongoApp, MongoApp
from tests.integration.conformance.test_store_losses import OURS
from tests.integration.conformance_mongo.steps import name_of, warm


def outcomes(app: MongoApp, *reads: Any) -> list[Outcome]:
    app.log.outcomes()
    for read in reads:
        read(app.products)
    return app.log.outcomes()


ALIKE = [1, True, 1.0, "1", Int64(1), Decimal128("1"), Decimal128("1.0"), [1], {"$eq": 1}, b"1"]


def test_s18_values_that_look_alike_are_different_reads(mongo: MongoApp):
    for expected in (Outcome.MISS, Outcome.HIT):
        reads = [lambda p, value=value: p.find_one({"price": value}) for value in ALIKE]
        assert outcomes(mongo, *reads) == [expected] * len(ALIKE)


DIFFERENT = {
    "projection": (lambda p: p.find_one({}, {"name": 1}), lambda p: p.find_one({}, {"price": 1})),
    "sort": (lambda p: list(p.find().sort("name")), lambda p: list(p.find().sort("name", -1))),
    "sort order": (
        lambda p: list(p.find().sort([("name", 1), ("price", 1)])),
        lambda p: list(p.find().sort([("price", 1), ("name", 1)])),
    ),
    "filter order": (
        lambda p: list(p.find({"d": SON([("a", 1), ("b", 1)])})),
        lambda p: list(p.find({"d": SON([("b", 1), ("a", 1)])})),
    ),
    "skip": (lambda p: list(p.find().skip(1)), lambda p: list(p.find().skip(2))),
    "limit": (lambda p: list(p.find().limit(1)), lambda p: list(p.find().limit(2))),
    "collation": (
        lambda p: list(p.find({"name": "OLD"})),
        lambda p: list(p.find({"name": "OLD"}).collation(Collation("en", strength=2))),
    ),
    "collation of a count": (
        lambda p: p.count_documents({"name": "OLD"}),
        lambda p: p.count_documents({"name": "OLD"}, collation=Collation("en", strength=2)),
    ),
    "let": (
        lambda p: list(p.find({"$expr": {"$eq": ["$price", "$$n"]}}, let={"n": 1})),
        lambda p: list(p.find({"$expr": {"$eq": ["$price", "$$n"]}}, let={"n": 2})),
    ),
    "let of an aggregation": (
        lambda p: list(p.aggregate([{"$set": {"n": "$$n"}}], let={"n": 1})),
        lambda p: list(p.aggregate([{"$set": {"n": "$$n"}}], let={"n": 2})),
    ),
    "count and find": (lambda p: p.count_documents({}), lambda p: list(p.find({}))),
    "count's limit": (
        lambda p: p.count_documents({}, limit=1),
        lambda p: p.count_documents({}, limit=2),
    ),
    "distinct key": (lambda p: p.distinct("name"), lambda p: p.distinct("price")),
    "show_record_id": (lambda p: list(p.find()), lambda p: list(p.find(show_record_id=True))),
    "uuid representation": (
        lambda p: p.with_options(CodecOptions(uuid_representation=4)).find_one(
            {"u": uuid.UUID(int=1)}
        ),
        lambda p: p.with_options(CodecOptions(uuid_representation=3)).find_one(
            {"u": uuid.UUID(int=1)}
        ),
    ),
    "collection": (lambda p: p.find_one(), lambda p: p.database.categories.find_one()),
    "subcollection": (lambda p: p.find_one(), lambda p: p.archive.find_one()),
    "database": (
        lambda p: p.find_one(),
        lambda p: p.database.client["ormcache_other"].products.find_one(),
    ),
}


@pytest.mark.parametrize("reads", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_s18_whatever_changes_the_answer_is_part_of_the_read(mongo: MongoApp, reads):
    first, second = reads
    assert outcomes(mongo, first, first) == [Outcome.MISS, Outcome.HIT]
    assert outcomes(mongo, second, second) == [Outcome.MISS, Outcome.HIT]
    assert outcomes(mongo, first) == [Outcome.HIT]


def test_s18_what_cannot_change_the_answer_is_not(mongo: MongoApp):
    products = mongo.products
    list(products.find({"price": 1}))
    mongo.log.outcomes()
    list(products.find({"price": 1}, batch_size=2, comment="c", max_time_ms=1000))
    list(products.find({"price": 1}).allow_disk_use(True))
    list(products.with_options(read_concern=ReadConcern("local")).find({"price": 1}))
    assert mongo.log.outcomes() == [Outcome.HIT] * 3


def test_s18_uuids_are_told_apart_by_their_representation(mongo: MongoApp, plain: Any):
    value = uuid.UUID(int=2**100 + 7)
    for subtype in (UuidRepresentation.STANDARD, UuidRepresentation.JAVA_LEGACY):
        plain.products.insert_one({"u": Binary.from_uuid(value, subtype), "of": subtype})
    for subtype in (UuidRepresentation.STANDARD, UuidRepresentation.JAVA_LEGACY):
        products = mongo.products.with_options(CodecOptions(uuid_representation=subtype))
        for _ in range(2):
            assert products.find_one({"u": value})["of"] == subtype
            assert products.distinct("of", {"u": value}) == [subtype]
            assert products.count_documents({"u": value}) == 1
            assert products.aggregate([{"$match": {"u": value}}]).to_list()[0]["u"] == value


def test_s18_a_value_that_varies(mongo: MongoApp):
    tenant = ["a"]
    mongo.cache.policy(f"{SHOP}.products", Policy(vary=["tenant"]))
    name_of(mongo)
    assert mongo.log.last().reason is Reason.PARAMETERS
    mongo.cache.vary("tenant", lambda: tenant[0])
    warm(mongo)
    tenant[0] = "b"
    assert outcomes(mongo, lambda p: p.find_one({"_id": 1})) == [Outcome.MISS]


@pytest.fixture(scope="module")
def with_users() -> Any:
    with servers.mongodb(sources=OURS) as server:
        yield server


def test_s18_two_users_never_share_an_entry(
    make_mongo: MakeMongoApp, mongodb_server: servers.Server, plain: Any
):
    admin = plain.client.admin
    apps = []
    for name in ("ann", "bob"):
        if not admin.command("usersInfo", name)["users"]:
            admin.command("createUser", name, pwd="secret", roles=["readWriteAnyDatabase"])
        apps.append(
            make_mongo(client={"username": name, "password": "secret", "authSource": "admin"})
        )
    for app in apps:
        warm(app)
        assert app.log.reads == []
    first, second = apps
    assert first.cache.counts[Outcome.MISS] == second.cache.counts[Outcome.MISS] == 1
    first.products.update_one({"_id": 1}, {"$set": {"name": "new"}})
    assert name_of(second) == "new"


def test_s18_two_deployments_never_share_an_entry(
    make_mongo: MakeMongoApp, mongo: MongoApp, with_users: servers.Server
):
    elsewhere = make_mongo(url=with_users.url)
    elsewhere.products.drop()
    elsewhere.products.insert_one({"_id": 1, "name": "theirs"})
    warm(mongo)
    assert name_of(elsewhere) == "theirs"
    assert [name_of(mongo), name_of(elsewhere)] == ["old", "theirs"]
    assert elsewhere.log.outcomes() == [Outcome.MISS, Outcome.HIT]


def test_s18_two_addresses_of_one_deployment_share_everything(
    make_mongo: MakeMongoApp, mongo: MongoApp, mongodb_server: servers.Server
):
    other = make_mongo(url=mongodb_server.url.replace("127.0.0.1", "localhost") + "&appName=other")
    warm(mongo)
    assert outcomes(other, lambda p: p.find_one({"_id": 1})) == [Outcome.HIT]
    other.products.update_one({"_id": 1}, {"$set": {"name": "new"}})
    assert name_of(mongo) == "new"


def test_s18_another_read_preference_is_left_to_the_database(mongo: MongoApp):
    products = mongo.products.with_options(
        read_preference=pymongo.ReadPreference.SECONDARY_PREFERRED
    )
    for _ in range(2):
        assert products.find_one({"_id": 1})["name"] == "old"
    assert [read.reason for read in mongo.log.reads] == [Reason.ISOLATION] * 2
