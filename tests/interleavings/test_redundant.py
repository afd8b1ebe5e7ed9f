"""
Which rules could be broken without anybody noticing, and what stands behind them?

Each breaks nothing alone, in every state of a company that has all that the rule is about; and
each says why. Of the first two the rule behind is the vector itself, and what happens without
that is in `test_mutations.py`; the last two stand behind each other, and are noticed together.
"""

import pytest

from ormcache.freshness import Snapshot
from tests.interleavings import mutations as m
from tests.interleavings.explore import Setting, explore
from tests.interleavings.people import TABLES, keeper, query, reader, writer
from tests.interleavings.programs import program, reads, transaction
from tests.interleavings.stories import story

W, R = writer(0), reader(0)
SEVERAL = keeper(query(0), query(1), query(0))
OLD = keeper(query(1), query(0))
TWICE = program(
    transaction(reads(query(1)), reads(query(0)), m.next_transaction, reads(query(0)), keeps=TABLES)
)
EXPIRY = {"faults": ("lease time passes",), "budget": 1}

HITS_BEFORE = Setting((writer(0, 1), R, SEVERAL))
EXPIRING = Setting((W, R, OLD), **EXPIRY)

# Hits of before the snapshot are not looked at again, or not for doubt: what moved since the
# vector does not have the vector's token any more, so it is neither served nor filled in this
# transaction; what did not move is the same in the snapshot, in the entry and now.
NOT_CHECKED_AGAIN = (Snapshot, "to_recheck", lambda _snapshot: ())
CHECKED_FOR_MOVES_ONLY = (Snapshot, "recheck", m.doubt_ignored_when_checking_again)

# A token in doubt in the vector: whatever ends the doubt (settle, expiry, eviction) replaces the
# token, so it is never current again.
DOUBT_IN_THE_VECTOR = (Snapshot, "hold", m.doubt_in_the_vector)


@pytest.mark.parametrize(
    ("replaced", "setting"),
    [
        pytest.param(NOT_CHECKED_AGAIN, HITS_BEFORE, id="served scopes are not checked again"),
        pytest.param(CHECKED_FOR_MOVES_ONLY, HITS_BEFORE, id="doubt is ignored in that check"),
        pytest.param(DOUBT_IN_THE_VECTOR, EXPIRING, id="a token in doubt enters the vector"),
    ],
)
def test_a_rule_with_another_behind_it(replaced, setting, monkeypatch):
    monkeypatch.setattr(*replaced)
    found = explore(setting)
    assert found.violation is None, story(setting, found.moves)
    assert found.served


def test_a_vector_that_outlives_its_transaction():
    # An older vector asks for more: a scope that still has its token has not changed since then,
    # so neither since this transaction's own snapshot.
    setting = Setting((W, R, TWICE))
    found = explore(setting)
    assert found.violation is None, story(setting, found.moves)
    assert found.served


def test_an_expired_lease_that_leaves_its_token():
    # Under a token in doubt nothing is filled, served or remembered in a vector; so nothing of
    # before the expiry can match it when it is quiet again.
    setting = Setting(EXPIRING.programs, store=m.ExpiresInPlace, **EXPIRY)
    found = explore(setting)
    assert found.violation is None, story(setting, found.moves)


def test_both_of_those_together_are_noticed(monkeypatch):
    monkeypatch.setattr(*DOUBT_IN_THE_VECTOR)
    setting = Setting((W, R, OLD), store=m.ExpiresInPlace, **EXPIRY)
    found = explore(setting)
    told = story(setting, found.moves)
    print(f"\n{told}")  # noqa: T201 - the story is for whoever runs this with -s
    assert "newer than 0 in its snapshot" in told
