"""
Whatever the documents, the read and the codec options: what the cache answers is what MongoDB does.
"""

import datetime as dt
import re
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, Code, DatetimeMS, DBRef, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument
from hypothesis import HealthCheck, given, settings, strategies as st

from ormcache import Cache, Outcome
from ormcache.pymongo import MongoClient
from ormcache.testing import servers

DATABASE = "ormcache_property"

# -- documents --------------------------------------------------------------------------------

keys = st.sampled_from(["a", "b", "c", "d"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
dates = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)).map(
    lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
)
values = st.one_of(
    *(st.none(), st.booleans(), texts, st.binary(max_size=8), dates),
    *(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1).map(Int64)),
    st.floats(),
    st.sampled_from(["0", "-0", "1.0", "1.00", "NaN", "Infinity", "1E+6000"]).map(Decimal128),
    st.uuids().map(lambda value: Binary.from_uuid(value, 4)),
    st.binary(min_size=16, max_size=16).map(lambda data: Binary(data, 3)),
    st.binary(max_size=4).map(lambda data: Binary(data, 128)),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.sampled_from([Regex("x", "i"), Regex("^y"), Code("f()"), Code("f()", {"x": 1})]),
    st.sampled_from([MinKey(), MaxKey(), DBRef("other", 1), DBRef("other", 1, "db", extra=2)]),
)
nested = st.recursive(
    values,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
documents = st.dictionaries(keys, nested, max_size=4)

# -- reads ------------------------------------------------------------------------------------

operators = st.sampled_from(["$eq", "$ne", "$gt", "$lte"])
conditions = st.one_of(
    st.builds(lambda operator, value: {operator: value}, operators, nested),
    st.builds(
        lambda several: {"$in": several},
        st.lists(values.filter(lambda v: not isinstance(v, Regex)), max_size=3),
    ),
    st.builds(lambda there: {"$exists": there}, st.booleans()),
    st.builds(
        lambda kind: {"$type": kind}, st.sampled_from(["string", "number", "array", "object"])
    ),
)
filters = st.dictionaries(keys, conditions, max_size=2)
projections = st.one_of(
    st.none(),
    st.dictionaries(keys, st.just(1), min_size=1, max_size=2),
    st.dictionaries(keys, st.just(0), min_size=1, max_size=2),
)
# Ends with the key that no two documents share, or the order would not be an answer.
sorts = st.lists(
    st.tuples(keys, st.sampled_from([1, -1])), max_size=2, unique_by=lambda s: s[0]
).map(lambda several: [*several, ("_id", 1)])
stages = st.one_of(
    filters.map(lambda said: {"$match": said}),
    keys.map(lambda key: {"$set": {"copy": f"${key}", "kind": {"$type": f"${key}"}}}),
    keys.map(lambda key: {"$project": {key: 1}}),
    keys.map(lambda key: {"$unset": key}),
    st.integers(1, 4).map(lambda number: {"$limit": number}),
    keys.map(lambda key: {"$unwind": f"${key}"}),
    st.just({"$lookup": {"from": "things", "localField": "a", "foreignField": "b", "as": "found"}}),
)
pipelines = st.lists(stages, max_size=3).map(lambda several: [{"$sort": {"_id": 1}}, *several])
pages = st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2, -1]))


class Named(dict):
    pass


class Shout(TypeDecoder):
    bson_type = str

    def transform_bson(self, value: str) -> Any:
        return ("shouted", value)


CODECS = {
    "default": CodecOptions(),
    "aware": CodecOptions(tz_aware=True, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    "standard uuids": CodecOptions(uuid_representation=4),
    "legacy uuids": CodecOptions(uuid_representation=3),
    "OrderedDict": CodecOptions(document_class=OrderedDict),
    "a class of one's own": CodecOptions(document_class=Named, tz_aware=True),
    "raw": CodecOptions(document_class=RawBSONDocument),
    "milliseconds": CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS),
    "a decoder": CodecOptions(type_registry=TypeRegistry([Shout()])),
}


@pytest.fixture(scope="module")
def clients(
    mongodb_server: servers.Server, redis_server: servers.Server
) -> Iterator[tuple[Any, Any, Cache]]:
    """
    A client that no cache knows, one that has one, and that.
    """
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    cache = Cache.from_url(redis_server.url, namespace=namespace, timeout=5.0)
    cache.policy(f"{DATABASE}.*", ttl=300)
    with (
        pymongo.MongoClient(mongodb_server.url) as plain,
        MongoClient(mongodb_server.url, cache=cache) as cached,
    ):
        plain.drop_database(DATABASE)
        yield plain, cached, cache
    cache.close()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    several=st.lists(documents, max_size=4),
    said=filters,
    projection=projections,
    sort=sorts,
    page=pages,
    pipeline=pipelines,
    key=keys,
)
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_cached_equals_uncached(
    clients, codec, several, said, projection, sort, page, pipeline, key
):
    plain, cached, cache = clients
    skip, limit = page
    things = cached[DATABASE].things
    things.delete_many({})
    if several:
        things.insert_many([{**document, "_id": i} for i, document in enumerate(several)])

    def reads(client: Any) -> list[Any]:
        things = client[DATABASE].things.with_options(codec)

        def find():
            return things.find(said, projection).sort(sort).skip(skip).limit(limit)

        return [
            attempted(lambda: list(find())),
            attempted(lambda: things.find_one(said, projection, sort=sort)),
            attempted(lambda: things.count_documents(said)),
            attempted(things.estimated_document_count),
            attempted(lambda: things.distinct(key, said)),
            attempted(lambda: list(things.aggregate(pipeline))),
        ]

    expected = reads(plain)
    assert reads(cached) == expected  # misses
    before = cache.counts[Outcome.HIT]
    assert reads(cached) == expected
    answered = sum(not isinstance(found, str) for found in expected)
    assert cache.counts[Outcome.HIT] - before == answered


def attempted(read: Any) -> Any:
    """
    What a read gives, exact in value and type, or its error as a text.
    """
    try:
        return [exact(read())]
    except (pymongo.errors.PyMongoError, bson.errors.BSONError) as error:
        return f"{type(error).__name__}: {re.split(', full error|lsid', str(error))[0]}"


def exact(value: Any) -> Any:
    """
    Something that is equal for two values only if they are the same in value and type.
    """
    kind = type(value)
    if isinstance(value, RawBSONDocument):
        return kind, value.raw
    if isinstance(value, dict):
        return kind, [(key, exact(inner)) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return kind, [exact(inner) for inner in value]
    if isinstance(value, Binary):
        return kind, value.subtype, bytes(value)
    if isinstance(value, Regex):
        return kind, value.pattern, value.flags
    if isinstance(value, Code):
        return kind, str(value), exact(value.scope)
    if isinstance(value, DBRef):
        return kind, exact(dict(value.as_doc()))
    if isinstance(value, float | Decimal128 | dt.datetime | DatetimeMS):
        return kind, repr(value)
    return kind, value
