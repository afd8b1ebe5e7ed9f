"""
SQLAlchemy's own suite for third-party dialects passes where a cache is on every engine.

Each cacheable read of it is answered by a hit, see `tests/dialect_suite/replaying.py`. A run takes
one process, as the suite needs a pytest of its own: all of them at the same time.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, text

from ormcache.testing import servers

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "tests" / "dialect_suite"

# What fails, by the beginning of its name, and why. Whatever else fails is a bug; so is one of
# these that passes.
_SCHEMA = "uses an attached database without asking for one, and passes in the run that has one"
DEVIATIONS = {
    "postgresql": {},
    "mariadb": {},
    "sqlite": {
        "ComponentReflectionTest::test_metadata[False-_exclusions_01-True]": _SCHEMA,
        "ComponentReflectionTest::test_metadata[True-_exclusions_00-True]": _SCHEMA,
        "ComponentReflectionTestExtra::test_check_constraint_inline[True-": _SCHEMA,
        "ComponentReflectionTestExtra::test_check_constraint_mixed[True]": _SCHEMA,
        "ComponentReflectionTestExtra::test_check_constraint_no_constraint[True]": _SCHEMA,
        "ComponentReflectionTestExtra::test_check_constraint_parenthesized_expressions[True-": (
            _SCHEMA
        ),
        "ComponentReflectionTestExtra::test_check_constraint_standalone[True-": _SCHEMA,
    },
    "sqlite, attached": {},
}

# Why a read that the suite got to see was no hit.
NO_HIT = {
    ("BYPASS", "STATEMENT"): "the catalog, a volatile function, a locking read, a temporary table",
    ("BYPASS", "NO_POLICY"): "a SELECT without a table",
    ("BYPASS", "SESSION_STATE"): "the connection has a temporary table",
    ("BYPASS", "ASKED"): "streamed rows",
    ("BYPASS", "SNAPSHOT"): "made after the transaction had read something else",
    ("BYPASS", "OWN_WRITES"): "the materialized view that must not be committed",
}


@dataclass
class Report:
    """
    What became of every test of the suite, and of every read.
    """

    tests: dict[str, str]
    reads: list[tuple[str, str, str, int]]

    def failed(self) -> set[str]:
        return {name for name, outcome in self.tests.items() if outcome == "failed"}

    def named(self, beginnings: tuple[str, ...]) -> set[str]:
        return {name for name in self.tests if name.startswith(beginnings)}

    def counts(self) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for outcome, reason, _detail, number in self.reads:
            counts[outcome, reason] += number
        return counts


class Run:
    """
    The suite on one database, in a process and a folder of its own.
    """

    def __init__(self, folder: Path, store: str, url: str, *options: str) -> None:
        folder.mkdir()
        self._report = folder / "report.json"
        self._log = (folder / "log.txt").open("w+")
        command = (
            *(sys.executable, "-m", "pytest", "-c", SUITE / "setup.cfg", SUITE / "suite.py"),
            *("-q", "--tb=short", "--dburi", url, "--report", self._report),
            *("--store", store, "--namespace", f"suite-{folder.name}-{os.getpid()}", *options),
        )
        self._process = subprocess.Popen(
            [str(each) for each in command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def report(self) -> Report:
        self._process.wait()
        self._log.seek(0)
        said = self._log.read()
        assert self._report.exists(), said[-5_000:]
        print(said[-20_000:])  # noqa: T201 - shown where the test fails
        return Report(**json.loads(self._report.read_text()))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


@pytest.fixture
def runs(
    postgres_server: servers.Server,
    mysql_server: servers.Server,
    redis_server: servers.Server,
    tmp_path: Path,
) -> Iterator[dict[str, Run]]:
    """
    The suite on each database, started.
    """
    postgresql = postgres_server.create_database("dialect_suite")
    engine = create_engine(postgresql.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA test_schema"))
        connection.execute(text("CREATE SCHEMA test_schema_2"))
    engine.dispose()
    mysql, *others = (
        mysql_server.create_database(f"dialect_suite{each}") for each in ("", "_a", "_b")
    )
    schemas = " ".join(urlsplit(each).path[1:] for each in others)
    started = {
        "postgresql": (engine.url.render_as_string(hide_password=False),),
        "mariadb": (mysql.replace("mysql:", "mysql+pymysql:", 1), "--schemas", schemas),
        "sqlite": ("sqlite:///suite.db",),
        "sqlite, attached": ("sqlite:///suite.db", "--attach"),
    }
    runs = {
        name: Run(tmp_path / name.replace(", ", "-"), redis_server.url, *arguments)
        for name, arguments in started.items()
    }
    yield runs
    for run in runs.values():
        run.end()


@pytest.mark.timeout(900)
def test_it_passes_but_for_the_deviations_listed_and_its_reads_are_hits(runs: dict[str, Run]):
    reports = {name: run.report() for name, run in runs.items()}

    for name, report in reports.items():
        expected = DEVIATIONS[name]
        assert report.failed() == report.named(tuple(expected)), name
        assert all(report.named((each,)) for each in expected), name
        assert Counter(report.tests.values())["passed"] > 1_000, name

    on_a_file_of_its_own = reports.pop("sqlite, attached").counts()
    assert on_a_file_of_its_own["BYPASS", "DATABASE"] > 600  # nothing is cached beside it
    for name, report in reports.items():
        counts = report.counts()
        hits = counts.pop(("HIT", ""))
        print(name, Counter(report.tests.values()), hits, counts)  # noqa: T201 - for `-s`
        assert hits > 600, name
        assert set(counts) <= set(NO_HIT), name
