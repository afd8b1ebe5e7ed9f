"""
pytest finds the plugin by itself, and a run that has no use for it does not notice.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

RECORDS = """
from sqlalchemy import create_engine, text

from ormcache import Cache, Policy

engine = create_engine("sqlite://")
cache = Cache.from_url("memory://", default=Policy())
cache.enable(engine)


def read():
    with engine.connect() as connection:
        connection.execute(text("SELECT name FROM sqlite_master"))


def test_passes(ormcache_record):
    log = ormcache_record(cache)
    read()
    assert log.bypasses == 1


def test_fails(ormcache_record):
    log = ormcache_record(cache)
    read()
    assert log.hits == 7


def test_recorded_nothing_after_its_end(ormcache_record):
    assert not cache.audience
"""

STANDS_ALONE = """
import sys

import pytest


def test_that_has_nothing_to_do_with_it():
    assert [m for m in ("redis", "msgspec", "sqlglot") if m in sys.modules] == []
    assert sys.modules["sqlalchemy"] is None
    with pytest.raises(ImportError):
        import sqlalchemy
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch):
    """
    Runs a test file as where ormcache is installed with its entry points.
    """
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    installed = tmp_path / "site"
    metadata = installed / "installed-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 0\n")
    named = [f"{name} = {module}" for name, module in points["pytest11"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[pytest11]", *named]))
    monkeypatch.setenv("PYTHONPATH", f"{installed}:{ROOT}")

    def run(source: str, *, without: str = "") -> subprocess.CompletedProcess[str]:
        if without:
            missing = f"import sys\nsys.modules[{without!r}] = None\n"
            (installed / "sitecustomize.py").write_text(missing)
        (tmp_path / "test_it.py").write_text(source)
        options = ["-W", "error", "-p", "no:randomly", "-p", "no:cacheprovider"]
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, "test_it.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_a_test_that_fails_shows_what_was_recorded(run):
    done = run(RECORDS)
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("Captured ormcache call") == 1
    section = done.stdout.partition("Captured ormcache call")[2]
    assert "bypass   the statement cannot be cached: system catalog" in section
    assert "0 hits, 0 misses, 1 bypass, 0 commits" in section


def test_a_run_without_sqlalchemy_does_not_notice(run):
    done = run(STANDS_ALONE, without="sqlalchemy")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
