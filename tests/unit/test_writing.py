"""
The life of a write, step by step: what is asked for, in which order, whatever fails.
"""

import pytest

from ormcache.effects import Announce, Apply, Settle
from ormcache.errors import CommitRefusedError, StoreError
from ormcache.model import Scope
from ormcache.writing import Committed, commit
from tests.fixtures.scripted import play

SCOPES = frozenset({Scope("db/b"), Scope("db/a")})
DOWN = StoreError("down")


def refused(_error: BaseException) -> bool:
    return True


def test_announce_then_commit_then_settle_under_one_intent():
    effects, returned = play(commit(SCOPES, refused), None, None, None)
    announce, apply, settle = effects
    assert (type(announce), type(apply), type(settle)) == (Announce, Apply, Settle)
    assert announce.intent is settle.intent
    assert announce.intent.scopes == ("db/a", "db/b")
    assert returned == Committed(delivered=True)


def test_two_commits_have_two_leases():
    (first, *_), _ = play(commit(SCOPES, refused), None, None, None)
    (second, *_), _ = play(commit(SCOPES, refused), None, None, None)
    assert first.intent.lease != second.intent.lease


def test_a_transaction_that_touched_nothing_asks_the_store_nothing():
    played = play(commit(frozenset(), refused), None)
    assert played.asked == ["apply"]
    assert played.returned == Committed(delivered=True)


def test_a_store_that_misses_the_announce_stops_nothing_and_gets_the_settle():
    played = play(commit(SCOPES, refused), DOWN, None, None)
    assert played.asked == ["announce", "apply", "settle"]
    assert played.returned == Committed(delivered=True)


@pytest.mark.parametrize("announced", [None, DOWN])
def test_a_store_that_misses_the_settle_is_told_but_raises_nothing(announced: object):
    played = play(commit(SCOPES, refused), announced, None, DOWN)
    assert played.returned == Committed(delivered=False)


@pytest.mark.parametrize("announced", [None, DOWN])
@pytest.mark.parametrize("ended", [None, DOWN])
@pytest.mark.parametrize("error", [RuntimeError("lost connection"), KeyboardInterrupt()])
def test_a_commit_that_may_still_arrive_leaves_its_scopes_in_doubt(
    announced: object, ended: object, error: BaseException
):
    path = commit(SCOPES, lambda _: False)
    first = next(path)
    applied = path.throw(announced) if announced is not None else path.send(None)
    assert isinstance(applied, Apply)
    renewed = path.throw(error)
    assert isinstance(renewed, Announce)
    assert renewed.intent is first.intent
    with pytest.raises(type(error)) as raised:
        path.throw(ended) if ended is not None else path.send(None)
    assert raised.value is error


@pytest.mark.parametrize("announced", [None, DOWN])
@pytest.mark.parametrize("settled", [None, DOWN])
def test_a_commit_that_the_database_refused_settles(announced: object, settled: object):
    error = RuntimeError("violates a constraint")
    path = commit(SCOPES, lambda exc: exc is error)
    assert isinstance(next(path), Announce)
    applied = path.throw(announced) if announced is not None else path.send(None)
    assert isinstance(applied, Apply)
    assert isinstance(path.throw(error), Settle)
    with pytest.raises(RuntimeError) as raised:
        path.throw(settled) if settled is not None else path.send(None)
    assert raised.value is error


@pytest.mark.parametrize("before", [[], [None, None]], ids=["announcing", "settling"])
def test_a_commit_that_is_cancelled_at_the_store_settles(before: list[None]):
    cancelled = KeyboardInterrupt()
    path = commit(SCOPES, lambda _: False)
    next(path)
    for answer in before:
        path.send(answer)
    assert isinstance(path.throw(cancelled), Settle)
    with pytest.raises(KeyboardInterrupt):
        path.send(None)


def test_a_failing_commit_that_touched_nothing_raises_as_it_is():
    with pytest.raises(RuntimeError, match="refused"):
        play(commit(frozenset(), refused), RuntimeError("refused"))


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_path_that_is_dropped_half_way_asks_for_nothing_more(steps: int):
    # What a killed process does: the lease it leaves runs out.
    path = commit(SCOPES, refused)
    next(path)
    for _ in range(steps):
        path.send(None)
    path.close()


def test_what_is_not_the_stores_error_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        play(commit(SCOPES, refused), ZeroDivisionError(), None)


@pytest.mark.parametrize("settled", [None, DOWN])
def test_a_commit_that_cannot_be_announced_is_refused_where_that_is_wanted(settled: object):
    path = commit(SCOPES, refused, refuse=True)
    first = next(path)
    ending = path.throw(DOWN)
    assert isinstance(ending, Settle), "the announcement may have arrived, and nothing follows it"
    assert ending.intent is first.intent
    with pytest.raises(CommitRefusedError, match="nothing was committed"):
        path.throw(settled) if settled is not None else path.send(None)


def test_a_commit_that_was_announced_is_not_refused_any_more():
    played = play(commit(SCOPES, refused, refuse=True), None, None, DOWN)
    assert played.asked == ["announce", "apply", "settle"]
    assert played.returned == Committed(delivered=False)


def test_what_touched_nothing_is_not_refused():
    assert play(commit(frozenset(), refused, refuse=True), None).asked == ["apply"]
