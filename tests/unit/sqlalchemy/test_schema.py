"""
Is what we know of a database's schema still true?
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from ormcache import Cache, StoreError
from ormcache.effects import Effect, Fetch, Save
from ormcache.model import Fetched, Token, TokenState
from ormcache.sqlalchemy.catalog import Catalog
from ormcache.sqlalchemy.identity import Identity
from ormcache.sqlalchemy.schema import KnownSchema
from tests.fixtures.catalogs import querying

SAVE = Save("key", b"entry", 60)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE one (id int)")
        yield connection


class Known:
    """
    A schema that has been read once.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.schema = KnownSchema(Identity("db", "session", "SNAPSHOT"))
        self._cache = Cache.from_url("memory://")
        self._query = querying(database)
        self.load()

    def load(self, meanwhile: Callable[[], object] = int) -> Catalog:
        def query(sql: str) -> object:
            meanwhile()
            return self._query(sql)

        return self.schema.load(self._cache, self._cache.store, "sqlite", query)

    def is_saved(self, planned: Catalog) -> bool:
        """
        Whether a read that was planned by this catalog leaves an entry.
        """
        performed: list[Effect] = []
        try:
            self.schema.watch(performed.append, planned)(SAVE)
        except StoreError:
            assert performed == []
            return False
        assert performed == [SAVE]
        return True


def test_what_was_planned_by_the_catalog_in_force_is_saved(database: sqlite3.Connection):
    known = Known(database)
    assert known.is_saved(known.schema.catalog)


def test_after_a_change_nothing_is_saved_until_the_catalog_has_been_read(
    database: sqlite3.Connection,
):
    known = Known(database)
    old = known.schema.catalog
    database.execute("CREATE TABLE two (id int)")
    known.schema.changed()
    assert known.schema.stale
    during: list[bool] = []
    new = known.load(meanwhile=lambda: during.append(known.is_saved(old)))
    assert set(during) == {False}
    assert not known.schema.stale
    assert not known.is_saved(old)
    assert known.is_saved(new)


def test_a_catalog_that_turns_out_to_be_the_same_leaves_plans_as_they_are(
    database: sqlite3.Connection,
):
    known = Known(database)
    old = known.schema.catalog
    known.schema.changed()
    assert known.load() is old
    assert known.is_saved(old)


def test_a_change_while_the_catalog_is_being_read_makes_it_stale(database: sqlite3.Connection):
    known = Known(database)
    known.schema.changed()
    assert not known.is_saved(known.load(meanwhile=known.schema.changed))
    assert known.schema.stale


def test_another_token_of_the_whole_database_is_a_change(database: sqlite3.Connection):
    known = Known(database)
    scopes = (known.schema.whole,)
    fetched = Fetched(None, (TokenState(Token(b"another"), in_doubt=False),))
    known.schema.watch(lambda effect: fetched)(Fetch(None, scopes))
    assert known.schema.stale


def test_a_catalog_that_cannot_be_read_stays_stale(database: sqlite3.Connection):
    known = Known(database)
    known.schema.changed()
    with pytest.raises(ZeroDivisionError):
        known.load(meanwhile=lambda: 1 / 0)
    assert known.schema.stale
