"""
The table and the picture.
"""

import io
import struct

import pytest
from rich.console import Console

from ormcache.demo.picture import draw
from ormcache.demo.report import fewer, report
from tests.unit.demo.results import result


def shown(found) -> str:
    written = io.StringIO()
    Console(file=written, width=80).print(report(found))
    return written.getvalue()


def row(text: str, beginning: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.strip().startswith(beginning))


def test_the_table_compares_both_applications():
    text = shown(result())

    assert row(text, "lookup by key")[-7:] == ["1.00", "ms", "0.50", "ms", "2.0", "x", "faster"]
    assert row(text, "write and commit")[-3:] == ["1.3", "x", "slower"]
    assert row(text, "database statements")[-4:] == ["1,000", "100", "-90", "%"]
    assert row(text, "database time")[-2:] == ["-92", "%"]
    assert row(text, "hit rate")[-2:] == ["75.0", "%"]
    assert row(text, "stale reads")[-3:] == ["0", "of", "3"]


def test_the_table_fits_into_80_columns():
    assert max(map(len, shown(result()).splitlines())) <= 80


def test_stale_reads_are_shown():
    assert row(shown(result(stale=True)), "stale reads")[-3:] == ["1", "of", "3"]


def test_it_speaks_of_what_the_database_has():
    found = result()
    mongo = found.wording._replace(work="commands", listing="list, $lookup", writes="writes")

    text = shown(found._replace(wording=mongo))

    assert row(text, "database commands")[-4:] == ["1,000", "100", "-90", "%"]
    assert row(text, "list, $lookup, p50")
    assert "1 writes included" in text


def test_a_database_that_does_not_count_is_no_obstacle():
    text = shown(result(work=False))

    assert row(text, "database statements")[-2:] == ["n/a", "n/a"]
    assert "n/a: nobody counted." in text


def test_fewer_of_nothing_is_no_change():
    assert fewer(0, 0) == "+0 %"
    assert fewer(100, 150) == "+50 %"


@pytest.mark.parametrize("options", [{}, {"work": False}, {"stale": True}])
def test_the_picture_is_a_png_of_the_promised_size(tmp_path, options):
    path = tmp_path / "demo.png"

    draw(result(**options), path)

    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", content[16:24]) == (1500, 780)
