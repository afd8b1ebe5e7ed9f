"""
S14, S26: the store dies at the worst moments, and comes back with what it held before.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from ormcache import CommitRefusedError, ConfigurationError, Outcome
from ormcache.pymongo import CommandListener
from ormcache.testing import servers
from tests.fixtures.mongo import MakeMongoApp, MongoApp
from tests.fixtures.servers import eventually
from tests.integration.conformance.test_outage import GRACE, LEASE, SHORT, Outage
from tests.integration.conformance.test_store_losses import OURS
from tests.integration.conformance_mongo.steps import at, name_of, rename, truth, warm


@pytest.fixture(scope="module")
def private() -> Iterator[servers.Server]:
    with servers.redis(persist=True, sources=OURS) as server:
        yield server


@pytest.fixture
def store(private: servers.Server) -> Iterator[servers.Server]:
    yield private
    private.resume()
    private.start()


@pytest.fixture(params=list(GRACE))
def outage(store: servers.Server, request: pytest.FixtureRequest) -> Outage:
    return Outage(store, request.param)


@pytest.fixture
def start(
    make_mongo: MakeMongoApp, store: servers.Server, outage: Outage
) -> Callable[..., MongoApp]:
    """
    Starts an application.
    """
    return partial(
        make_mongo,
        store_url=store.url,
        timeout=SHORT,
        recovery_grace=outage.grace,
        lease_seconds=LEASE,
    )


@pytest.fixture
def reader(start: Callable[..., MongoApp]) -> MongoApp:
    return start()


@pytest.fixture
def writer(start: Callable[..., MongoApp]) -> MongoApp:
    return start()


@pytest.fixture
def strict(start: Callable[..., MongoApp]) -> MongoApp:
    return start(on_outage="refuse")


STOPPED = pytest.mark.parametrize("outage", ["stop"], indirect=True)


def test_s14_a_write_that_the_store_missed_is_seen_when_it_is_back_with_old_data(
    reader: MongoApp, writer: MongoApp, outage: Outage
):
    warm(reader)
    warm(writer)
    outage.begin()
    assert name_of(reader) == "old"
    rename(writer, "new")
    assert name_of(reader) == name_of(writer) == "new"
    outage.end()
    assert are_cached_again_and_never_wrong([reader, writer], "new")


@STOPPED
@pytest.mark.parametrize("moment", ["before announce", "after announce", "before settle"])
def test_s26_the_store_dies_around_a_write_and_is_back_with_old_data(
    reader: MongoApp, writer: MongoApp, outage: Outage, moment: str
):
    warm(reader)
    warm(writer)
    with at(writer, moment, lambda: (outage.begin(), name_of(reader))):
        rename(writer, "new")
    assert name_of(reader) == name_of(writer) == "new"
    outage.end()
    assert are_cached_again_and_never_wrong([reader, writer], "new")


def test_s26_the_store_dies_between_update_and_commit_and_is_back_with_old_data(
    reader: MongoApp, writer: MongoApp, outage: Outage
):
    warm(reader)
    warm(writer)
    with writer.client.start_session() as session, session.start_transaction():
        rename(writer, "new", session=session)
        outage.begin()
        assert name_of(reader) == "old"
    assert name_of(reader) == name_of(writer) == "new"
    outage.end()
    assert are_cached_again_and_never_wrong([reader, writer], "new")


def are_cached_again_and_never_wrong(apps: list[MongoApp], name: str) -> bool:
    """
    Whether the reads of all become hits, and all of them, until then too, were right.
    """

    def hit(app: MongoApp) -> bool:
        app.log.outcomes()
        assert name_of(app) == name
        return app.log.outcomes() == [Outcome.HIT]

    return all(eventually(lambda app=app: hit(app)) for app in apps)


# -- on_outage="refuse" --------------------------------------------------------------------------


@STOPPED
def test_s14_refused_a_write_that_the_store_cannot_be_told_of_is_not_sent(
    strict: MongoApp, reader: MongoApp, plain, outage: Outage
):
    warm(reader)
    outage.begin()
    strict.sent_since()
    with pytest.raises(CommitRefusedError):
        rename(strict, "new")
    assert strict.sent_since() == []
    assert truth(plain) == "old"
    outage.end()
    assert name_of(reader) == "old"
    assert eventually(lambda: renames(strict, "newer"))
    assert are_cached_again_and_never_wrong([reader, strict], "newer")


@STOPPED
def test_s26_refused_a_transaction_that_the_store_cannot_be_told_of_changes_nothing(
    strict: MongoApp, plain, outage: Outage
):
    with strict.client.start_session() as session:
        session.start_transaction()
        rename(strict, "new", session=session)
        outage.begin()
        with pytest.raises(CommitRefusedError):
            session.commit_transaction()
        session.abort_transaction()
    assert truth(plain) == "old"


@STOPPED
def test_s26_refused_a_write_that_was_sent_is_not_refused_any_more(
    strict: MongoApp, plain, outage: Outage
):
    warm(strict)
    with at(strict, "after announce", outage.begin):
        rename(strict, "new")
    assert truth(plain) == name_of(strict) == "new"


def test_refused_a_listener_alone_cannot_refuse_and_says_so(strict: MongoApp):
    with pytest.raises(ConfigurationError, match=r"pymongo\.MongoClient or AsyncMongoClient"):
        CommandListener(strict.cache)


def renames(app: MongoApp, name: str) -> bool:
    try:
        rename(app, name)
    except CommitRefusedError:
        return False
    return True
