"""
In which order does it all happen?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from ormcache import Cache, StoreError

from .database import Application
from .freshness import show_freshness
from .measure import Result, Run, Tally, compare, differing
from .servers import Place
from .source import OTHER_ROWS
from .workload import Step, Write, sequence

__all__ = ["ShowProgress", "play"]

ShowProgress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""
Given what is done and how many of it, a block with a function to call with how many are done.
"""

_STORE_TIMEOUT = 1.0
"""
Seconds. Generous: every process of the demonstration shares one machine, and a database busy with
an aggregate on all its processors is no outage of the store.
"""


def play(place: Place, *, reads: int, flights: int, progress: ShowProgress) -> Result:
    """
    Load the data, do the same reads without and with the cache, and leave nothing behind.

    Raises:
        InUseError: The database has a schema of that name.
        StoreError: There is no store to show anything with.
    """
    with ExitStack() as stack:
        tally = Tally()
        # First of all, because without a store there is nothing to show.
        cache = stack.enter_context(_cache(place, tally))
        database = stack.enter_context(place.database())
        with progress("Loading rows", OTHER_ROWS + flights) as loaded:
            database.load(flights, loaded)
        plain = stack.enter_context(database.application())
        steps = sequence(database.subjects(), reads)
        _warm_up(steps, plain)
        caching = stack.enter_context(database.application(cache))
        without, with_cache = Run(plain), Run(caching)
        with progress("Reading, with and without", len(steps)) as done:
            compare(steps, without, with_cache, done)
        seen = Tally(tally.outcomes.copy(), tally.reasons.copy())
        another = stack.enter_context(_cache(place))
        other = stack.enter_context(database.application(another))
        freshness = show_freshness(1, caching, tally, other)
        wrong = differing(steps, without, with_cache)
        return Result(database.wording, flights, steps, without, with_cache, seen, freshness, wrong)


def _warm_up(steps: list[Step], application: Application) -> None:
    """
    Read the data and prepare the statements before anything is timed.

    Only the application without the cache profits: the other one begins with an empty cache and
    nothing prepared.
    """
    questions = {step.question: step for step in steps if not isinstance(step, Write)}
    for step in questions.values():
        step(application)


@contextmanager
def _cache(place: Place, *observers: Tally) -> Iterator[Cache]:
    cache = Cache.from_url(
        place.store_url, namespace=place.namespace, timeout=_STORE_TIMEOUT, observers=observers
    )
    try:
        told = cache.store.info()
        if "server" not in told:
            raise StoreError(f"nothing to cache in: {told.get('problem', 'the store is silent')}")
        try:
            yield cache
        finally:
            cache.clear()
    finally:
        cache.close()
