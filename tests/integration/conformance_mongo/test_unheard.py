"""
Writes and commits of which nobody hears the end, those that are sent again, and refused ones.

The server's own fail points break the connection before or after a command is carried out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from ormcache import Outcome, Reason
from tests.fixtures.mongo import MakeMongoApp, MongoApp
from tests.fixtures.servers import eventually
from tests.integration.conformance_mongo.steps import at, name_of, rename, truth, warm

LEASE = 3.0


@contextmanager
def failing(plain: Any, command: str, *, times: int = 1, **data: Any) -> Iterator[None]:
    """
    Within the block, *command* fails that many times, by default by a broken connection.
    """
    data = {"failCommands": [command], "appName": "failing", **data}
    admin = plain.client.admin
    admin.command({"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data})
    try:
        yield
    finally:
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def broken(**also: Any) -> dict[str, Any]:
    return {"closeConnection": True, **also}


@pytest.fixture
def writer(make_mongo: MakeMongoApp) -> MongoApp:
    """
    Another process of the application, whose commands can be made to fail.
    """
    return make_mongo(lease_seconds=LEASE, client={"appName": "failing"})


def is_in_doubt(app: MongoApp) -> bool:
    name_of(app)
    return app.log.last().reason is Reason.IN_DOUBT


def is_a_hit_soon_and_right(app: MongoApp, plain: Any) -> bool:
    def hit() -> bool:
        assert name_of(app) == truth(plain)
        return app.log.outcomes()[-1:] == [Outcome.HIT]

    return eventually(hit)


def test_a_write_that_is_sent_again_leaves_no_lease(mongo: MongoApp, writer: MongoApp, plain: Any):
    """
    Once its repetition has succeeded, the first attempt cannot follow: nothing stays in doubt.
    """
    warm(mongo)
    with failing(plain, "update", **broken()):
        rename(writer, "new")
    assert writer.sent_since().count("update") == 2
    mongo.log.outcomes()
    assert [name_of(mongo) for _ in range(2)] == ["new", "new"]
    assert mongo.log.outcomes()[-1] is Outcome.HIT


def test_a_write_that_nobody_hears_of_again_stays_in_doubt(
    make_mongo: MakeMongoApp, mongo: MongoApp, plain: Any
):
    client = {"appName": "failing", "retryWrites": False}
    writer = make_mongo(lease_seconds=LEASE, client=client)
    warm(mongo)
    with failing(plain, "update", **broken()), pytest.raises(AutoReconnect):
        rename(writer, "new")
    assert is_in_doubt(mongo)
    assert is_a_hit_soon_and_right(mongo, plain)


def test_a_write_that_the_server_refuses_leaves_nothing_in_doubt(
    mongo: MongoApp, writer: MongoApp, plain: Any
):
    warm(mongo)
    with failing(plain, "update", errorCode=2), pytest.raises(OperationFailure):
        rename(writer, "new")
    mongo.log.outcomes()
    assert [name_of(mongo) for _ in range(2)] == ["old", "old"]
    assert mongo.log.outcomes() == [Outcome.STALE, Outcome.HIT]


def test_an_error_of_the_write_concern_comes_after_the_write(
    mongo: MongoApp, writer: MongoApp, plain: Any
):
    warm(mongo)
    error = {"code": 64, "errmsg": "waiting for replication timed out"}
    with (
        failing(plain, "update", writeConcernError=error),
        pytest.raises(pymongo.errors.WriteConcernError),
    ):
        rename(writer, "new")
    assert truth(plain) == "new"
    mongo.log.outcomes()
    assert [name_of(mongo) for _ in range(2)] == ["new", "new"]
    assert mongo.log.outcomes() == [Outcome.STALE, Outcome.HIT]


def begin(app: MongoApp, name: str) -> Any:
    session = app.client.start_session()
    session.start_transaction()
    rename(app, name, session=session)
    return session


def test_a_commit_that_is_sent_again_is_seen(mongo: MongoApp, writer: MongoApp, plain: Any):
    warm(mongo)
    with begin(writer, "new") as session, failing(plain, "commitTransaction", **broken()):
        session.commit_transaction()
    assert writer.sent_since().count("commitTransaction") == 2
    mongo.log.outcomes()
    assert [name_of(mongo) for _ in range(2)] == ["new", "new"]
    assert mongo.log.outcomes()[-1] is Outcome.HIT


def test_a_commit_with_an_unknown_result_stays_in_doubt_until_it_is_sent_again(
    mongo: MongoApp, writer: MongoApp, plain: Any
):
    warm(mongo)
    with begin(writer, "new") as session:
        with (
            failing(plain, "commitTransaction", times=2, **broken()),
            pytest.raises(PyMongoError) as raised,
        ):
            session.commit_transaction()
        assert raised.value.has_error_label("UnknownTransactionCommitResult")
        assert is_in_doubt(mongo)
        with at(writer, "after announce", lambda: name_of(mongo)):
            session.commit_transaction()
        assert name_of(mongo) == truth(plain) == "new"
    assert is_a_hit_soon_and_right(mongo, plain)


def test_a_commit_whose_wait_ran_out_may_have_happened(
    mongo: MongoApp, writer: MongoApp, plain: Any
):
    warm(mongo)
    with begin(writer, "new") as session:
        with failing(plain, "commitTransaction", errorCode=50), pytest.raises(OperationFailure):
            session.commit_transaction()
        assert is_in_doubt(mongo)
        session.commit_transaction()
    assert name_of(mongo) == truth(plain) == "new"


def test_a_commit_that_is_refused_leaves_nothing_in_doubt(
    mongo: MongoApp, writer: MongoApp, plain: Any
):
    warm(mongo)
    labels = ["TransientTransactionError"]
    with (
        begin(writer, "new") as session,
        failing(plain, "commitTransaction", errorCode=251, errorLabels=labels),
        pytest.raises(OperationFailure),
    ):
        session.commit_transaction()
    mongo.log.outcomes()
    assert [name_of(mongo) for _ in range(2)] == ["old", "old"]
    assert mongo.log.outcomes() == [Outcome.STALE, Outcome.HIT]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
def test_with_transaction_repeats_until_it_is_seen(mongo: MongoApp, writer: MongoApp, plain: Any):
    warm(mongo)

    def work(session: Any) -> None:
        rename(writer, "new", session=session)

    with (
        failing(plain, "commitTransaction", times=2, **broken()),
        writer.client.start_session() as session,
    ):
        session.with_transaction(work)
    assert name_of(mongo) == truth(plain) == "new"
    assert name_of(writer) == "new"


@pytest.mark.parametrize("kind", ["async"], indirect=True)
def test_an_awaited_with_transaction_repeats_until_it_is_seen(
    mongo: MongoApp, writer: MongoApp, plain: Any
):
    warm(mongo)

    async def scenario() -> None:
        products = writer.products.target

        async def work(session: Any) -> None:
            await products.update_one({"_id": 1}, {"$set": {"name": "new"}}, session=session)

        async with writer.client.target.start_session() as session:
            await session.with_transaction(work)

    with failing(plain, "commitTransaction", times=2, **broken()):
        writer.loop.run(scenario())
    assert name_of(mongo) == truth(plain) == "new"
    assert name_of(writer) == "new"


def test_two_transactions_of_one_session_touch_each_its_own(mongo: MongoApp, writer: MongoApp):
    with begin(writer, "never") as session:
        session.abort_transaction()
        session.start_transaction()
        writer.db.categories.update_one({"_id": 1}, {"$set": {"title": "x"}}, session=session)
        session.commit_transaction()
    assert [commit.tables for commit in writer.log.commits] == [("ormcache_shop.categories",)]


def test_a_transaction_that_only_reads_announces_nothing(writer: MongoApp):
    with writer.client.start_session() as session:
        session.start_transaction()
        name_of(writer, session=session)
        session.commit_transaction()
    assert writer.log.commits == []
