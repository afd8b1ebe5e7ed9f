"""
`ormcache demo`, a small one, from beginning to end on real servers.
"""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from ormcache import Cache
from ormcache.demo.measure import Run, compare, differing
from ormcache.demo.postgresql.database import postgresql
from ormcache.demo.postgresql.models import SCHEMA
from ormcache.demo.workload import Kind, Read
from ormcache.stores import open_store
from ormcache.testing import servers

COMMAND = [sys.executable, "-c", "from ormcache.cli.main import app; app()", "demo"]
SMALL = ["--flights", "3000", "--reads", "400"]


@pytest.fixture
def engine(postgres_server: servers.Server):
    """
    A database of the user's own, with a table in it.
    """
    url = postgres_server.create_database("ormcache_demo_test")
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE flights AS SELECT 1 AS id"))
    yield engine
    engine.dispose()


def own(engine, redis_server) -> list[str]:
    database = engine.url.render_as_string(hide_password=False)
    return ["--database-url", database, "--redis-url", redis_server.url]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )


def schemas(engine) -> list[str]:
    return inspect(engine).get_schema_names()


def keys(redis_server) -> int:
    import redis

    with redis.Redis.from_url(redis_server.url) as client:
        return sum(1 for _ in client.scan_iter(b"*ormcache-demo*"))


def test_on_private_servers(tmp_path, monkeypatch):
    for variable in ("ORMCACHE_POSTGRES_URL", "ORMCACHE_REDIS_URL"):
        monkeypatch.delenv(variable, raising=False)

    done = run(tmp_path, *SMALL)

    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    assert re.search(r"stale reads +0 +of 400", done.stdout)
    assert re.search(r"database statements +\d+ +\d+ +-\d+ %", done.stdout)
    assert (tmp_path / "ormcache-demo.png").read_bytes().startswith(b"\x89PNG")


def test_on_the_users_servers_nothing_is_left_behind(tmp_path, engine, redis_server):
    done = run(tmp_path, *SMALL, *own(engine, redis_server), "--picture", "mine.png")

    assert done.returncode == 0, done.stderr
    assert re.search(r"stale reads +0 +of 400", done.stdout)
    assert (tmp_path / "mine.png").exists()
    assert SCHEMA not in schemas(engine)
    assert inspect(engine).get_table_names() == ["flights"]
    assert keys(redis_server) == 0


def test_ctrl_c_leaves_nothing_behind_either(tmp_path, engine, redis_server):
    arguments = ["--flights", "3000", "--reads", "1000000", *own(engine, redis_server)]
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("Reading") for line in lines)
        assert SCHEMA in schemas(engine)
        process.send_signal(signal.SIGINT)
        rest = "".join(lines)

    assert process.returncode == 130
    assert "Interrupted" in rest
    assert SCHEMA not in schemas(engine)
    assert keys(redis_server) == 0


def test_a_schema_of_that_name_is_not_touched(tmp_path, engine, redis_server):
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA} CREATE TABLE flights (mine int)"))

    done = run(tmp_path, *SMALL, *own(engine, redis_server))

    assert done.returncode == 1
    assert f"DROP SCHEMA {SCHEMA} CASCADE" in done.stderr
    assert inspect(engine).get_columns("flights", SCHEMA)[0]["name"] == "mine"


@pytest.mark.parametrize("option", ["--database-url", "--redis-url"])
def test_a_server_that_does_not_answer_is_one_line(tmp_path, engine, redis_server, option):
    arguments = own(engine, redis_server)
    place = arguments.index(option) + 1
    arguments[place] = arguments[place].partition("://")[0] + "://127.0.0.1:1/0"

    done = run(tmp_path, *SMALL, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert SCHEMA not in schemas(engine)


class WriteBehindTheCache:
    """
    A change that the cache cannot know of, in the shape of a step.
    """

    kind = Kind.WRITE

    def __init__(self, engine) -> None:
        self.engine = engine

    def __call__(self, _application) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(f"UPDATE {SCHEMA}.flights SET arr_delay = 777 WHERE id = 1"))


def test_a_stale_answer_would_be_found(engine, redis_server, namespace):
    read = Read(Kind.LOOKUP, "flight", 1)
    steps = [read, WriteBehindTheCache(engine), read]
    cache = Cache(open_store(redis_server.url, namespace, timeout=5.0))
    try:
        with postgresql(engine.url, private=False) as database:
            database.load(1000, lambda _: None)
            with database.application() as plain, database.application(cache) as caching:
                uncached, cached = Run(plain), Run(caching)
                compare(steps, uncached, cached)

        assert differing(steps, uncached, cached) == [read]
    finally:
        cache.clear()
        cache.close()
