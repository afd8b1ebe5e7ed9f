"""
Servers that fork after the application was loaded.

The Flask example on PostgreSQL, and a way to see which process answered over which connections.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ormcache.testing.servers import Server
from tests.integration.serving import Reply, Site, copy_examples, serving
from tests.integration.test_examples import LINES

(GUNICORN,) = (line for line in LINES if "--preload" in line)
PROBED = GUNICORN.replace("flask_sqlalchemy_app", "probe")

PROBE = """
import os

from flask_sqlalchemy_app import app, cache, db
from sqlalchemy import text


def ports():
    idle = cache.store._store._wire._idle
    return [link._connection._sock.getsockname()[1] for link in idle]


def backend():
    return db.session.scalar(text("SELECT pg_backend_pid()"))


PARENTS = ports()


@app.after_request
def tell(response):
    response.headers["X-Worker"] = str(os.getpid())
    return response


@app.get("/connections")
def connections():
    return {"parents": PARENTS, "store": ports(), "database": backend()}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy_examples(tmp_path)
    (tmp_path / "probe.py").write_text(PROBE)
    return tmp_path


@pytest.fixture
def where(postgres_server: Server, redis_server: Server) -> dict[str, str]:
    url = postgres_server.create_database("ormcache_prefork")
    return {
        "DATABASE_URL": url.replace("postgresql:", "postgresql+psycopg:"),
        "REDIS_URL": redis_server.url,
    }


def worker_of(reply: Reply) -> int:
    return int(reply.headers["X-Worker"])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """
    Every request goes to somebody else meanwhile.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def workers(site: Site) -> tuple[int, int]:
    one = worker_of(site.get("/nothing-here"))
    with stopped(one):
        return one, worker_of(site.get("/nothing-here"))


def test_workers_forked_from_one_cache_serve_each_others_entries_and_see_each_others_writes(
    folder: Path, where: dict[str, str]
):
    with serving(PROBED, folder, **where) as shop:
        one, two = workers(shop)
        assert one != two
        with stopped(two):
            assert shop.get("/products/1").report == 'ormcache; fwd=miss; stored; detail="miss=1"'
            assert shop.get("/products/1").report == 'ormcache; hit; detail="hit=1"'
        with stopped(one):
            hit = shop.get("/products/1")
            assert (worker_of(hit), hit.report) == (two, 'ormcache; hit; detail="hit=1"')
            shop.put("/products/1", stock=77)
        with stopped(two):
            fresh = shop.get("/products/1")
            assert (worker_of(fresh), fresh.content["stock"]) == (one, 77)
            shop.put("/products/1", stock=78)
        with stopped(one):
            assert shop.get("/products/1").content["stock"] == 78


def test_no_connection_is_shared_between_processes(folder: Path, where: dict[str, str]):
    with serving(PROBED, folder, **where) as shop:
        one, two = workers(shop)
        seen = []
        for other in (one, two):
            with stopped(other):
                shop.get("/products/1")
                seen.append(shop.get("/connections").content)
        first, second = seen
        assert first["parents"] == second["parents"] != []
        assert first["store"] != [] != second["store"]
        everybody = [*first["parents"], *first["store"], *second["store"]]
        assert len(set(everybody)) == len(everybody)
        assert first["database"] != second["database"]
