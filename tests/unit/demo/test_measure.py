"""
What is computed from the measurements.
"""

from ormcache import Outcome, ReadEvent, Reason
from ormcache.demo.database import Work
from ormcache.demo.measure import Run, Tally, differing
from ormcache.demo.workload import Kind
from tests.unit.demo.results import STEPS, result


def test_an_answer_that_is_not_the_databases_is_found():
    database = Run(None, answers=[b"a", b"b", b"c", b"d"])
    cached = Run(None, answers=[b"a", b"b", b"x", b"d"])

    assert differing(STEPS, database, cached) == [STEPS[2]]


def test_a_stale_read_after_the_other_applications_commit_counts():
    assert result().stale == 0
    assert result(stale=True).stale == 1


def test_a_quantile_looks_at_one_kind_only():
    run = Run(None, [Kind.LOOKUP] * 100 + [Kind.LIST], [*range(100, 0, -1), 1000])

    assert run.quantile(Kind.LOOKUP, 0.5) == 51
    assert run.quantile(Kind.LOOKUP, 0.95) == 96
    assert run.quantile(Kind.LIST, 0.95) == 1000
    assert run.quantile(Kind.WRITE, 0.5) == 0


def test_bypasses_lower_the_hit_rate_and_keep_their_reason():
    tally = Tally()
    for outcome, reason in [
        (Outcome.HIT, None),
        (Outcome.HIT, None),
        (Outcome.MISS, None),
        (Outcome.BYPASS, Reason.STORE),
    ]:
        tally.on_read(
            ReadEvent(
                outcome=outcome,
                reason=reason,
                detail="",
                statement="",
                tables=(),
                store_seconds=0,
                database_seconds=0,
                rows=0,
                stored=False,
            )
        )

    assert tally.hit_rate == 0.5
    assert tally.reasons == {(Reason.STORE, ""): 1}
    assert Tally().hit_rate == 0


def test_work_adds_up():
    assert Work(10, 2.0).since(Work(4, 0.5)).plus(Work(1, 1.0)) == Work(7, 2.5)
