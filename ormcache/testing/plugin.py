"""
What does pytest get by itself where ormcache is installed?

One fixture, and the recordings it made in the report of a test that fails. Imports nothing that a
test run without SQLAlchemy or a store would miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ormcache.recording import Recording

from .assertions import Recorder

__all__ = ["ormcache_record", "pytest_runtest_makereport"]

_RECORDINGS: pytest.StashKey[list[Recording]] = pytest.StashKey()


@pytest.fixture
def ormcache_record(request: pytest.FixtureRequest) -> Iterator[Callable[[Recorder], Recording]]:
    """
    Record a cache until the test ends; a test that fails shows what was recorded.

        def test_view(ormcache_record):
            log = ormcache_record(cache)
            view(request)
            assert log.hits == 1
    """
    made = request.node.stash[_RECORDINGS] = []
    with ExitStack() as stack:

        def record(cache: Recorder) -> Recording:
            made.append(stack.enter_context(cache.record()))
            return made[-1]

        yield record


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """
    Add the recordings to the report of a test that failed.
    """
    if call.when == "call" and call.excinfo is not None:
        for log in item.stash.get(_RECORDINGS, ()):
            item.add_report_section("call", "ormcache", str(log))
