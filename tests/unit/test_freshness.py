"""
May an entry be served? The whole decision table, and what a snapshot adds to it.
"""

import itertools

import pytest

from ormcache.freshness import Snapshot, judge
from ormcache.model import Outcome, Reason, Scope, Token, TokenState

A, B = Scope("db/a"), Scope("db/b")
OLD, NEW = Token(b"old"), Token(b"new")


def quiet(*tokens: Token) -> list[TokenState]:
    return [TokenState(token, in_doubt=False) for token in tokens]


def doubtful(*tokens: Token) -> list[TokenState]:
    return [TokenState(token, in_doubt=True) for token in tokens]


def holding(*tokens: Token) -> Snapshot:
    snapshot = Snapshot()
    snapshot.hold((A, B), quiet(*tokens))
    return snapshot


IN_DOUBT = ("bypass", Reason.IN_DOUBT)
SNAPSHOT = ("bypass", Reason.SNAPSHOT)


@pytest.mark.parametrize(
    ("in_doubt", "snapshot", "entry", "verdict"),
    [
        (False, None, None, ("miss", None)),
        (False, None, "other", ("stale", None)),
        (False, None, "equal", ("hit", None)),
        (False, "holds", None, ("miss", None)),
        (False, "holds", "other", ("stale", None)),
        (False, "holds", "equal", ("hit", None)),
        *((False, "differs", entry, SNAPSHOT) for entry in (None, "other", "equal")),
        *(
            (True, snapshot, entry, IN_DOUBT)
            for snapshot, entry in itertools.product(
                (None, "holds", "differs"), (None, "other", "equal")
            )
        ),
    ],
)
def test_the_table(in_doubt: bool, snapshot: str | None, entry: str | None, verdict: tuple):
    states = (*quiet(OLD), *(doubtful(NEW) if in_doubt else quiet(NEW)))
    held = {None: None, "holds": holding(OLD, NEW), "differs": holding(OLD, OLD)}[snapshot]
    tokens = {None: None, "other": (OLD, OLD), "equal": (OLD, NEW)}[entry]

    outcome, reason = judge(tokens, (A, B), states, held)

    assert (outcome, reason) == (Outcome(verdict[0]), verdict[1])


@pytest.mark.parametrize("tokens", [(), (OLD,), (OLD, NEW, NEW), (NEW, OLD)])
def test_an_entry_with_other_tokens_is_stale_whatever_their_number_or_order(tokens: tuple):
    assert judge(tokens, (A, B), quiet(OLD, NEW), None).outcome is Outcome.STALE


class TestSnapshot:
    def test_a_new_one_needs_the_vector_and_covers_nothing(self):
        snapshot = Snapshot()
        assert snapshot.needs_vector
        assert not snapshot.covers((A,), quiet(OLD))
        assert not snapshot.covers((), [])

    def test_it_covers_scopes_that_still_have_the_token_it_holds(self):
        snapshot = holding(OLD, NEW)
        assert not snapshot.needs_vector
        assert snapshot.covers((B, A), quiet(NEW, OLD))
        assert not snapshot.covers((A,), quiet(NEW))
        assert not snapshot.covers((A, B), quiet(OLD, OLD))

    def test_it_covers_no_scope_that_was_not_in_the_vector(self):
        assert not holding(OLD, NEW).covers((A, Scope("db/c")), quiet(OLD, NEW))

    def test_a_token_in_doubt_is_left_out_of_the_vector(self):
        snapshot = Snapshot()
        snapshot.hold((A, B), (*quiet(OLD), *doubtful(NEW)))
        assert snapshot.covers((A,), quiet(OLD))
        assert not snapshot.covers((B,), quiet(NEW))

    def test_a_lost_one_covers_nothing_and_wants_nothing(self):
        snapshot = holding(OLD, NEW)
        snapshot.served((A,))
        snapshot.lose()
        assert snapshot.lost
        assert not snapshot.covers((A,), quiet(OLD))
        assert snapshot.to_recheck() == ()
        fresh = Snapshot()
        fresh.lose()
        assert not fresh.needs_vector

    def test_what_was_served_before_it_was_taken_is_checked_again_once(self):
        snapshot = holding(OLD, NEW)
        snapshot.served((B,))
        snapshot.served((A, B))
        assert snapshot.to_recheck() == (A, B)
        snapshot.recheck((A, B), quiet(OLD, NEW))
        assert not snapshot.lost
        assert snapshot.to_recheck() == ()

    def test_what_was_served_after_it_was_taken_is_not(self):
        snapshot = holding(OLD, NEW)
        snapshot.taken = True
        snapshot.served((A,))
        assert snapshot.to_recheck() == ()

    @pytest.mark.parametrize("states", [quiet(NEW), doubtful(OLD), doubtful(NEW)])
    def test_it_is_lost_where_a_served_scope_has_moved_or_may_have(self, states: list):
        snapshot = holding(OLD, NEW)
        snapshot.served((A,))
        snapshot.recheck((A,), states)
        assert snapshot.lost

    def test_it_shows_its_state(self):
        snapshot = Snapshot()
        assert repr(snapshot) == "<Snapshot new, taken=False, 0 tokens>"
        snapshot.hold((A, B), quiet(OLD, NEW))
        assert repr(snapshot) == "<Snapshot held, taken=False, 2 tokens>"
        snapshot.taken = True
        snapshot.lose()
        assert repr(snapshot) == "<Snapshot lost, taken=True, 2 tokens>"
