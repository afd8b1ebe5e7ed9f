"""
What has a transaction changed, after savepoints were released and rolled back?
"""

import pytest

from ormcache import touched as module
from ormcache.model import Scope, bulk_scope, slice_scope
from ormcache.touched import TouchedScopes

A, B, C = Scope("db/a"), Scope("db/b"), Scope("db/c")


def touched(*scopes: Scope) -> TouchedScopes:
    made = TouchedScopes()
    made.touch(scopes)
    return made


def test_nothing_is_touched_at_first():
    fresh = TouchedScopes()
    assert not fresh
    assert fresh.all() == frozenset()
    assert not fresh.overlaps([A])


def test_what_is_touched_adds_up():
    both = touched(A)
    both.touch([A, B])
    assert both
    assert both.all() == {A, B}
    assert both.overlaps(iter([C, B]))
    assert not both.overlaps([C])
    assert not both.overlaps([])


def test_rollback_to_a_savepoint_undoes_what_came_after_it_and_nothing_else():
    changes = touched(A)
    changes.savepoint("one")
    changes.touch([B])
    changes.rollback_to("one")
    assert changes.all() == {A}
    # The savepoint is still there, and can be rolled back to again.
    changes.touch([C])
    assert changes.all() == {A, C}
    changes.rollback_to("one")
    assert changes.all() == {A}


def test_what_was_touched_before_and_since_stays_touched():
    changes = touched(A)
    changes.savepoint("one")
    changes.touch([A])
    changes.rollback_to("one")
    assert changes.overlaps([A])


def test_release_publishes_nothing_and_forgets_nothing():
    changes = touched(A)
    changes.savepoint("one")
    changes.touch([B])
    changes.release("one")
    assert changes.all() == {A, B}
    changes.rollback_to("one")  # it is gone: no such name
    assert changes.all() == {A, B}


def test_rolling_back_the_parent_of_a_released_savepoint_undoes_both():
    changes = touched(A)
    changes.savepoint("outer")
    changes.savepoint("inner")
    changes.touch([B])
    changes.release("inner")
    changes.touch([C])
    changes.rollback_to("outer")
    assert changes.all() == {A}


def test_releasing_the_parent_releases_its_children():
    changes = TouchedScopes()
    changes.savepoint("outer")
    changes.touch([A])
    changes.savepoint("inner")
    changes.touch([B])
    changes.release("outer")
    assert changes.all() == {A, B}
    changes.rollback_to("inner")
    assert changes.all() == {A, B}


def test_rolling_back_the_parent_drops_its_children():
    changes = TouchedScopes()
    changes.savepoint("outer")
    changes.savepoint("inner")
    changes.touch([B])
    changes.rollback_to("outer")
    changes.touch([A])
    changes.rollback_to("inner")
    assert changes.all() == {A}


def test_a_name_that_repeats_hides_the_earlier_one():
    changes = TouchedScopes()
    changes.savepoint("same")
    changes.touch([A])
    changes.savepoint("same")
    changes.touch([B])
    changes.rollback_to("same")
    assert changes.all() == {A}
    changes.release("same")
    changes.rollback_to("same")
    assert changes.all() == frozenset()


def test_names_nobody_set_change_nothing():
    changes = touched(A)
    changes.release("never")
    changes.rollback_to("never")
    assert changes.all() == {A}


def test_the_end_of_the_transaction_forgets_all():
    changes = touched(A)
    changes.savepoint("one")
    changes.touch([B])
    changes.clear()
    assert not changes
    changes.touch([C])
    changes.rollback_to("one")
    assert changes.all() == {C}


def test_a_savepoint_with_nothing_in_it_is_no_change():
    changes = TouchedScopes()
    changes.savepoint("one")
    assert not changes


def test_it_shows_its_state():
    changes = touched(B, A)
    changes.savepoint("one")
    assert repr(changes) == "<TouchedScopes ['db/a', 'db/b'], savepoints=['one']>"


def test_what_turned_out_narrower_is_so_since_the_innermost_savepoint_only():
    changes = touched(A, B)
    assert changes.has(A)
    changes.refine(A, [C])
    assert changes.all() == {B, C}
    changes.savepoint("one")
    assert not changes.has(B)
    changes.touch([A])
    changes.refine(B, [B])
    changes.rollback_to("one")
    assert changes.all() == {B, C}


def test_too_many_slices_are_every_slice_of_their_tables(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_SLICES", 3)
    changes = touched(A, *(slice_scope(A, "id", str(n)) for n in range(2)))
    assert len(changes.all()) == 3
    changes.savepoint("one")
    changes.touch([B, slice_scope(B, "id", "1")])
    assert changes.all() == {A, B, bulk_scope(A), bulk_scope(B)}
    changes.touch([slice_scope(B, "id", "2"), bulk_scope(B, ["id"])])
    changes.rollback_to("one")
    assert len(changes.all()) == 3
