"""
A plugin for pytest, beside SQLAlchemy's own: the dialect suite with a cache on every engine.

Run as `tests/integration/test_dialect_suite.py` does. Without `--store` there is no cache, which
tells whose a failure is.
"""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import testing
from sqlalchemy.dialects import plugins
from sqlalchemy.dialects.mysql import provision as _mysql  # noqa: F401 - brings what is replaced
from sqlalchemy.dialects.postgresql import provision as _postgresql  # noqa: F401 - as above
from sqlalchemy.dialects.sqlite import provision as _sqlite  # noqa: F401 - as above
from sqlalchemy.testing import config as suite, provision

from ormcache import Cache, Policy
from tests.dialect_suite.replaying import READS, Replaying

_SERVER = re.compile(r"_(?:postgresql|mysql|mariadb|sqlite)\+[\w.]+(?=::)")

_outcomes: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", help="URL of the store of the cache on every engine")
    parser.addoption("--namespace", default="suite", help="the cache's, one that nobody used")
    parser.addoption("--schemas", help="two empty schemas beside that of the database")
    parser.addoption("--attach", action="store_true", help="the schema is an attached database")
    parser.addoption("--report", type=Path, help="where to write what became of tests and reads")


def pytest_configure(config: pytest.Config) -> None:
    provision.delete_from_all_tables.for_db("mysql", "mariadb")(_delete_from_all_tables)
    provision.post_configure_engine.for_db("postgresql")(_nothing)  # extensions nobody asks for
    if not config.getoption("--attach"):
        provision.post_configure_engine.for_db("sqlite")(_nothing)
    if config.getoption("--store"):
        plugins.register("ormcache", Replaying.__module__, Replaying.__name__)
        provision.update_db_opts.for_db("postgresql", "mysql", "mariadb", "sqlite")(_use_plugin)
        Replaying.cache = Cache.from_url(
            config.getoption("--store"),
            namespace=config.getoption("--namespace"),
            timeout=5.0,
            default=Policy(),
            observers=[READS],
            trust_listeners=True,  # the suite listens to checkouts, to close what is left open
        )


def _nothing(_url, _engine, _follower) -> None:
    pass


def _use_plugin(_url, options, _config) -> None:
    options["plugins"] = ["ormcache"]


def _delete_from_all_tables(connection, cfg, metadata) -> None:
    # Between tests, and out of the cache's sight: a connection that was told something by SET is
    # not used for cached reads again, and the suite uses one connection for nearly all tests.
    cursor = connection.connection.cursor()
    cursor.execute("SET foreign_key_checks = 0")
    provision.delete_from_all_tables.call_original(connection, cfg, metadata)
    cursor.execute("SET foreign_key_checks = 1")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if schemas := session.config.getoption("--schemas"):
        for each in suite.Config.all_configs():
            each.test_schema, each.test_schema_2 = schemas.split()
        suite.Config.set_as_current(suite._current, testing)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    name = _SERVER.sub("", report.nodeid.partition("::")[2])
    if report.outcome != "passed" or name not in _outcomes:
        _outcomes[name] = report.outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    if path := session.config.getoption("--report"):
        reads = [[*how, number] for how, number in READS.seen.items()]
        path.write_text(json.dumps({"tests": _outcomes, "reads": reads}))
