"""
What must a child process not take over from the one it was forked from?

A lock that another thread held at that moment: that thread does not exist in the child, so nobody
would ever release it. Nor a thread that was to do something later.
"""

from __future__ import annotations

import logging
import os
import weakref
from typing import Protocol

__all__ = ["BeginsAnew", "begin_anew_after_fork"]

log = logging.getLogger("ormcache")


class BeginsAnew(Protocol):
    """
    Something that lives in several processes after a fork.
    """

    def begin_anew(self) -> None:
        """
        Called in the child process, when no other thread is running.
        """
        ...


_LIVING: weakref.WeakSet[BeginsAnew] = weakref.WeakSet()


def begin_anew_after_fork(thing: BeginsAnew) -> None:
    """
    Tell *thing* in each child process, as long as it lives.
    """
    _LIVING.add(thing)


def _after_fork() -> None:
    for thing in list(_LIVING):
        try:
            thing.begin_anew()
        except Exception:  # must not leave the others as they are
            log.exception("ormcache: %r does not begin anew after a fork", thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
