"""
Does the torture find nothing wrong with the cache, and does it find what is wrong with a bad one?
"""

import json
import random

import pytest
import redis
from sqlalchemy import create_engine, inspect

from ormcache import ConfigurationError
from ormcache.testing import servers
from ormcache.testing.torture import Options, as_json, as_table, torture
from ormcache.testing.torture.faults import FAULTS
from tests.fixtures.spoilt import DeafStore

SECONDS = 44
DATABASES = ("PostgreSQL", "MariaDB", "MongoDB")


@pytest.mark.timeout(400)
def test_no_fault_makes_a_read_wrong():
    result = torture(Options(seconds=SECONDS, seed=random.getrandbits(32)))

    table = as_table(result)
    print(f"\n{table}")  # noqa: T201 - `pytest -s` shows the figures
    assert not result.wrong, "\n\n".join([table, *result.stories])
    told = json.loads(as_json(result))
    assert {(row["database"], row["fault"]) for row in told["rows"]} == {
        (database, fault.name) for database in DATABASES for fault in FAULTS
    }
    # Less would prove little.
    assert all(row.tally.reads for row in result.rows)
    assert told["total"]["reads"] >= 5_000
    assert told["total"]["hits"] >= 1_000
    assert told["total"]["commits"] >= 100
    assert told["total"]["refused"] >= 1
    assert told["writers_killed"] >= 1


@pytest.mark.timeout(200)
@pytest.mark.parametrize("database", ["postgres", "mongodb"])
def test_a_store_that_hears_of_no_commit_is_found_out(
    request: pytest.FixtureRequest, database: str
):
    server: servers.Server = request.getfixturevalue(f"{database}_server")
    url = server.create_database("torture")
    options = Options(databases=(url,), seconds=4, seed=1, faults=("none",), spoil=DeafStore)

    result = torture(options)

    (row,) = result.rows
    assert result.wrong
    assert row.tally.stale > 0
    assert row.tally.uncommitted == row.tally.errors == 0
    assert any(story.startswith("stale: ") for story in result.stories)


@pytest.mark.timeout(200)
def test_a_stack_of_somebody_else_is_left_as_it_was(
    mysql_server: servers.Server, redis_server: servers.Server
):
    url = mysql_server.create_database("torture")
    faults = ("writers killed", "network slow", "network cut", "one writer cut off")

    result = torture(Options((url,), redis_server.url, seconds=12, seed=1, faults=faults))

    assert not result.wrong, "\n\n".join([as_table(result), *result.stories])
    assert [row.fault.name for row in result.rows] == list(faults)
    engine = create_engine(url.replace("mysql:", "mysql+pymysql:"))
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    with redis.Redis.from_url(redis_server.url) as client:
        assert list(client.scan_iter("*torture-*")) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(store="memory://"), "shared with no other"),
        (Options(("nonsense",), "redis://localhost"), "postgresql://user"),
        (Options(("sqlite:///x.db",), "redis://localhost"), "postgresql://user"),
        (Options(("postgresql://x/x",), "redis://x", faults=("store full",)), "leave --store out"),
        (Options(("postgresql://x/x",), "redis://x", faults=("network cud",)), "network cut"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_an_error(options: Options, said: str):
    with pytest.raises(ConfigurationError, match=said):
        torture(options)
