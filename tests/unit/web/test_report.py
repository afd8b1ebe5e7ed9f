"""
What does the report of one request say, and who gets to see it?
"""

import re

import pytest

from ormcache import ConfigurationError, Outcome, ReadEvent, Reason
from ormcache.web.report import checked, headers, may_see

HIT, MISS, STALE, BYPASS = Outcome.HIT, Outcome.MISS, Outcome.STALE, Outcome.BYPASS
COLLAPSED = Outcome.COLLAPSED


def event(
    outcome: Outcome,
    reason: Reason | None = None,
    *,
    stored: bool = False,
    seconds: tuple[float, float] = (0.0, 0.0),
    waited: float = 0.0,
) -> ReadEvent:
    return ReadEvent(
        outcome=outcome,
        reason=reason,
        detail='redis://secret:6379 "refused"',
        statement="SELECT salary FROM staff",
        tables=("staff",),
        store_seconds=seconds[0],
        database_seconds=seconds[1],
        rows=1,
        stored=stored,
        waited_seconds=waited,
    )


def told(*reads: ReadEvent) -> dict[str, str]:
    return dict(headers(reads))


@pytest.mark.parametrize(
    ("reads", "member"),
    [
        ([], 'ormcache; detail="no reads"'),
        ([event(HIT), event(HIT)], 'ormcache; hit; detail="hit=2"'),
        ([event(MISS, stored=True)], 'ormcache; fwd=miss; stored; detail="miss=1"'),
        ([event(STALE, stored=True)], 'ormcache; fwd=stale; stored; detail="stale=1"'),
        (
            [event(HIT), event(MISS, stored=True)],
            'ormcache; fwd=miss; stored; detail="hit=1 miss=1"',
        ),
        ([event(MISS, Reason.TOO_LARGE)], 'ormcache; fwd=miss; detail="miss=1 too_large=1"'),
        ([event(MISS), event(MISS, stored=True)], 'ormcache; fwd=miss; detail="miss=2"'),
        ([event(STALE), event(MISS)], 'ormcache; fwd=miss; detail="miss=1 stale=1"'),
        (
            [event(MISS), event(BYPASS, Reason.NO_POLICY), event(BYPASS, Reason.IN_DOUBT)],
            'ormcache; fwd=bypass; detail="miss=1 bypass=2 no_policy=1 in_doubt=1"',
        ),
        (
            [event(HIT), event(COLLAPSED)],
            'ormcache; fwd=miss; collapsed; detail="hit=1 collapsed=1"',
        ),
        (
            [event(COLLAPSED), event(STALE, stored=True)],
            'ormcache; fwd=stale; stored; collapsed; detail="stale=1 collapsed=1"',
        ),
    ],
)
def test_one_member_says_how_the_request_went(reads: list[ReadEvent], member: str):
    assert told(*reads)["cache-status"] == member


def test_a_metric_for_each_outcome_says_how_long_it_took():
    reads = (
        event(MISS, stored=True, seconds=(0.0005, 0.02)),
        event(HIT, seconds=(0.00025, 0.0)),
        event(HIT, seconds=(0.0005, 0.0)),
        event(COLLAPSED, seconds=(0.0005, 0.0), waited=0.04),
        event(BYPASS, Reason.NO_POLICY, seconds=(0.0, 0.001)),
    )
    assert told(*reads)["server-timing"] == (
        'ormcache-hit;dur=0.750;desc="ormcache hit=2", '
        'ormcache-miss;dur=20.500;desc="ormcache miss=1", '
        'ormcache-collapsed;dur=40.500;desc="ormcache collapsed=1", '
        'ormcache-bypass;dur=1.000;desc="ormcache bypass=1 no_policy=1"'
    )


def test_a_request_without_reads_has_nothing_to_time():
    assert "server-timing" not in told()


EVERYTHING = [event(outcome, reason) for outcome in Outcome for reason in Reason]
STATUS = re.compile(
    r'[a-zA-Z][a-zA-Z0-9]*(; *[a-z][a-z0-9_-]*(=([a-z][a-z_-]*|"[ !#-\[\]-~]*"))?)*'
)
METRIC = r'[a-z-]+(;[a-z]+=([0-9.]+|"[ !#-\[\]-~]*"))*'


def test_the_headers_are_well_formed_whatever_happened():
    headers = told(*EVERYTHING)
    assert STATUS.fullmatch(headers["cache-status"])
    assert re.fullmatch(f"{METRIC}(, {METRIC})*", headers["server-timing"])


def test_no_number_of_reads_makes_them_long():
    assert sum(map(len, told(*EVERYTHING * 10_000).values())) < 2500


def test_nothing_of_the_application_is_told():
    text = str(told(*EVERYTHING))
    assert not any(word in text for word in ("secret", "salary", "staff", "SELECT", "refused"))


def test_who_may_see_it():
    assert may_see(True, "request")
    assert not may_see(False, "request")
    assert may_see(lambda request: request == "request", "request")
    assert not may_see(lambda request: request == "another", "request")


def test_a_check_that_fails_means_no(caplog: pytest.LogCaptureFixture):
    assert not may_see(lambda request: 1 / 0, "request")
    assert "'enabled' of a cache report failed" in caplog.text


@pytest.mark.parametrize("wrong", ["no", None, 0, 1])
def test_what_is_neither_yes_nor_no_is_refused(wrong: object):
    with pytest.raises(ConfigurationError, match="must be True, False or a function, got"):
        checked(wrong)
