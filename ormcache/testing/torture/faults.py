"""
What is done to the applications, their store and the network between them?

Each fault is a generator that yields the seconds to wait for; when it is closed, all is well again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from ormcache.testing.torture.harm import Harm

__all__ = ["FAULTS", "Act", "Fault"]

Act = Literal["direct", "proxied", "refusing"]
"""
How the applications reach the store, and what they do when they cannot: in the first, without a
proxy; in the last, with `on_outage="refuse"`.
"""

_CYCLE = 8.0
_LONGEST_OUTAGE = 2.0
_SHORTEST_OUTAGE = 0.75
"""Three of the store's timeouts: shorter than two, an outage need not be noticed, see
docs/outage.md."""


class Fault(NamedTuple):
    """
    One row of the report.
    """

    name: str
    act: Act
    strike: Callable[[Harm, float], Iterator[float]]
    """Given what it may harm, and for how many seconds."""
    own_store: bool = False
    """Whether it needs a store of ours."""
    may_go_back: bool = False
    """Whether announcements may be lost, so that rows may be read before their commit has
    returned, and older ones after that: see limit 13 in the README."""


def nothing(harm: Harm, seconds: float) -> Iterator[float]:
    """
    All is well.
    """
    harm.note("nothing is harmed")
    yield seconds


def writers_killed(harm: Harm, seconds: float) -> Iterator[float]:
    """
    Writers get SIGKILL: from outside at any moment, and from inside at the steps of a commit.
    """
    with harm.writers_dying():
        for wait in _moments(harm.chance, seconds, 0.4, 1.2):
            yield wait
            harm.kill_a_writer()


def store_killed(harm: Harm, seconds: float) -> Iterator[float]:
    """
    The store gets SIGKILL, or ends cleanly, and comes back with its data.
    """
    for before, during, after in _cycles(harm.chance, seconds):
        yield before
        with harm.store_stopped(kill=harm.chance.random() < 0.5):
            yield during
        yield after


def store_paused(harm: Harm, seconds: float) -> Iterator[float]:
    """
    The store gets SIGSTOP, and goes on after a while.
    """
    for before, during, after in _cycles(harm.chance, seconds):
        yield before
        with harm.store_paused():
            yield during
        yield after


def store_flushed(harm: Harm, seconds: float) -> Iterator[float]:
    """
    FLUSHALL, time and again.
    """
    for wait in _moments(harm.chance, seconds, 0.1, 0.6):
        yield wait
        harm.flush()


def store_full(harm: Harm, seconds: float) -> Iterator[float]:
    """
    The store reaches its maxmemory, and refuses to write or evicts entries.
    """
    for before, during, after in _cycles(harm.chance, seconds):
        yield before
        with harm.store_filled(harm.chance.choice(("noeviction", "volatile-lru"))):
            yield during
        yield after


def network_slow(harm: Harm, seconds: float) -> Iterator[float]:
    """
    Every packet takes up to 30 ms longer, each way.
    """
    with harm.network("delay"):
        yield seconds


def network_cut(harm: Harm, seconds: float) -> Iterator[float]:
    """
    Nobody reaches the store: connections end, or nothing comes back.
    """
    for before, during, after in _cycles(harm.chance, seconds):
        yield before
        with harm.network(harm.chance.choice(("reset", "hang"))):
            yield during
        yield after


def one_writer_cut_off(harm: Harm, seconds: float) -> Iterator[float]:
    """
    One writer of each database does not reach the store, while all others do.
    """
    for before, during, after in _cycles(harm.chance, seconds):
        yield before
        with harm.network_of_one(harm.chance.choice(("reset", "hang"))):
            yield during
        yield after


FAULTS = (
    Fault("none", "direct", nothing),
    Fault("writers killed", "direct", writers_killed),
    Fault("store killed", "direct", store_killed, own_store=True, may_go_back=True),
    Fault("store paused", "direct", store_paused, own_store=True, may_go_back=True),
    Fault("store flushed", "direct", store_flushed, own_store=True, may_go_back=True),
    Fault("store full", "direct", store_full, own_store=True, may_go_back=True),
    Fault("network slow", "proxied", network_slow),
    Fault("network cut", "proxied", network_cut, may_go_back=True),
    Fault("one writer cut off", "proxied", one_writer_cut_off, may_go_back=True),
    Fault("network cut, refuse", "refusing", network_cut),
    Fault("one writer cut off, refuse", "refusing", one_writer_cut_off),
)
"""
In the order in which they are done.
"""


def _moments(chance: random.Random, seconds: float, least: float, most: float) -> Iterator[float]:
    left = seconds
    while (wait := chance.uniform(least, most)) < left:
        left -= wait
        yield wait
    yield left


def _cycles(chance: random.Random, seconds: float) -> Iterator[tuple[float, float, float]]:
    """
    Yield the seconds before, during and after each of some outages that fill *seconds*.
    """
    number = max(1, round(seconds / _CYCLE))
    for _ in range(number):
        cycle = seconds / number
        before = cycle * chance.uniform(0.1, 0.2)
        # The shorter ones are the more dangerous: others come back at once, and debts are fresh.
        longest = min(_LONGEST_OUTAGE, cycle * 0.3)
        during = min(cycle / 2, chance.uniform(_SHORTEST_OUTAGE, max(_SHORTEST_OUTAGE, longest)))
        yield before, during, cycle - before - during
