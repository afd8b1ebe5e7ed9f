"""
S1 to S3, S16, S25: somebody reads or writes in the gaps between two steps of somebody else.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from sqlalchemy import update

from ormcache import Outcome
from ormcache.testing import servers
from tests.fixtures.apps import App, Database
from tests.integration.conformance.gaps import at
from tests.integration.conformance.steps import (
    change,
    find,
    name_of,
    names,
    rename,
    truth,
    warm,
)
from tests.shop import Product


@pytest.mark.parametrize("moment", ["after fetch", "after query", "before save"])
def test_s01_rows_older_than_a_commit_are_stored_under_tokens_it_has_ended(
    app: App, other: App, moment: str
):
    name_of(app, 2)  # the catalog is read, and a connection is in the pool
    with at(app, moment, lambda: rename(other, "new")):
        assert name_of(app) == ("new" if moment == "after fetch" else "old")
    assert name_of(app) == "new"
    assert name_of(other) == "new"


@pytest.mark.parametrize("moment", ["before announce", "after announce", "before settle"])
def test_s02_a_reader_in_an_autocommit_write_leaves_nothing_stale(
    app: App, other: App, database: Database, moment: str
):
    warm(app)
    autocommit = other.engine.execution_options(isolation_level="AUTOCOMMIT")

    def read():
        assert name_of(app) == truth(database)

    with at(other, moment, read), autocommit.connect() as connection:
        connection.execute(update(Product).where(Product.id == 1).values(name="new"))
        assert name_of(app) == "new"
    assert name_of(other) == "new"


def test_s02_rows_read_before_an_autocommit_write_are_not_served_after_it(
    app: App, other: App, database: Database
):
    warm(app)
    autocommit = other.engine.execution_options(isolation_level="AUTOCOMMIT")
    with reads_on_both_sides(app, other, database), autocommit.connect() as connection:
        connection.execute(update(Product).where(Product.id == 1).values(name="new"))
    assert name_of(app) == "new"


@contextmanager
def reads_on_both_sides(app: App, writer: App, database: Database) -> Iterator[None]:
    """
    The application reads once before and once after the database has the writer's change.
    """

    def read(expected: str) -> None:
        assert name_of(app) == truth(database) == expected

    with (
        at(writer, "after announce", lambda: read("old")),
        at(writer, "before settle", lambda: read("new")),
    ):
        yield


def test_s03_rows_cached_while_a_write_is_not_committed_die_with_its_commit(app: App, other: App):
    with other.Session() as writer:
        change(writer, "new")
        warm(app)
        assert name_of(app) == "old"
        writer.commit()
    assert name_of(app) == "new"
    assert name_of(other) == "new"


@pytest.mark.parametrize("moment", ["before announce", "after announce", "before settle"])
def test_s03_no_reader_sees_a_new_row_and_a_later_one_the_old(
    app: App, other: App, database: Database, moment: str
):
    warm(app)

    def read():
        assert [name_of(app) for _ in range(2)] == [truth(database)] * 2

    with at(other, moment, read):
        rename(other, "new")
    assert name_of(app) == "new"


def test_s03_rows_read_between_announcement_and_commit_are_not_served_after_it(
    app: App, other: App, database: Database
):
    warm(app)
    with reads_on_both_sides(app, other, database):
        rename(other, "new")
    assert name_of(app) == "new"


# Two transactions that have written and not committed: SQLite lets only one in.
@pytest.mark.databases("postgresql", "mariadb")
def test_s16_a_writer_that_settles_ends_no_other_writers_doubt(
    app: App, other: App, make_app, database: Database
):
    third = make_app()
    warm(third)
    with overtaken(app, other, third, database):
        rename(app, "first")
    assert [name_of(third, product) for product in (1, 2)] == ["first", "second"]


def test_s16_a_writer_that_settles_ends_no_doubt_of_an_autocommit_write(
    app: App, other: App, make_app, database: Database
):
    third = make_app()
    warm(third)
    autocommit = app.engine.execution_options(isolation_level="AUTOCOMMIT")
    with overtaken(app, other, third, database), autocommit.connect() as connection:
        connection.execute(update(Product).where(Product.id == 1).values(name="first"))
    assert [name_of(third, product) for product in (1, 2)] == ["first", "second"]


@contextmanager
def overtaken(writer: App, other: App, reader: App, database: Database) -> Iterator[None]:
    """
    Another writer begins and settles while the writer is between its announcement and its commit.
    """

    def overtake():
        rename(other, "second", product=2)
        assert name_of(reader) == "old"

    def read_committed():
        assert name_of(reader) == truth(database) == "first"

    with at(writer, "after announce", overtake), at(writer, "before settle", read_committed):
        yield


def test_s16_two_writers_settle_in_the_opposite_order_of_their_commits(
    app: App, other: App, make_app, database: Database
):
    third = make_app()
    warm(third)

    def overtake():
        rename(other, "second")
        assert name_of(third) == truth(database) == "second"

    with at(app, "before settle", overtake):
        rename(app, "first")
    assert [name_of(a) for a in (third, app, other)] == ["second"] * 3


def test_s16_a_token_never_comes_back(
    app: App, other: App, make_app, redis_server: servers.Server, namespace: str
):
    third = make_app()
    seen = []
    with redis.Redis.from_url(redis_server.url) as client:
        for round_ in range(3):
            for writer in (app, other):
                name = f"{round_} by {'app' if writer is app else 'other'}"
                rename(writer, name)
                assert name_of(third) == name
                (key,) = client.keys(f"ormcache:{namespace}:t:*.products")
                seen.append(client.get(key))
    assert len(set(seen)) == len(seen) == 6


def test_s25_a_writer_reads_its_own_write_while_others_have_cached_the_old_rows(
    app: App, other: App
):
    with other.Session() as writer:
        change(writer, "new")
        warm(app)
        assert writer.scalar(names()) == "new"
        assert find(writer, Product, 1).name == "new"
        assert name_of(app) == "old"
        assert app.log.outcomes() == [Outcome.HIT]
        writer.commit()
    assert name_of(app) == "new"


@pytest.mark.orm
def test_s25_unflushed_changes_are_flushed_before_a_hit_is_thought_of(app: App, other: App):
    warm(other)
    with app.Session() as session:
        product = session.get(Product, 1)
        assert session.scalar(names()) == "old"
        product.name = "new"
        assert session.scalar(names()) == "new"
        session.rollback()
    assert name_of(app) == name_of(other) == "old"
