"""
Made-up results to report on.
"""

from ormcache import Outcome
from ormcache.demo.measure import Freshness, Result, Run, Seen, Tally
from ormcache.demo.models import Flight
from ormcache.demo.questions import flight
from ormcache.demo.statements import Work
from ormcache.demo.workload import Kind, Read, Write

STEPS = [
    Read(Kind.LOOKUP, flight, 1),
    Read(Kind.LIST, flight, 2),
    Read(Kind.AGGREGATE, flight, 3),
    Write(Flight, 1, "arr_delay", 10_000),
]


def result(*, work=True, stale=False) -> Result:
    tally = Tally()
    tally.outcomes.update({Outcome.HIT: 3, Outcome.MISS: 1})
    after = 11 if stale else 71
    return Result(
        flights=5000,
        steps=STEPS,
        database=_run([0.001, 0.004, 0.06, 0.003], Work(1000, 20.0) if work else None),
        cached=_run([0.0005, 0.003, 0.001, 0.004], Work(100, 1.5) if work else None),
        tally=tally,
        freshness=Freshness(
            Seen(11, Outcome.HIT, 0.0005),
            71,
            Seen(after, Outcome.STALE, 0.002),
            Seen(71, Outcome.HIT, 0.0005),
        ),
        differing=[],
    )


def _run(seconds, work) -> Run:
    return Run(None, [step.kind for step in STEPS], seconds, [b""] * len(STEPS), work)
