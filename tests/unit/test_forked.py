import os

import pytest

from ormcache.forked import begin_anew_after_fork


class Thing:
    """
    Counts how often it began anew, and may fail to.
    """

    def __init__(self, *, fails: bool = False) -> None:
        self.begun = 0
        self._fails = fails
        begin_anew_after_fork(self)

    def begin_anew(self) -> None:
        self.begun += 1
        if self._fails:
            raise RuntimeError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_each_begins_anew_in_the_child_though_another_fails():
    things = [Thing(), *(Thing(fails=True) for _ in range(5)), Thing()]
    child = os.fork()
    if child == 0:
        os._exit(0 if all(thing.begun == 1 for thing in things) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not any(thing.begun for thing in things)
