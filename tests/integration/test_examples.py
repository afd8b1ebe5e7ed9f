"""
Each example starts from its line in the README, serves hits over HTTP, and never an old row.
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ormcache.testing.servers import Server
from tests.integration.serving import EXAMPLES, Site, copy_examples, serving

README = (EXAMPLES / "README.md").read_text()
LINES = re.findall(r"^    ((?:flask|gunicorn|uvicorn) .+)$", README, re.MULTILINE)
DRIVERS = {"fastapi_async": "asyncpg", "litestar_app": "asyncpg"}
READERS, WRITES = 4, 40
READS = ("/products", "/products?category=tea", "/products/1", "/products/99")


def test_every_example_has_a_line():
    started = {found for line in LINES for found in re.findall(r"\w+_\w+", line)}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= started


@pytest.mark.parametrize("line", LINES)
def test_an_example(line: str, redis_server: Server, tmp_path: Path):
    copy_examples(tmp_path)
    with serving(line, tmp_path, REDIS_URL=redis_server.url) as shop:
        for path in READS:
            first, second = shop.get(path), shop.get(path)
            assert first.report == 'ormcache; fwd=miss; stored; detail="miss=1"', path
            assert second.report == 'ormcache; hit; detail="hit=1"', path
            assert "ormcache-hit;dur=" in second.headers["Server-Timing"]
            assert (first.status, first.body) == (second.status, second.body)
        before = shop.get("/products/1")
        assert before.status == 200
        assert [row["name"] for row in shop.get("/products?category=tea").content] == [
            "Assam",
            "Sencha",
        ]

        changed = shop.put("/products/1", cents=before.content["cents"] + 60)
        after = shop.get("/products/1")
        assert changed.status == 200
        assert after.content == changed.content == before.content | {"cents": 750}
        assert after.content in shop.get("/products?category=tea").content
        assert after.content in shop.get("/products").content
        assert shop.get("/products").report == 'ormcache; hit; detail="hit=1"'

    with serving(line, tmp_path, REDIS_URL=redis_server.url) as shop:  # another day
        assert shop.get("/products/1").content == after.content
        assert shop.get("/products/1").report == 'ormcache; hit; detail="hit=1"'


@pytest.mark.parametrize("line", LINES)
def test_requests_at_the_same_time_never_read_an_old_row_and_have_their_own_reports(
    line: str, postgres_server: Server, redis_server: Server, tmp_path: Path
):
    copy_examples(tmp_path)
    url = postgres_server.create_database("ormcache_examples")
    driver = next((DRIVERS[name] for name in DRIVERS if name in line), "psycopg")
    where = {
        "DATABASE_URL": url.replace("postgresql:", f"postgresql+{driver}:"),
        "REDIS_URL": redis_server.url,
    }
    committed = 0
    done = threading.Event()

    def write(shop: Site) -> None:
        nonlocal committed
        try:
            for number in range(1, WRITES + 1):
                assert shop.put("/products/1", stock=number).status == 200
                committed = number
        finally:
            done.set()

    def read(shop: Site) -> list[str]:
        reports = []
        while not done.is_set():
            before = committed
            reply = shop.get("/products/1")
            assert reply.content["stock"] >= before
            reports.append(reply.report)
        return reports

    with serving(line, tmp_path, **where) as shop, ThreadPoolExecutor(READERS + 1) as pool:
        shop.put("/products/1", stock=0)
        readers = [pool.submit(read, shop) for _ in range(READERS)]
        pool.submit(write, shop).result()
        reports = [report for reader in readers for report in reader.result()]
        assert shop.get("/products/1").content["stock"] == WRITES
        assert shop.get("/products/1").report == 'ormcache; hit; detail="hit=1"'
    one_read = re.compile(r'ormcache; .*detail="(hit|miss|stale|collapsed|bypass)=1( \w+=1)?"')
    assert [report for report in reports if not one_read.fullmatch(report)] == []
    assert len(reports) >= READERS
