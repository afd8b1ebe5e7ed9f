"""
`cache.explain()` answers as the read path of a collection then does, sync and async.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pymongo
import pytest
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern

from ormcache import Cache, ConfigurationError, Explanation, Outcome, Policy, Reason
from ormcache.model import Fetched
from tests.fixtures.mongo import SHOP, MakeMongoApp, MongoApp
from tests.fixtures.waited import Waited

LOOKUP = {"$lookup": {"from": "categories", "localField": "category", "foreignField": "_id"}}
JOINED = [{"$match": {"category": 1}}, {"$lookup": {**LOOKUP["$lookup"], "as": "c"}}]


class Keys:
    """
    The app's own store of either kind, which remembers the keys it was asked for.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: list[str | None] = []

    def fetch(self, key: str | None, scopes: Any) -> Fetched:
        self.asked.append(key)
        return self._store.fetch(key, scopes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def raw(found: Any) -> Any:
    """
    What the application itself would hold, without the test's waiting around it.
    """
    return found.target if isinstance(found, Waited) else found


def explain(app: MongoApp, read: Any, *arguments: Any, **options: Any) -> Explanation:
    if app.loop is None:
        return app.cache.explain(read, *arguments, **options)
    return app.loop.run(app.cache.aexplain(read, *arguments, **options))


def fetch_all(app: MongoApp, read: Any, *arguments: Any, **options: Any) -> None:
    async def wait() -> None:
        found = read(*arguments, **options) if callable(read) else read
        found = await found if asyncio.iscoroutine(found) else found
        if hasattr(found, "to_list"):
            await found.to_list()

    if app.loop is not None:
        app.loop.run(wait())
        return
    found = read(*arguments, **options) if callable(read) else read
    if hasattr(found, "to_list"):
        found.to_list()


def check(app: MongoApp, read: Any, *arguments: Any, **options: Any) -> Explanation:
    """
    The explanation of a read, after comparing it with what then happens.
    """
    app.sent_since()
    told = len(app.log.reads)
    explained = explain(app, read, *arguments, **options)
    sent = app.sent_since()
    assert not set(sent) & {"find", "aggregate", "count", "distinct", "getMore"}, sent
    assert len(app.log.reads) == told
    keys, kept = Keys(app.cache.store), (app.cache.store, app.cache.async_store)
    app.cache.store = keys
    if app.loop is not None:
        app.cache.async_store = keys = Keys(kept[1])
    fetch_all(app, read, *arguments, **options)
    app.cache.store, app.cache.async_store = kept
    assert len(app.log.reads) == told + 1
    event = app.log.last()
    assert explained.statement == event.statement
    assert explained.tables == event.tables
    if explained.cached:
        assert explained.reason is None
        assert event.stored or event.outcome is Outcome.HIT, event
        assert explained.key in keys.asked
    elif explained.served or explained.stored:
        assert explained.key in keys.asked
    else:
        assert (explained.reason, explained.detail) == (event.reason, event.detail)
        assert event.outcome is Outcome.BYPASS
        assert explained.key is None
    return explained


CACHED: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "a cursor": lambda c: (c.find({"category": 1}, {"name": 1}).sort("price").limit(2),),
    "find": lambda c: (c.find, {"category": 1}, {"name": 1}),
    "find, everything": lambda c: (c.find,),
    "find_one": lambda c: (c.find_one, {"_id": 1}),
    "find_one by id": lambda c: (c.find_one, 1),
    "aggregate": lambda c: (c.aggregate, JOINED),
    "count": lambda c: (c.count_documents, {"category": 1}),
    "estimate": lambda c: (c.estimated_document_count,),
    "distinct": lambda c: (c.distinct, "name", {"category": 1}),
    "settings of its own": lambda c: (c.with_cache(ttl=5).find_one, {"_id": 1}),
    "a policy of its own": lambda c: (c.with_cache(Policy(ttl=7)).find_one, {"_id": 1}),
}
LEFT: dict[str, tuple[Callable[[Any], tuple[Any, ...]], Reason, str]] = {
    "uncached": (lambda c: (c.uncached().find_one, 1), Reason.NEVER, "leave out uncached()"),
    "never": (
        lambda c: (c.with_cache(Policy.never).find_one, 1),
        Reason.NEVER,
        "leave out with_cache()",
    ),
    "random": (lambda c: (c.aggregate, [{"$sample": {"size": 1}}]), Reason.STATEMENT, ""),
    "now": (
        lambda c: (c.find, {"$expr": {"$gt": ["$price", "$$NOW"]}}),
        Reason.STATEMENT,
        "compute the time in the application",
    ),
    "majority": (
        lambda c: (c.with_options(read_concern=ReadConcern("majority")).find_one, 1),
        Reason.ISOLATION,
        "ReadConcern('local')",
    ),
    "secondary": (
        lambda c: (
            c.with_options(read_preference=ReadPreference.SECONDARY_PREFERRED).find,
            {"_id": 1},
        ),
        Reason.ISOLATION,
        "ReadPreference.PRIMARY",
    ),
    "vary": (
        lambda c: (c.with_cache(vary=["tenant"]).find_one, 1),
        Reason.PARAMETERS,
        "register it: cache.vary('tenant'",
    ),
}


@pytest.mark.parametrize("name", CACHED)
def test_what_is_cached(mongo: MongoApp, name: str):
    products = raw(mongo.products)

    explained = check(mongo, *CACHED[name](products))
    again = check(mongo, *CACHED[name](products))

    assert explained.cached
    assert again == explained
    assert mongo.log.last().outcome is Outcome.HIT
    assert "mongodb/ormcache_shop.products" in explained.scopes


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_the_database(mongo: MongoApp, name: str):
    made, reason, advice = LEFT[name]

    explained = check(mongo, *made(raw(mongo.products)))

    assert explained.reason is reason
    assert advice in explained.advice
    assert str(explained).startswith(f"cached        no, {reason.value}")


def test_it_shows_what_is_in_force_and_who_made_it(mongo: MongoApp):
    mongo.cache.policy(f"{SHOP}.products", ttl=60, vary=["tenant"])
    mongo.cache.policy(f"{SHOP}.categories", ttl=30, depends_on=["prices"])
    mongo.cache.vary("tenant", lambda: 7)
    products = raw(mongo.products)

    lines = str(check(mongo, products.aggregate, JOINED)).splitlines()

    shown = "\n".join(" ".join(line.split()) for line in lines)
    assert "cached yes" in shown
    assert "tables ormcache_shop.categories, ormcache_shop.products" in shown
    by = f"by cache.policy('{SHOP}.categories')"
    assert f"policy ttl=30.0, depends_on=('prices',) {by}" in shown
    assert f"vary=('tenant',) by cache.policy('{SHOP}.products')" in shown
    assert "varies by tenant, which has a value now" in shown
    assert "ormcache_shop.categories, ormcache_shop.prices, ormcache_shop.products" in shown
    assert "engine MongoDB at 127.0.0.1:" in shown
    own = check(mongo, products.with_cache(ttl=5).find_one, {"_id": 1})
    assert own.origins["ttl"] == "with_cache()"
    assert own.policy.ttl == 5
    assert own.origins["vary"] == f"cache.policy('{SHOP}.products')"


def test_no_value_is_shown(mongo: MongoApp):
    assert "secret" not in str(check(mongo, raw(mongo.products).find, {"name": "secret"}))


def test_policies_are_named_where_they_lack_or_forbid(mongo: MongoApp):
    unnamed = raw(mongo.client["unnamed"]["things"])
    explained = check(mongo, unnamed.find_one)
    assert explained.reason is Reason.NO_POLICY
    assert (
        explained.advice == "give unnamed.things a policy: cache.policy('unnamed.things', ttl=60)"
    )
    mongo.cache.policy("unnamed.things", ttl=60)
    assert check(mongo, unnamed.find_one).cached
    mongo.cache.policy(f"{SHOP}.categories", Policy.never)
    explained = check(mongo, raw(mongo.products).aggregate, JOINED)
    assert explained.reason is Reason.NEVER
    assert f"cache.policy('{SHOP}.categories', ttl=60)" in explained.advice
    assert not explained.policy.enabled


def test_a_view_depends_on_what_it_is_made_of(mongo: MongoApp):
    mongo.db.command({"create": "cheap", "viewOn": "products", "pipeline": [{"$match": {}}]})

    explained = check(mongo, raw(mongo.db["cheap"]).find, {})

    assert explained.cached
    assert explained.tables == (f"{SHOP}.cheap",)
    assert {"mongodb/ormcache_shop.cheap", "mongodb/ormcache_shop.products"} <= set(
        explained.scopes
    )


def test_modes_and_blocks(mongo: MongoApp):
    read = raw(mongo.products).find_one, {"_id": 1}
    with mongo.cache.bypass():
        assert explain(mongo, *read).advice == "leave the cache.bypass() block"
    with mongo.cache.refresh():
        explained = explain(mongo, *read)
        assert (explained.served, explained.stored) == (False, True)
        assert explained.advice == "leave the cache.refresh() block"
    mongo.cache.mode = "off"
    assert check(mongo, *read).advice == "set cache.mode = 'on'"
    mongo.cache.mode = "shadow"
    explained = check(mongo, *read)
    assert (explained.served, explained.stored) == (False, True)
    assert explained.reason is Reason.SHADOW


def test_a_transaction_is_seen(mongo: MongoApp):
    with mongo.client.start_session() as session, session.start_transaction():
        explained = check(mongo, raw(mongo.products).find_one, {"_id": 1}, session=raw(session))
    assert explained.advice == "read outside of the transaction"


def test_an_aggregation_that_writes_is_no_read_and_is_not_sent(mongo: MongoApp, plain: Any):
    merging = [{"$match": {}}, {"$merge": {"into": "copies"}}]

    explained = explain(mongo, raw(mongo.products).aggregate, merging)

    assert explained.kind == "write"
    assert "mongodb/ormcache_shop.copies" in explained.invalidates
    assert "no, it is a write statement" in str(explained)
    assert "copies" not in plain.list_collection_names()


def test_a_cursor_is_as_it_was(mongo: MongoApp):
    cursor = mongo.products.find({}).sort("_id")
    explained = explain(mongo, raw(cursor))
    assert explained.cached
    assert [document["_id"] for document in cursor] == [1, 2, 3]


def test_with_the_store_down_the_reason_is_the_store(make_mongo: MakeMongoApp):
    app = make_mongo(store_url="redis://127.0.0.1:1/0", timeout=0.5)
    assert explain(app, raw(app.products).find_one, {"_id": 1}).reason is Reason.STORE


def test_what_cannot_be_explained_says_how_to_ask(
    mongo: MongoApp, other_mongo: MongoApp, mongodb_server: Any
):
    products = raw(mongo.products)
    with pytest.raises(ConfigurationError, match=r"takes a cursor of find.*got insert_one"):
        explain(mongo, products.insert_one, {"_id": 9})
    with pytest.raises(ConfigurationError, match="takes a cursor of find"):
        explain(mongo, products)
    with pytest.raises(ConfigurationError, match="a cursor has all its arguments"):
        explain(mongo, products.find(), {"_id": 9})
    with pytest.raises(ConfigurationError, match=r"aggregate\(\) cannot be called like this"):
        explain(mongo, products.aggregate)
    with pytest.raises(ConfigurationError, match="has been sent by now"):
        explain(mongo, raw(mongo.products.aggregate([])))
    with pytest.raises(ConfigurationError, match="another cache"):
        explain(mongo, raw(other_mongo.products).find())
    kind = pymongo.MongoClient if mongo.loop is None else pymongo.AsyncMongoClient
    with pytest.raises(ConfigurationError, match=r"ormcache\.pymongo\.MongoClient"):
        explain(mongo, kind(mongodb_server.url, connect=False).shop.products.find())


def test_each_kind_of_client_has_its_method(mongo: MongoApp):
    products = raw(mongo.products)
    if mongo.loop is None:
        with pytest.raises(ConfigurationError, match=r"cache\.explain\("):
            asyncio.run(mongo.cache.aexplain(products.find()))
    else:
        with pytest.raises(ConfigurationError, match=r"await cache\.aexplain\("):
            mongo.cache.explain(products.find())


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_sql_has_no_part_in_it(mongo: MongoApp):
    with pytest.raises(ConfigurationError, match="takes a cursor of MongoDB's"):
        asyncio.run(mongo.cache.aexplain("SELECT 1"))
    with pytest.raises(ConfigurationError, match="explained like this"):
        Cache.from_url("memory://").explain("SELECT 1", None, 1)
    with pytest.raises(ConfigurationError, match="bind= is for SQL"):
        mongo.cache.explain(mongo.products.find(), bind=1)
