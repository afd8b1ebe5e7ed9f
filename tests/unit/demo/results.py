"""
Made-up results to report on.
"""

from ormcache import Outcome
from ormcache.demo.database import Wording, Work
from ormcache.demo.freshness import Freshness, Seen
from ormcache.demo.measure import Result, Run, Tally
from ormcache.demo.workload import Kind, Read, Write

STEPS = [
    Read(Kind.LOOKUP, "flight", 1),
    Read(Kind.LIST, "flight", 2),
    Read(Kind.AGGREGATE, "flight", 3),
    Write("flights", 1, "arr_delay", 10_000),
]

WORDING = Wording(
    work="statements",
    reads="ORM reads",
    asked="statements",
    listing="list, eager loading",
    writing="write and commit",
    writes="commits",
    uncounted="nobody counted",
)


def result(*, work=True, stale=False) -> Result:
    tally = Tally()
    tally.outcomes.update({Outcome.HIT: 3, Outcome.MISS: 1})
    after = 11 if stale else 71
    return Result(
        wording=WORDING,
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
