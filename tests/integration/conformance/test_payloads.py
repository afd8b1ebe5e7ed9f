"""
S22, continued: entries that another release has sealed, and a migration that ormcache sees.
"""

import pytest
import redis
from sqlalchemy import text

from ormcache import Outcome
from ormcache.codecs.rows import RowCodec
from ormcache.entry import FORMAT, open_entry, seal_entry
from ormcache.testing import servers
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import name_of, truth, warm

# What else may have sealed an entry under this key: a format and a codec, from ours.
RELEASES = {"an older format": (-1, 0), "a newer format": (1, 0), "another codec": (0, 1)}


@pytest.mark.parametrize(("format_", "codec"), RELEASES.values(), ids=RELEASES.keys())
def test_s22_an_entry_that_another_release_has_sealed_is_a_miss(
    app: App,
    redis_server: servers.Server,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    format_: int,
    codec: int,
):
    warm(app)
    prefix = f"ormcache:{namespace}:e:"
    with redis.Redis.from_url(redis_server.url) as client:
        for name in client.keys(f"{prefix}*"):
            key = name.decode().removeprefix(prefix)
            tokens, payload = open_entry(key, RowCodec.id, client.get(name))
            with monkeypatch.context() as release:
                release.setattr("ormcache.entry.FORMAT", FORMAT + format_)
                sealed = seal_entry(key, RowCodec.id + codec, tokens, payload)
            client.set(name, sealed)
    assert [name_of(app) for _ in range(2)] == ["old", "old"]
    assert app.log.outcomes() == [Outcome.MISS, Outcome.HIT]


def test_s22_a_migration_that_the_application_runs_ends_what_was_cached_before(
    app: App, other: App, make_app: MakeApp, database: Database
):
    statement = text("SELECT * FROM categories WHERE id = 1")

    def rows(application: App) -> list[tuple]:
        with application.Session() as session:
            return [tuple(row) for row in session.execute(statement)]

    assert [rows(app) for _ in range(2)] == [[(1, "tea")]] * 2
    assert app.log.outcomes() == [Outcome.MISS, Outcome.HIT]
    with other.engine.begin() as connection:
        connection.execute(text("ALTER TABLE categories ADD COLUMN note VARCHAR(9) DEFAULT 'x'"))
    # By a new process, as drivers hold to the columns that a statement had when it was prepared.
    assert rows(make_app()) == truth(database, statement) == [(1, "tea", "x")]
