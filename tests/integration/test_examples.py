"""
Each example starts from its line in the README, serves hits over HTTP, and never an old row.
"""

import re
from pathlib import Path

import pytest

from ormcache.testing.servers import Server
from tests.integration.serving import EXAMPLES, copy_examples, serving

README = (EXAMPLES / "README.md").read_text()
LINES = re.findall(r"^    ((?:flask|gunicorn|uvicorn) .+)$", README, re.MULTILINE)
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
