"""
Policies of an application that has MongoDB only, and of one that has both.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from ormcache import Cache, ConfigurationError, Outcome, Policy, Reason
from tests.fixtures.mongo import SHOP, MakeMongoApp, MongoApp

WITHOUT_SQL = """
import sys
from ormcache import Cache, Policy
from ormcache.pymongo import AsyncMongoClient, MongoClient

cache = Cache.from_url("memory://", default=Policy(ttl=5))
cache.policy("shop.*", ttl=60)
cache.policy("shop.audit", Policy.never)
with MongoClient(cache=cache, connect=False) as client:
    client.shop.products.with_cache(ttl=5)
AsyncMongoClient(cache=cache, connect=False)
cache.policies()
foreign = {"sqlalchemy", "sqlglot", "msgspec", "redis", "greenlet"}
print(sorted(foreign & set(sys.modules)))
"""


class Base(DeclarativeBase):
    pass


class Parcel(Base):
    __tablename__ = "parcels_of_a_mixed_application"
    id: Mapped[int] = mapped_column(primary_key=True)


def test_an_application_without_sql_needs_nothing_of_it():
    command = [sys.executable, "-W", "error", "-c", WITHOUT_SQL]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"


def test_collections_are_named_beside_tables():
    cache = Cache.from_url("memory://")
    cache.policy(f"{SHOP}.products", ttl=60)
    cache.policy("shop.*", ttl=60)
    cache.policy("parcels_of_*", ttl=60)
    cache.enable(sessionmaker(create_engine("sqlite://")))
    cache.policy("shop.orders", ttl=60)
    with pytest.raises(ConfigurationError, match="did you mean 'parcels_of_a_mixed_application'"):
        cache.policy("parcels_of_a_mixed_aplication", ttl=60)
    with pytest.raises(ConfigurationError, match="unknown table"):
        cache.policy("parsels_*", ttl=60)
    cache.close()


def test_the_more_specific_policy_counts(mongo: MongoApp):
    def reason(collection: Any) -> Reason | None:
        collection.find_one()
        return mongo.log.last().reason

    assert reason(mongo.client["unnamed"].things) is Reason.NO_POLICY
    assert reason(mongo.products) is None
    mongo.cache.policy(f"{SHOP}.*", Policy.never)
    assert reason(mongo.products) is Reason.NEVER
    mongo.cache.policy(f"{SHOP}.products", ttl=60)
    assert reason(mongo.products) is None
    assert reason(mongo.db.categories) is Reason.NEVER
    stage = {"$lookup": {"from": "categories", "pipeline": [], "as": "all"}}
    list(mongo.products.aggregate([stage]))
    assert mongo.log.last().reason is Reason.NEVER
    assert mongo.log.last().tables == (f"{SHOP}.categories", f"{SHOP}.products")


def test_a_policy_file_names_collections(make_mongo: MakeMongoApp, tmp_path: Path):
    file = tmp_path / "ormcache.toml"
    file.write_text(f'[tables."{SHOP}.products"]\nenabled = false\n')
    app = make_mongo(policy_file=file)
    app.products.find_one()
    app.db.categories.find_one()
    assert [read.reason for read in app.log.reads] == [Reason.NEVER, None]


def test_the_default_policy_is_that_of_every_collection(make_mongo: MakeMongoApp):
    app = make_mongo(default=Policy(ttl=60))
    for _ in range(2):
        app.client["unnamed"].things.find_one()
        app.client.admin["system.version"].find_one()
    outcomes = [read.outcome for read in app.log.reads]
    assert outcomes == [Outcome.MISS, Outcome.BYPASS, Outcome.HIT, Outcome.BYPASS]
