"""
`ormcache demo --mongo`, a small one, from beginning to end on real servers.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
import redis

from ormcache import Cache
from ormcache.demo.database import InUseError
from ormcache.demo.measure import Run, compare, differing
from ormcache.demo.mongodb.data import NAME
from ormcache.demo.mongodb.database import mongodb
from ormcache.demo.workload import Kind, Read
from ormcache.stores import open_store
from ormcache.testing import servers

COMMAND = [sys.executable, "-c", "from ormcache.cli.main import app; app()", "demo", "--mongo"]
SMALL = ["--flights", "3000", "--reads", "400"]

WITHOUT_SQL = """
import sys
sys.modules.update(dict.fromkeys(["sqlalchemy", "sqlglot", "psycopg", "msgspec"]))
from ormcache.cli.main import app
app()
"""


@pytest.fixture
def plain(mongodb_server: servers.Server) -> Iterator[Any]:
    """
    A client of the user's own, with a database of the user's own.
    """
    with pymongo.MongoClient(mongodb_server.url) as client:
        client.drop_database(NAME)
        client.ormcache_mine.flights.replace_one({"_id": 1}, {"mine": True}, upsert=True)
        yield client
        client.drop_database(NAME)
        client.drop_database("ormcache_mine")


@pytest.fixture
def own(plain: Any, mongodb_server: servers.Server, redis_server: servers.Server) -> list[str]:
    return ["--database-url", mongodb_server.url, "--redis-url", redis_server.url]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )


def keys(redis_server: servers.Server) -> int:
    with redis.Redis.from_url(redis_server.url) as client:
        return sum(1 for _ in client.scan_iter(b"*ormcache-demo*"))


def test_on_private_servers(tmp_path, monkeypatch):
    for variable in ("ORMCACHE_MONGODB_URL", "ORMCACHE_REDIS_URL"):
        monkeypatch.delenv(variable, raising=False)

    done = run(tmp_path, *SMALL)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Using MongoDB")
    assert re.search(r"stale reads +0 +of 400", done.stdout)
    assert re.search(r"database commands +\d+ +\d+ +-\d+ %", done.stdout)
    assert re.search(r"database time +\d+\.\d+ s +\d+\.\d+ s +-\d+ %", done.stdout)
    assert (tmp_path / "ormcache-demo.png").read_bytes().startswith(b"\x89PNG")


def test_on_the_users_servers_nothing_is_left_behind(tmp_path, plain, own, redis_server):
    done = run(tmp_path, *SMALL, *own, "--picture", "mine.png")

    assert done.returncode == 0, done.stderr
    assert re.search(r"stale reads +0 +of 400", done.stdout)
    assert (tmp_path / "mine.png").exists()
    assert NAME not in plain.list_database_names()
    assert plain.ormcache_mine.flights.find_one() == {"_id": 1, "mine": True}
    assert keys(redis_server) == 0


def test_nothing_of_sql_need_be_installed(tmp_path, own):
    command = [sys.executable, "-c", WITHOUT_SQL, *COMMAND[3:], "--flights", "1000"]
    done = subprocess.run(
        [*command, "--reads", "20", *own],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert re.search(r"stale reads +0 +of 20", done.stdout)


def test_ctrl_c_leaves_nothing_behind_either(tmp_path, plain, own, redis_server):
    arguments = ["--flights", "3000", "--reads", "1000000", *own]
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("Reading") for line in lines)
        assert NAME in plain.list_database_names()
        process.send_signal(signal.SIGINT)
        rest = "".join(lines)

    assert process.returncode == 130
    assert "Interrupted" in rest
    assert NAME not in plain.list_database_names()
    assert keys(redis_server) == 0


def test_a_database_of_that_name_is_not_touched(tmp_path, plain, own):
    plain[NAME].mine.insert_one({"_id": 1})

    done = run(tmp_path, *SMALL, *own)

    assert done.returncode == 1
    assert "db.dropDatabase()" in done.stderr
    assert plain[NAME].list_collection_names() == ["mine"]


def test_of_two_demos_one_gets_the_database(plain, mongodb_server):
    with mongodb(mongodb_server.url):
        with pytest.raises(InUseError), mongodb(mongodb_server.url):
            pass
        assert plain[NAME].list_collection_names() == ["airlines"]


@pytest.mark.parametrize(
    ("option", "url"),
    [("--database-url", "mongodb://u:secret@127.0.0.1:1"), ("--redis-url", "redis://127.0.0.1:1")],
)
def test_a_server_that_does_not_answer_is_one_line(tmp_path, plain, own, option, url):
    done = run(tmp_path, *SMALL, *own, option, url)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
    assert NAME not in plain.list_database_names()


class WriteBehindTheCache:
    """
    A change that the cache cannot know of, in the shape of a step.
    """

    kind = Kind.WRITE

    def __init__(self, write: Callable[[], object]) -> None:
        self.write = write

    def __call__(self, _application: object) -> None:
        self.write()


def test_a_stale_answer_would_be_found(plain, mongodb_server, redis_server, namespace):
    def write() -> None:
        plain[NAME].flights.update_one({"_id": 1}, {"$set": {"arr_delay": 777}})

    read = Read(Kind.LOOKUP, "flight", 1)
    steps = [read, WriteBehindTheCache(write), read]
    cache = Cache(open_store(redis_server.url, namespace, timeout=5.0))
    try:
        with mongodb(mongodb_server.url) as database:
            database.load(1000, lambda _: None)
            with database.application() as uncached, database.application(cache) as caching:
                without, cached = Run(uncached), Run(caching)
                compare(steps, without, cached)

        assert differing(steps, without, cached) == [read]
        assert without.work.requests == 2  # the write went another way
    finally:
        cache.clear()
        cache.close()


def test_every_question_has_an_answer_and_each_document_a_key(plain, mongodb_server):
    with mongodb(mongodb_server.url) as database:
        database.load(1000, lambda _: None)
        known = database.subjects()
        with database.application() as application:
            assert application.ask("flight", 1)[:2] == ("UA", 1545)
            assert application.ask("plane", known.planes[0])
            assert len(application.ask("departures", known.days[0])) == 25
            assert len(application.ask("held_up", known.days[0])) == 20
            assert application.ask("rotation", known.planes[0])[2]
            assert application.ask("weather", known.hours[0])
            assert sum(count for _, count, *_ in application.ask("punctuality", 1)) == 1000
            assert application.ask("busiest", "JFK")
            assert application.ask("wind", "JFK")
            application.change("weather", known.hours[0], "wind_dir", 12_345)
            assert 12_345 in application.ask("weather", known.hours[0])
        held = plain[NAME].flights.find_one({"_id": 4})
        assert (held["sky"]["visib"], held["tailnum"]) == (10.0, "N804JB")
