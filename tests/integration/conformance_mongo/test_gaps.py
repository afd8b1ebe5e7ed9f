"""
S1 to S3, S5, S16, S25: somebody reads or writes in the gaps between two steps of somebody else.
"""

from typing import Any

import pytest
from pymongo import WriteConcern
from pymongo.read_concern import ReadConcern

from ormcache import Outcome, Reason
from tests.fixtures.mongo import MakeMongoApp, MongoApp
from tests.fixtures.servers import eventually
from tests.integration.conformance_mongo.steps import at, name_of, rename, truth, warm


@pytest.mark.parametrize("moment", ["after fetch", "after find", "before save"])
def test_s01_rows_older_than_a_write_are_stored_under_tokens_it_has_ended(
    mongo: MongoApp, other_mongo: MongoApp, moment: str
):
    name_of(mongo, 2)  # the catalog is read
    with at(mongo, moment, lambda: rename(other_mongo, "new")):
        assert name_of(mongo) == ("new" if moment == "after fetch" else "old")
    assert name_of(mongo) == "new"
    assert name_of(other_mongo) == "new"


@pytest.mark.parametrize("moment", ["before announce", "after announce", "before settle"])
def test_s02_a_reader_during_a_write_leaves_nothing_stale(
    mongo: MongoApp, other_mongo: MongoApp, plain: Any, moment: str
):
    warm(mongo)

    def read():
        assert [name_of(mongo) for _ in range(2)] == [truth(plain)] * 2

    with at(other_mongo, moment, read):
        rename(other_mongo, "new")
    assert name_of(mongo) == "new"
    assert name_of(other_mongo) == "new"


def test_s03_rows_cached_while_a_write_is_not_committed_die_with_its_commit(
    mongo: MongoApp, other_mongo: MongoApp
):
    with other_mongo.client.start_session() as session:
        session.start_transaction()
        rename(other_mongo, "new", session=session)
        warm(mongo)
        assert name_of(mongo) == "old"
        session.commit_transaction()
    assert name_of(mongo) == "new"
    assert name_of(other_mongo) == "new"


@pytest.mark.parametrize("moment", ["before announce", "after announce", "before settle"])
def test_s03_no_reader_sees_a_new_row_and_a_later_one_the_old(
    mongo: MongoApp, other_mongo: MongoApp, plain: Any, moment: str
):
    warm(mongo)

    def read():
        assert [name_of(mongo) for _ in range(2)] == [truth(plain)] * 2

    with other_mongo.client.start_session() as session:
        session.start_transaction()
        rename(other_mongo, "new", session=session)
        with at(other_mongo, moment, read):
            session.commit_transaction()
    assert name_of(mongo) == "new"


def test_s05_what_a_transaction_that_is_aborted_has_read_nobody_else_reads(
    mongo: MongoApp, other_mongo: MongoApp
):
    with mongo.client.start_session() as session:
        session.start_transaction()
        rename(mongo, "never", session=session)
        assert [name_of(mongo, session=session) for _ in range(2)] == ["never"] * 2
        session.abort_transaction()
    assert not mongo.log.commits
    assert name_of(mongo) == name_of(other_mongo) == "old"
    assert name_of(mongo) == "old"


def test_s25_a_transaction_reads_its_own_writes_while_others_cache_the_old(
    mongo: MongoApp, other_mongo: MongoApp
):
    with mongo.client.start_session() as session:
        session.start_transaction()
        rename(mongo, "new", session=session)
        warm(other_mongo)
        assert name_of(other_mongo) == "old"
        assert name_of(mongo, session=session) == "new"
        assert mongo.log.last().reason is Reason.ISOLATION
        assert mongo.products.count_documents({"name": "new"}, session=session) == 1
        assert mongo.products.distinct("name", {"_id": 1}, session=session) == ["new"]
        found = mongo.products.aggregate([{"$match": {"_id": 1}}], session=session)
        assert [product["name"] for product in found] == ["new"]
        session.commit_transaction()
    assert name_of(other_mongo) == name_of(mongo) == "new"


def test_s25_a_transaction_keeps_to_its_snapshot(mongo: MongoApp, other_mongo: MongoApp):
    with mongo.client.start_session() as session:
        session.start_transaction()
        assert name_of(mongo, session=session) == "old"
        rename(other_mongo, "new")
        warm(other_mongo)
        assert name_of(mongo, session=session) == "old"
        assert name_of(mongo) == "new"
        session.commit_transaction()
    assert name_of(mongo) == "new"


def test_a_snapshot_session_reads_from_its_snapshot(mongo: MongoApp, other_mongo: MongoApp):
    with mongo.client.start_session(snapshot=True) as session:
        assert name_of(mongo, session=session) == "old"
        rename(other_mongo, "new")
        warm(other_mongo)
        assert name_of(mongo, session=session) == "old"
        assert mongo.log.last().reason is Reason.ISOLATION


def test_a_causally_consistent_session_is_answered_from_the_cache(mongo: MongoApp):
    with mongo.client.start_session(causal_consistency=True) as session:
        rename(mongo, "new", session=session)
        assert [name_of(mongo, session=session) for _ in range(2)] == ["new"] * 2
    assert mongo.log.outcomes() == [Outcome.MISS, Outcome.HIT]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_a_bound_session_is_that_of_every_call_in_its_block(mongo: MongoApp):
    warm(mongo)
    with mongo.client.start_session() as session, session.bind(end_session=False):
        session.start_transaction()
        rename(mongo, "new")
        assert name_of(mongo) == "new"
        assert not mongo.log.commits
        session.commit_transaction()
        assert name_of(mongo) == "new"
    assert len(mongo.log.commits) == 1


@pytest.mark.parametrize("kind", ["async"], indirect=True)
def test_a_bound_session_is_that_of_every_awaited_call_in_its_block(mongo: MongoApp):
    warm(mongo)

    async def scenario() -> list[str]:
        products = mongo.products.target
        session = mongo.client.target.start_session()
        async with session, session.bind(end_session=False):
            await session.start_transaction()
            await products.update_one({"_id": 1}, {"$set": {"name": "new"}})
            inside = await products.find_one({"_id": 1})
            assert not mongo.log.commits
            await session.commit_transaction()
            return [inside["name"], (await products.find_one({"_id": 1}))["name"]]

    assert mongo.loop.run(scenario()) == ["new", "new"]
    assert len(mongo.log.commits) == 1


def test_s16_a_writer_that_settles_ends_no_other_writers_doubt(
    mongo: MongoApp, other_mongo: MongoApp, make_mongo: MakeMongoApp, plain: Any
):
    third = make_mongo()
    warm(third)

    def overtake():
        rename(other_mongo, "second", product=2)
        assert name_of(third) == "old"
        assert third.log.last().reason is Reason.IN_DOUBT

    def read_committed():
        assert name_of(third) == truth(plain) == "first"

    with at(mongo, "after announce", overtake), at(mongo, "before settle", read_committed):
        rename(mongo, "first")
    assert [name_of(third, product) for product in (1, 2)] == ["first", "second"]


@pytest.mark.parametrize("level", ["majority", "linearizable", "available"])
def test_a_read_concern_other_than_local_is_left_to_the_database(mongo: MongoApp, level: str):
    products = mongo.products.with_options(read_concern=ReadConcern(level))
    for _ in range(2):
        assert products.find_one({"_id": 1})["name"] == "old"
    assert [read.reason for read in mongo.log.reads] == [Reason.ISOLATION] * 2


def test_a_majority_read_that_lies_behind_a_write_leaves_nothing_stale(
    mongo: MongoApp, other_mongo: MongoApp
):
    """
    Even in a replica set of one, such a read is older than a `w=1` write that has just returned:
    kept under the tokens of after that write, it would be wrong for good.
    """
    majority = mongo.products.with_options(read_concern=ReadConcern("majority"))
    writer = other_mongo.products.with_options(write_concern=WriteConcern(w=1))
    for round_ in range(20):
        writer.update_one({"_id": 1}, {"$set": {"name": f"new {round_}"}})
        majority.find_one({"_id": 1})
        assert name_of(mongo) == f"new {round_}"
        assert eventually(lambda: majority.find_one({"_id": 1})["name"] == f"new {round_}")  # noqa: B023 - called at once


def test_a_default_read_concern_that_is_not_local_is_left_to_the_database(
    mongo: MongoApp, other_mongo: MongoApp
):
    def set_default(level: str) -> None:
        concern = {"defaultReadConcern": {"level": level}}
        other_mongo.client.admin.command({"setDefaultRWConcern": 1, **concern})

    warm(mongo)
    set_default("majority")
    try:
        for _ in range(3):
            assert name_of(mongo) == "old"
        assert mongo.log.last().reason is Reason.ISOLATION
        local = mongo.products.with_options(read_concern=ReadConcern("local"))
        for _ in range(2):
            local.find_one({"_id": 1})
        assert mongo.log.last().outcome is Outcome.HIT
    finally:
        set_default("local")
    name_of(mongo)  # learns of the change
    warm(mongo)
