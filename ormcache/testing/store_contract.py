"""
Does a store keep what the protocol rests on?

Subclass `StoreContract` in a test module of yours, and pytest runs the whole suite against it:

    class TestMyStore(StoreContract):
        def open_store(self, namespace):
            return MyStore(SERVER, namespace)

        def evict(self, store, scope):
            client.delete(f"{store.namespace}/{scope}")

A store that takes a `Clock` may override `pass_time`, too; otherwise the suite waits for short
leases to run out by themselves.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable

from ormcache.model import Intent, Scope, Token, TokenState
from ormcache.protocols import Store
from ormcache.testing.store_history import hammer

__all__ = ["StoreContract"]

_LONG = 3600.0
_SHORT = 0.05
_PATIENCE = 2000

A = Scope("app/public.users")
B = Scope("app/public.orders")

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


class StoreContract:
    """
    What every store owes the rest of ormcache.
    """

    def open_store(self, namespace: str) -> Store:
        """
        Return a store of *namespace*; on one server, two namespaces share nothing.
        """
        raise NotImplementedError

    def evict(self, store: Store, scope: Scope) -> None:
        """
        Make *store* lose the token of *scope*, leases and all.
        """
        raise NotImplementedError

    def pass_time(self) -> None:
        """
        Let some hundredths of a second go by for the store.
        """
        threading.Event().wait(0.01)

    def fresh_store(self) -> Store:
        """
        Return a store of a namespace that no other test uses.
        """
        return self.open_store(f"contract-{secrets.token_hex(6)}")

    # -- tokens ----------------------------------------------------------------------------------

    def test_a_missing_token_is_created_and_stays(self) -> None:
        store = self.fresh_store()
        first = _states(store, A, B)
        assert not any(state.in_doubt for state in first)
        assert _states(store, A, B) == first
        assert _states(store, B, A) == first[::-1]

    def test_two_missing_tokens_of_two_fetches_differ(self) -> None:
        store = self.fresh_store()
        assert _token(store, A) != _token(store, B)

    def test_a_bump_changes_only_its_own_scopes(self) -> None:
        store = self.fresh_store()
        before = _states(store, A, B)
        store.settle(_intent(A))
        after = _states(store, A, B)
        assert after[0].token != before[0].token
        assert after[1] == before[1]

    def test_a_token_never_repeats(self) -> None:
        store = self.fresh_store()
        seen = {_token(store, A)}
        for turn in range(200):
            intent = _intent(A)
            if turn % 3:
                store.announce(intent, _LONG)
                seen.add(_token(store, A))
            store.settle(intent)
            if not turn % 5:
                self.evict(store, A)
            seen.add(_token(store, A))
        # One for each settle, one for each announce, one to begin with.
        assert len(seen) == 1 + 200 + 133

    def test_a_lost_token_comes_back_different(self) -> None:
        store = self.fresh_store()
        before = _token(store, A)
        self.evict(store, A)
        assert _token(store, A) != before

    def test_many_scopes_in_one_call(self) -> None:
        store = self.fresh_store()
        scopes = tuple(Scope(f"app/public.t{number}") for number in range(1000))
        before = store.fetch(None, scopes).tokens
        intent = Intent.of(frozenset(scopes))
        store.announce(intent, _LONG)
        announced = store.fetch(None, scopes).tokens
        store.settle(intent)
        settled = store.fetch(None, scopes).tokens
        assert len(before) == len(announced) == len(settled) == len(scopes)
        assert [state.in_doubt for state in announced] == [True] * len(scopes)
        assert not any(state.in_doubt for state in (*before, *settled))
        for one, two in ((before, announced), (announced, settled), (before, settled)):
            assert not set(_tokens(one)) & set(_tokens(two))

    def test_scopes_may_repeat(self) -> None:
        store = self.fresh_store()
        first, second, _ = _states(store, A, A, B)
        assert first == second
        twice = Intent(secrets.token_urlsafe(9), (A, A, B))
        store.announce(twice, _LONG)
        announced, again, _ = _states(store, A, A, B)
        assert announced == again
        assert announced.in_doubt
        store.settle(twice)
        assert not any(state.in_doubt for state in _states(store, A, B))

    def test_scopes_are_told_apart_whatever_they_are_called(self) -> None:
        store = self.fresh_store()
        for scope in ODD_SCOPES:
            before = dict(zip(ODD_SCOPES, _states(store, *ODD_SCOPES), strict=True))
            intent = _intent(scope)
            store.announce(intent, _LONG)
            assert _states(store, scope)[0].in_doubt
            store.settle(intent)
            after = dict(zip(ODD_SCOPES, _states(store, *ODD_SCOPES), strict=True))
            assert {name for name in ODD_SCOPES if after[name] != before[name]} == {scope}

    # -- intents ---------------------------------------------------------------------------------

    def test_announce_changes_the_token_and_raises_doubt(self) -> None:
        store = self.fresh_store()
        before = _token(store, A)
        store.announce(_intent(A), _LONG)
        (announced,) = _states(store, A)
        assert announced.in_doubt
        assert announced.token != before

    def test_settle_changes_the_token_again_and_ends_doubt(self) -> None:
        store = self.fresh_store()
        before = _token(store, A)
        intent = _intent(A)
        store.announce(intent, _LONG)
        announced = _token(store, A)
        store.settle(intent)
        (settled,) = _states(store, A)
        assert not settled.in_doubt
        assert settled.token not in {before, announced}

    def test_doubt_lasts_until_the_last_writer_has_settled(self) -> None:
        store = self.fresh_store()
        one, two = _intent(A), _intent(A, B)
        store.announce(one, _LONG)
        store.announce(two, _LONG)
        between = _token(store, A)
        store.settle(two)
        (only_one,) = _states(store, A)
        assert only_one.in_doubt
        assert only_one.token != between
        store.settle(one)
        (quiet,) = _states(store, A)
        assert not quiet.in_doubt
        assert quiet.token != only_one.token

    def test_settle_removes_no_lease_but_its_own(self) -> None:
        store = self.fresh_store()
        store.announce(_intent(A), _LONG)
        store.settle(_intent(A))
        assert _states(store, A)[0].in_doubt

    def test_a_lease_may_be_called_anything(self) -> None:
        store = self.fresh_store()
        for lease in ("a|b:1", "100%", "ü", "-", "a" * 100):
            intent = Intent(lease, (A,))
            store.announce(intent, _LONG)
            assert _states(store, A)[0].in_doubt
            store.settle(intent)
            assert not _states(store, A)[0].in_doubt

    def test_settle_without_announce_is_a_bump(self) -> None:
        store = self.fresh_store()
        before = _token(store, A)
        store.settle(_intent(A))
        (after,) = _states(store, A)
        assert not after.in_doubt
        assert after.token != before

    def test_settling_twice_bumps_twice(self) -> None:
        store = self.fresh_store()
        intent = _intent(A)
        store.announce(intent, _LONG)
        store.settle(intent)
        once = _token(store, A)
        store.settle(intent)
        assert _token(store, A) != once

    def test_announcing_twice_takes_one_settle(self) -> None:
        store = self.fresh_store()
        intent = _intent(A)
        store.announce(intent, _LONG)
        store.announce(intent, _LONG)
        store.settle(intent)
        assert not _states(store, A)[0].in_doubt

    # -- leases that run out, tokens that are lost -----------------------------------------------

    def test_a_lease_that_has_run_out_goes_and_takes_the_token_along(self) -> None:
        store = self.fresh_store()
        before = _token(store, A)
        intent = _intent(A)
        store.announce(intent, _LONG)
        announced = _token(store, A)
        store.announce(intent, _SHORT)
        self._wait_until(lambda: not _states(store, A)[0].in_doubt)
        after = _token(store, A)
        assert after not in {before, announced}
        assert _token(store, A) == after

    def test_a_lease_that_runs_out_leaves_the_others(self) -> None:
        store = self.fresh_store()
        dead, alive = _intent(A), _intent(A)
        store.announce(alive, _LONG)
        store.announce(dead, _SHORT)
        announced = _token(store, A)
        self._wait_until(lambda: _token(store, A) != announced)
        (reaped,) = _states(store, A)
        assert reaped.in_doubt
        store.settle(alive)
        assert not _states(store, A)[0].in_doubt

    def test_a_running_lease_stays(self) -> None:
        store = self.fresh_store()
        store.announce(_intent(A), _LONG)
        (announced,) = _states(store, A)
        for _ in range(10):
            self.pass_time()
            assert _states(store, A)[0] == announced

    def test_settle_bumps_after_its_own_lease_has_run_out(self) -> None:
        store = self.fresh_store()
        intent = _intent(A)
        store.announce(intent, _SHORT)
        self._wait_until(lambda: not _states(store, A)[0].in_doubt)
        reaped = _token(store, A)
        store.settle(intent)
        assert _token(store, A) != reaped

    def test_announce_where_the_token_was_lost(self) -> None:
        store = self.fresh_store()
        before = _token(store, A)
        self.evict(store, A)
        intent = _intent(A)
        store.announce(intent, _LONG)
        (announced,) = _states(store, A)
        assert announced.in_doubt
        assert announced.token != before
        store.settle(intent)
        assert not _states(store, A)[0].in_doubt

    def test_a_token_lost_between_announce_and_settle_comes_back_different(self) -> None:
        store = self.fresh_store()
        before = _token(store, A)
        intent = _intent(A)
        store.announce(intent, _LONG)
        announced = _token(store, A)
        self.evict(store, A)
        lost = _token(store, A)
        assert lost not in {before, announced}
        store.settle(intent)
        assert _token(store, A) not in {before, announced, lost}

    # -- entries ---------------------------------------------------------------------------------

    def test_an_entry_comes_back_as_it_was(self) -> None:
        store = self.fresh_store()
        for entry in (b"", b"text", bytes(range(256)) * 400):
            store.save("fingerprint", entry, _LONG)
            assert store.fetch("fingerprint", (A,)).entry == entry

    def test_an_entry_comes_with_the_tokens_asked_for(self) -> None:
        store = self.fresh_store()
        states = _states(store, A, B)
        store.save("fingerprint", b"rows", _LONG)
        assert store.fetch("fingerprint", (B, A)) == (b"rows", states[::-1])
        assert store.fetch("fingerprint", ()) == (b"rows", ())
        assert store.fetch(None, (A,)) == (None, states[:1])
        assert store.fetch(None, ()) == (None, ())
        assert store.fetch("another", (A,)) == (None, states[:1])

    def test_saving_again_replaces(self) -> None:
        store = self.fresh_store()
        store.save("fingerprint", b"old", _LONG)
        store.save("fingerprint", b"new", _LONG)
        assert store.fetch("fingerprint", ()).entry == b"new"

    def test_an_entry_goes_when_its_time_is_over(self) -> None:
        store = self.fresh_store()
        store.save("short", b"rows", _SHORT)
        store.save("long", b"rows", _LONG)
        store.save("none", b"rows", 0)
        assert store.fetch("none", ()).entry is None
        self._wait_until(lambda: store.fetch("short", ()).entry is None)
        assert store.fetch("long", ()).entry == b"rows"

    def test_tokens_outlive_entries_of_the_same_name(self) -> None:
        store = self.fresh_store()
        (state,) = _states(store, A)
        store.save(A, b"rows", _LONG)
        assert store.fetch(A, (A,)) == (b"rows", (state,))

    # -- the namespace ---------------------------------------------------------------------------

    def test_clear_empties_this_namespace_and_no_other(self) -> None:
        name = f"contract-{secrets.token_hex(6)}"
        store = self.open_store(name)
        others = [self.open_store(other) for other in (f"{name}2", f"{name}.a", f"x{name}")]
        kept = [_entry_and_state(other) for other in others]
        before = _entry_and_state(store)
        store.clear()
        assert [other.fetch("fingerprint", (A,)) for other in others] == kept
        entry, (state,) = store.fetch("fingerprint", (A,))
        assert entry is None
        assert state.token != before[1][0].token

    def test_clear_reaches_every_key(self) -> None:
        store = self.fresh_store()
        keys = [f"fingerprint{number}" for number in range(2500)]
        for key in keys[::100]:
            store.save(key, b"rows", _LONG)
        scopes = tuple(Scope(f"app/public.t{number}") for number in range(2500))
        before = set(_tokens(store.fetch(None, scopes).tokens))
        store.clear()
        assert not [key for key in keys if store.fetch(key, ()).entry is not None]
        assert not before & set(_tokens(store.fetch(None, scopes).tokens))

    def test_settle_bumps_after_a_clear(self) -> None:
        store = self.fresh_store()
        intent = _intent(A)
        store.announce(intent, _LONG)
        store.clear()
        cleared = _token(store, A)
        store.settle(intent)
        assert _token(store, A) != cleared

    def test_info_is_text(self) -> None:
        told = self.fresh_store().info()
        assert told["server"]
        assert all(isinstance(text, str) for text in (*told, *told.values()))

    # -- threads ---------------------------------------------------------------------------------

    def test_no_token_is_seen_again_once_a_settle_has_returned(self) -> None:
        history = hammer(self.fresh_store(), A, writers=3, readers=3, turns=60)
        assert history.revived() == []
        assert history.settles == 180
        assert len(history.tokens) > 1

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(_PATIENCE):
            if condition():
                return
            self.pass_time()
        raise AssertionError("it did not happen")


def _intent(*scopes: Scope) -> Intent:
    return Intent.of(frozenset(scopes))


def _states(store: Store, *scopes: Scope) -> tuple[TokenState, ...]:
    return store.fetch(None, scopes).tokens


def _token(store: Store, scope: Scope) -> Token:
    return _states(store, scope)[0].token


def _tokens(states: Iterable[TokenState]) -> list[Token]:
    return [state.token for state in states]


def _entry_and_state(store: Store) -> tuple[bytes | None, tuple[TokenState, ...]]:
    store.save("fingerprint", b"rows", _LONG)
    return store.fetch("fingerprint", (A,))
