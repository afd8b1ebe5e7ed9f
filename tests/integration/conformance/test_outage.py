"""
S14, S26: the store dies at the worst moments, and comes back with what it held before.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import insert, select, text

from ormcache import CommitRefusedError, Outcome, Reason
from ormcache.testing import servers
from tests.fixtures.apps import App, Database, MakeApp
from tests.fixtures.servers import eventually
from tests.integration.conformance.gaps import at
from tests.integration.conformance.steps import change, name_of, names, rename, truth, warm
from tests.integration.conformance.test_store_losses import OURS, talking_to
from tests.shop import Product

SHORT = 0.3
"""Seconds an operation of the store may take where the store is frozen."""
LEASE = 1.0
"""Seconds. What was announced before the store died is in doubt for as long when it is back."""
GRACE = {"stop": 0.0, "freeze": 3.0}
"""
Seconds. A restart alone makes every entry old, so nothing is waited for. What a process owes is
delivered within about one, however busy this machine is.
"""


@pytest.fixture(scope="module")
def private() -> Iterator[servers.Server]:
    with servers.redis(persist=True, sources=OURS) as server:
        yield server


@pytest.fixture
def store(private: servers.Server) -> Iterator[servers.Server]:
    yield private
    private.resume()
    private.start()


class Outage:
    """
    Begins and ends; what the store held before is there again.
    """

    def __init__(self, store: servers.Server, kind: str) -> None:
        self._store = store
        self.grace = GRACE[kind]
        self.begin = {"stop": store.stop, "freeze": store.pause}[kind]
        self._end = {"stop": store.start, "freeze": store.resume}[kind]

    def end(self) -> None:
        self._end()
        with talking_to(self._store) as client:
            assert client.keys("ormcache:*:e:*"), "the entry with the old name is back"


@pytest.fixture(params=["stop", "freeze"])
def outage(store: servers.Server, request: pytest.FixtureRequest) -> Outage:
    return Outage(store, request.param)


@pytest.fixture
def start(make_app: MakeApp, store: servers.Server, outage: Outage) -> Callable[..., App]:
    """
    Starts an application.
    """
    return partial(
        make_app,
        store_url=store.url,
        timeout=SHORT,
        recovery_grace=outage.grace,
        lease_seconds=LEASE,
    )


@pytest.fixture
def reader(start: Callable[..., App]) -> App:
    return start()


@pytest.fixture
def writer(start: Callable[..., App]) -> App:
    return start()


@pytest.fixture
def strict(start: Callable[..., App]) -> App:
    return start(on_outage="refuse")


STOPPED = pytest.mark.parametrize("outage", ["stop"], indirect=True)
FROZEN = pytest.mark.parametrize("outage", ["freeze"], indirect=True)


def test_s14_a_commit_that_the_store_missed_is_seen_when_it_is_back_with_old_data(
    reader: App, writer: App, outage: Outage
):
    warm(reader)
    warm(writer)
    outage.begin()
    assert name_of(reader) == "old"
    rename(writer, "new")
    assert name_of(reader) == name_of(writer) == "new"
    outage.end()
    assert are_cached_again_and_never_wrong([reader, writer], "new")


@FROZEN
def test_s14_a_process_that_comes_back_first_waits_for_what_another_owes(
    reader: App, writer: App, store: servers.Server
):
    warm(reader)
    store.pause()
    name_of(reader)
    rename(writer, "new")
    writer.cache.store._guard.close()  # its thread, which would deliver what it owes
    store.resume()
    reader.log.outcomes()
    assert name_of(reader) == "new"
    assert reader.log.last().reason is Reason.RECOVERING
    writer.cache.store._guard._pay_later()
    assert are_cached_again_and_never_wrong([reader, writer], "new")


@pytest.mark.parametrize(
    ("outage", "moment"),
    [
        ("stop", "before announce"),
        ("stop", "after announce"),
        ("stop", "before settle"),
        ("freeze", "before announce"),
    ],
    indirect=["outage"],
)
def test_s26_the_store_dies_between_update_and_commit_and_is_back_with_old_data(
    reader: App, writer: App, outage: Outage, moment: str
):
    warm(reader)
    warm(writer)
    with at(writer, moment, lambda: (outage.begin(), name_of(reader))):
        rename(writer, "new")
    assert writer.log.commits[-1].committed
    assert name_of(reader) == name_of(writer) == "new"
    outage.end()
    assert are_cached_again_and_never_wrong([reader, writer], "new")


def are_cached_again_and_never_wrong(apps: list[App], name: str) -> bool:
    """
    Whether the reads of all become hits, and all of them, until then too, were right.
    """

    def hit(app: App) -> bool:
        app.log.outcomes()
        assert name_of(app) == name
        return app.log.outcomes() == [Outcome.HIT]

    return all(eventually(lambda app=app: hit(app)) for app in apps)


# -- on_outage="refuse" --------------------------------------------------------------------------


@STOPPED
def test_s26_refused_a_commit_that_the_store_cannot_be_told_of_changes_nothing(
    strict: App, reader: App, database: Database, outage: Outage
):
    warm(reader)
    with strict.Session() as session:
        change(session, "new")
        outage.begin()
        with pytest.raises(CommitRefusedError, match="on_outage='proceed'"):
            session.commit()
        session.rollback()
        assert session.scalar(names()) == "old"
    assert truth(database) == "old"
    outage.end()
    assert name_of(reader) == "old"
    assert eventually(lambda: renames(strict, "newer"))
    assert are_cached_again_and_never_wrong([reader, strict], "newer")


def renames(app: App, name: str) -> bool:
    try:
        rename(app, name)
    except CommitRefusedError:
        return False
    return True


@STOPPED
def test_s14_refused_nothing_that_was_refused_is_committed_later(
    strict: App, database: Database, store: servers.Server
):
    with strict.engine.connect() as connection:
        change(connection, "refused")
        store.stop()
        with pytest.raises(CommitRefusedError):
            connection.commit()
        connection.rollback()
        store.start()

        def commits_another() -> bool:
            change(connection, "accepted", 2)
            try:
                connection.commit()
            except CommitRefusedError:
                connection.rollback()
                return False
            return True

        assert eventually(commits_another)
    assert truth(database) == "old"
    assert truth(database, names(2)) == [("accepted",)]


@STOPPED
def test_s14_refused_a_statement_that_commits_itself_is_not_sent(
    strict: App, database: Database, store: servers.Server
):
    store.stop()
    autocommit = strict.engine.execution_options(isolation_level="AUTOCOMMIT")
    strict.sent_since()
    with autocommit.connect() as connection, pytest.raises(CommitRefusedError):
        connection.execute(insert(Product).values(id=9, name="new", price=1, stock=0))
    assert truth(database, select(Product.id).where(Product.id == 9)) == []


@STOPPED
@pytest.mark.orm
def test_s14_refused_a_commit_as_sql_leaves_its_transaction_open(
    strict: App, database: Database, store: servers.Server
):
    with strict.Session() as session:
        change(session, "new")
        store.stop()
        with pytest.raises(CommitRefusedError):
            session.execute(text("COMMIT"))
        session.rollback()
    assert truth(database) == "old"


@STOPPED
def test_s26_refused_a_commit_that_was_sent_is_not_refused_any_more(
    strict: App, reader: App, outage: Outage
):
    warm(reader)
    with at(strict, "after announce", lambda: (outage.begin(), name_of(reader))):
        rename(strict, "new")
    assert name_of(reader) == name_of(strict) == "new"
    outage.end()
    assert are_cached_again_and_never_wrong([reader, strict], "new")


@STOPPED
def test_s14_refused_reads_and_what_changes_nothing_go_on(strict: App, store: servers.Server):
    store.stop()
    with strict.Session() as session:
        assert session.scalar(names()) == "old"
        session.commit()
    assert name_of(strict) == "old"


@STOPPED
@pytest.mark.orm
@pytest.mark.databases("postgresql", "mariadb")
@pytest.mark.cannot_occur_on("asyncpg", reason="it has no two-phase commit")
def test_s14_refused_two_phase_commits_are_refused_when_they_are_prepared(
    start: Callable[..., App], database: Database, store: servers.Server
):
    strict = start(on_outage="refuse", session={"twophase": True})
    with strict.Session() as session:
        change(session, "refused")
        store.stop()
        with pytest.raises(CommitRefusedError):
            session.prepare()
        session.rollback()
    assert truth(database) == "old"
    store.start()
    assert eventually(lambda: renames(strict, "new"))
    with strict.Session() as session:
        change(session, "promised")
        session.prepare()
        store.stop()
        session.commit()
    assert truth(database) == "promised"


@STOPPED
def test_s14_refused_a_commit_leaves_no_lock_behind(
    strict: App, writer: App, store: servers.Server
):
    with strict.Session() as session:
        change(session, "refused")
        store.stop()
        with pytest.raises(CommitRefusedError):
            session.commit()
        rename(writer, "new")
    assert name_of(writer) == "new"


# -- leases --------------------------------------------------------------------------------------


@STOPPED
def test_s13_a_commit_that_outlasts_its_lease_is_seen_once_it_has_returned(
    start: Callable[..., App], reader: App
):
    slow = start(lease_seconds=0.05)
    warm(reader)
    with at(slow, "after announce", lambda: are_cached_again_and_never_wrong([reader], "old")):
        rename(slow, "new")
    assert name_of(reader) == name_of(slow) == "new"
