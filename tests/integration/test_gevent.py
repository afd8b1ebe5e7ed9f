"""
Greenlets share a cache like threads: one that waits for the store holds up no other.

Nothing is timed: the store is frozen, and thawed only when a greenlet of the waiting process asks
for it. Were gevent's loop held up, nobody would ask, and the reads would give the store up.
"""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert

from ormcache.testing import servers
from tests.fixtures.databases import Database
from tests.shop import Category, Product

# Only a server of ours may be frozen.
OURS = tuple(source for source in servers.SOURCES if source != "environment")
PURE = {"postgresql": "postgresql+pg8000", "mariadb": "mysql+pymysql"}


@pytest.fixture
def store() -> Iterator[servers.Server]:
    with servers.redis(sources=OURS) as server:
        yield server
        server.resume()


@pytest.mark.parametrize("database", PURE, indirect=True)
def test_greenlets_wait_for_the_store_and_never_read_an_old_row(
    database: Database, store: servers.Server, namespace: str
):
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(insert(Category).values(id=1, name="tea"))
        connection.execute(
            insert(Product).values(id=1, category_id=1, name="tea", price=Decimal(1), stock=0)
        )
    engine.dispose()
    url = engine.url.set(drivername=PURE[database.name])
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.gevent_shop"),
            *(url.render_as_string(hide_password=False), store.url, namespace),
        ],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "freeze the store\n"
        store.pause()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "thaw the store\n"
        store.resume()
        assert process.stdout.read() == "read on\ndone\n"
    assert process.returncode == 0
