"""
What is counted is the sum of what all threads did, in this process alone.
"""

import os
import sys
import threading

import pytest

from ormcache.counts import Counts
from ormcache.model import Outcome, Reason


@pytest.fixture
def impatient_threads():
    """
    Threads that take turns as often as the interpreter can.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("impatient_threads")
def test_no_thread_loses_what_another_counts():
    counts = Counts()

    def work() -> None:
        for _ in range(20_000):
            counts.add(Outcome.BYPASS, Reason.ASKED)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.outcomes() == {Outcome.BYPASS: 80_000}
    assert counts.reasons() == {Reason.ASKED: 80_000}


def test_a_copy_does_not_change():
    counts = Counts()
    counts.add(Outcome.HIT, None)
    before = counts.outcomes()
    counts.add(Outcome.HIT, None)
    assert (before[Outcome.HIT], counts.outcomes()[Outcome.HIT]) == (1, 2)
    assert not counts.reasons()


def test_a_forked_child_counts_from_zero():
    counts = Counts()
    counts.add(Outcome.HIT, None)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        counts.add(Outcome.HIT, None)
        os.write(writing, str(counts.outcomes()[Outcome.HIT]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"1"
    os.close(reading)
    os.close(writing)
    assert counts.outcomes()[Outcome.HIT] == 1
