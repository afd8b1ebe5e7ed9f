"""
Do the promises hold in every order of events?

What is explored here is a selection that takes seconds; `make explore` explores all of it.
"""

import pytest

from tests.interleavings.configurations import complete, small
from tests.interleavings.explore import explore
from tests.interleavings.faults import FAULTS
from tests.interleavings.stories import story


@pytest.mark.parametrize("configuration", small(), ids=str)
def test_no_promise_is_broken(configuration):
    served = 0
    for setting in configuration.settings:
        found = explore(setting)
        assert found.violation is None, story(setting, found.moves)
        served += found.served
    assert served, "nobody was answered from the cache, so nothing was shown"


def test_every_fault_is_explored():
    explored = {
        fault
        for configuration in complete()
        for setting in configuration.settings
        for fault in setting.faults
    }
    assert explored == FAULTS


def test_the_largest_exploration_is_three_writers_and_three_readers_over_two_tables():
    assert "3 readers, 3 writers" in complete()[0].size
    assert complete()[0].settings[0].items == 2
