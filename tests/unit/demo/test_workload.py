"""
The sequence of reads and writes: reproducible, and able to catch a stale answer.
"""

from collections import Counter

import pytest

from ormcache.demo.database import Subjects
from ormcache.demo.workload import Kind, Read, Write, reads_in, sequence


@pytest.fixture
def known() -> Subjects:
    days = [(origin, 1, day) for origin in ("EWR", "JFK") for day in range(1, 32)]
    return Subjects(
        flights=range(1, 5001),
        planes=[f"N{number}" for number in range(500)],
        airports=[f"A{number}" for number in range(300)],
        hours=[(origin, hour) for origin in ("EWR", "JFK") for hour in range(100)],
        days=days,
        months=[1],
        origins=["EWR", "JFK"],
    )


@pytest.mark.parametrize("reads", [20, 21, 100, 750, 1999, 6000])
def test_as_many_reads_as_asked_for(known, reads):
    steps = sequence(known, reads)

    assert reads_in(steps) == reads
    assert any(isinstance(step, Write) for step in steps)


def test_the_same_seed_gives_the_same_sequence(known):
    assert sequence(known, 500) == sequence(known, 500)
    assert sequence(known, 500) != sequence(known, 500, seed=2014)


def test_each_write_stands_between_two_reads_of_its_row(known):
    steps = sequence(known, 3000)
    places = [place for place, step in enumerate(steps) if isinstance(step, Write)]

    assert len(places) == 4
    for place in places:
        before, write, after = steps[place - 1 : place + 2]
        assert before == after
        assert isinstance(before, Read)
        assert before.subject == write.key


def test_writes_reach_every_table_and_never_repeat_a_value(known):
    writes = [step for step in sequence(known, 12_000) if isinstance(step, Write)]
    values = {write.value for write in writes}

    assert {write.table for write in writes} == {"weather", "planes", "flights", "airports"}
    # Not the value after it either: that one is written by the application without the cache.
    assert len(values | {value + 1 for value in values}) == 2 * len(writes)


def test_every_kind_of_read_is_there_and_some_are_far_more_popular(known):
    reads = [step for step in sequence(known, 6000) if isinstance(step, Read)]
    kinds = Counter(read.kind for read in reads)
    flights = Counter(read.subject for read in reads if read.question == "flight")
    (_, most), *_, (_, least) = flights.most_common()

    assert kinds[Kind.LOOKUP] > kinds[Kind.LIST] > kinds[Kind.AGGREGATE] > 0
    assert most > 10 * least
