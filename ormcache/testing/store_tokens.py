"""
Does a store keep tokens and leases as the protocol needs them?
"""

from __future__ import annotations

import secrets

from ormcache.model import Intent, Scope
from ormcache.testing.store_subject import (
    LONG,
    SHORT,
    A,
    B,
    StoreSubject,
    intent_on,
    states_of,
    token_of,
    tokens_in,
)

__all__ = ["TokenContract"]

ODD_SCOPES = tuple(
    Scope(name)
    for name in (
        "app/public.with space",
        "app/public.\"quoted\" 'twice'",
        "app/public.größe_表_🗺",
        "app/a|b",
        "app/a:b",
        "app/100%|x:1|",
        "app/users#name=\r\n*?[a-z]\\",
        "app/users",
        "app/users2",
    )
)


class TokenContract(StoreSubject):
    """
    What every store owes about tokens; a part of `StoreContract`.
    """

    # -- tokens ----------------------------------------------------------------------------------

    def test_a_missing_token_is_created_and_stays(self) -> None:
        store = self.fresh_store()
        first = states_of(store, A, B)
        assert not any(state.in_doubt for state in first)
        assert states_of(store, A, B) == first
        assert states_of(store, B, A) == first[::-1]

    def test_two_missing_tokens_of_two_fetches_differ(self) -> None:
        store = self.fresh_store()
        assert token_of(store, A) != token_of(store, B)

    def test_a_bump_changes_only_its_own_scopes(self) -> None:
        store = self.fresh_store()
        before = states_of(store, A, B)
        store.settle(intent_on(A))
        after = states_of(store, A, B)
        assert after[0].token != before[0].token
        assert after[1] == before[1]

    def test_a_token_never_repeats(self) -> None:
        store = self.fresh_store()
        seen = {token_of(store, A)}
        for turn in range(200):
            intent = intent_on(A)
            if turn % 3:
                store.announce(intent, LONG)
                seen.add(token_of(store, A))
            store.settle(intent)
            if not turn % 5:
                self.evict(store, A)
            seen.add(token_of(store, A))
        # One for each settle, one for each announce, one to begin with.
        assert len(seen) == 1 + 200 + 133

    def test_a_lost_token_comes_back_different(self) -> None:
        store = self.fresh_store()
        before = token_of(store, A)
        self.evict(store, A)
        assert token_of(store, A) != before

    def test_many_scopes_in_one_call(self) -> None:
        store = self.fresh_store()
        scopes = tuple(Scope(f"app/public.t{number}") for number in range(1000))
        before = store.fetch(None, scopes).tokens
        intent = Intent.of(frozenset(scopes))
        store.announce(intent, LONG)
        announced = store.fetch(None, scopes).tokens
        store.settle(intent)
        settled = store.fetch(None, scopes).tokens
        assert len(before) == len(announced) == len(settled) == len(scopes)
        assert [state.in_doubt for state in announced] == [True] * len(scopes)
        assert not any(state.in_doubt for state in (*before, *settled))
        for one, two in ((before, announced), (announced, settled), (before, settled)):
            assert not set(tokens_in(one)) & set(tokens_in(two))

    def test_scopes_may_repeat(self) -> None:
        store = self.fresh_store()
        first, second, _ = states_of(store, A, A, B)
        assert first == second
        twice = Intent(secrets.token_urlsafe(9), (A, A, B))
        store.announce(twice, LONG)
        announced, again, _ = states_of(store, A, A, B)
        assert announced == again
        assert announced.in_doubt
        store.settle(twice)
        assert not any(state.in_doubt for state in states_of(store, A, B))

    def test_scopes_are_told_apart_whatever_they_are_called(self) -> None:
        store = self.fresh_store()
        for scope in ODD_SCOPES:
            before = dict(zip(ODD_SCOPES, states_of(store, *ODD_SCOPES), strict=True))
            intent = intent_on(scope)
            store.announce(intent, LONG)
            assert states_of(store, scope)[0].in_doubt
            store.settle(intent)
            after = dict(zip(ODD_SCOPES, states_of(store, *ODD_SCOPES), strict=True))
            assert {name for name in ODD_SCOPES if after[name] != before[name]} == {scope}

    # -- intents ---------------------------------------------------------------------------------

    def test_announce_changes_the_token_and_raises_doubt(self) -> None:
        store = self.fresh_store()
        before = token_of(store, A)
        store.announce(intent_on(A), LONG)
        (announced,) = states_of(store, A)
        assert announced.in_doubt
        assert announced.token != before

    def test_settle_changes_the_token_again_and_ends_doubt(self) -> None:
        store = self.fresh_store()
        before = token_of(store, A)
        intent = intent_on(A)
        store.announce(intent, LONG)
        announced = token_of(store, A)
        store.settle(intent)
        (settled,) = states_of(store, A)
        assert not settled.in_doubt
        assert settled.token not in {before, announced}

    def test_doubt_lasts_until_the_last_writer_has_settled(self) -> None:
        store = self.fresh_store()
        one, two = intent_on(A), intent_on(A, B)
        store.announce(one, LONG)
        store.announce(two, LONG)
        between = token_of(store, A)
        store.settle(two)
        (only_one,) = states_of(store, A)
        assert only_one.in_doubt
        assert only_one.token != between
        store.settle(one)
        (quiet,) = states_of(store, A)
        assert not quiet.in_doubt
        assert quiet.token != only_one.token

    def test_settle_removes_no_lease_but_its_own(self) -> None:
        store = self.fresh_store()
        store.announce(intent_on(A), LONG)
        store.settle(intent_on(A))
        assert states_of(store, A)[0].in_doubt

    def test_a_lease_may_be_called_anything(self) -> None:
        store = self.fresh_store()
        for lease in ("a|b:1", "100%", "ü", "-", "a" * 100):
            intent = Intent(lease, (A,))
            store.announce(intent, LONG)
            assert states_of(store, A)[0].in_doubt
            store.settle(intent)
            assert not states_of(store, A)[0].in_doubt

    def test_settle_without_announce_is_a_bump(self) -> None:
        store = self.fresh_store()
        before = token_of(store, A)
        store.settle(intent_on(A))
        (after,) = states_of(store, A)
        assert not after.in_doubt
        assert after.token != before

    def test_settling_twice_bumps_twice(self) -> None:
        store = self.fresh_store()
        intent = intent_on(A)
        store.announce(intent, LONG)
        store.settle(intent)
        once = token_of(store, A)
        store.settle(intent)
        assert token_of(store, A) != once

    def test_announcing_twice_takes_one_settle(self) -> None:
        store = self.fresh_store()
        intent = intent_on(A)
        store.announce(intent, LONG)
        store.announce(intent, LONG)
        store.settle(intent)
        assert not states_of(store, A)[0].in_doubt

    # -- leases that run out, tokens that are lost -----------------------------------------------

    def test_a_lease_that_has_run_out_goes_and_takes_the_token_along(self) -> None:
        store = self.fresh_store()
        before = token_of(store, A)
        intent = intent_on(A)
        store.announce(intent, LONG)
        announced = token_of(store, A)
        store.announce(intent, SHORT)
        self.wait_until(lambda: not states_of(store, A)[0].in_doubt)
        after = token_of(store, A)
        assert after not in {before, announced}
        assert token_of(store, A) == after

    def test_a_lease_that_runs_out_leaves_the_others(self) -> None:
        store = self.fresh_store()
        dead, alive = intent_on(A), intent_on(A)
        store.announce(alive, LONG)
        store.announce(dead, SHORT)
        announced = token_of(store, A)
        self.wait_until(lambda: token_of(store, A) != announced)
        (reaped,) = states_of(store, A)
        assert reaped.in_doubt
        store.settle(alive)
        assert not states_of(store, A)[0].in_doubt

    def test_a_running_lease_stays(self) -> None:
        store = self.fresh_store()
        store.announce(intent_on(A), LONG)
        (announced,) = states_of(store, A)
        for _ in range(10):
            self.pass_time()
            assert states_of(store, A)[0] == announced

    def test_settle_bumps_after_its_own_lease_has_run_out(self) -> None:
        store = self.fresh_store()
        intent = intent_on(A)
        store.announce(intent, SHORT)
        self.wait_until(lambda: not states_of(store, A)[0].in_doubt)
        reaped = token_of(store, A)
        store.settle(intent)
        assert token_of(store, A) != reaped

    def test_announce_where_the_token_was_lost(self) -> None:
        store = self.fresh_store()
        before = token_of(store, A)
        self.evict(store, A)
        intent = intent_on(A)
        store.announce(intent, LONG)
        (announced,) = states_of(store, A)
        assert announced.in_doubt
        assert announced.token != before
        store.settle(intent)
        assert not states_of(store, A)[0].in_doubt

    def test_a_token_lost_between_announce_and_settle_comes_back_different(self) -> None:
        store = self.fresh_store()
        before = token_of(store, A)
        intent = intent_on(A)
        store.announce(intent, LONG)
        announced = token_of(store, A)
        self.evict(store, A)
        lost = token_of(store, A)
        assert lost not in {before, announced}
        store.settle(intent)
        assert token_of(store, A) not in {before, announced, lost}
