import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ormcache.stores.breaker import Breaker
from ormcache.testing.clock import MovableClock


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def breaker(clock):
    return Breaker(failures=3, cooldown=1.0, longest=8.0, clock=clock)


def fail(breaker, times=1):
    for _ in range(times):
        assert breaker.admit()
        breaker.failed()


def test_it_opens_after_failures_in_a_row(breaker):
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    assert not breaker.admit()


def test_half_open_admits_one_call_and_its_success_closes(breaker, clock):
    fail(breaker, 3)
    clock.advance(1.0)
    assert breaker.state == "half-open"
    assert breaker.admit()
    assert not breaker.admit()
    breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.admit()
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_the_cooldown_doubles_up_to_the_longest(breaker, clock):
    fail(breaker, 3)
    for most in (1.0, 2.0, 4.0, 8.0, 8.0, 8.0):
        clock.advance(most * 0.49)
        assert not breaker.admit()
        clock.advance(most * 0.51)
        fail(breaker)


def test_a_late_failure_does_not_postpone_the_next_attempt(breaker, clock):
    fail(breaker, 3)
    clock.advance(0.9)
    breaker.failed()
    clock.advance(0.1)
    assert breaker.admit()


def test_an_attempt_that_never_reports_does_not_block_the_next(breaker, clock):
    fail(breaker, 3)
    clock.advance(1.0)
    assert breaker.admit()
    clock.advance(2.0)
    assert breaker.admit()


def test_of_many_threads_one_gets_the_attempt(breaker, clock):
    fail(breaker, 3)
    clock.advance(1.0)
    start = threading.Barrier(8)

    def ask(_):
        start.wait()
        return breaker.admit()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
