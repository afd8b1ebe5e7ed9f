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
from concurrent.futures import ThreadPoolExecutor

from ormcache.model import Scope
from ormcache.testing.store_history import hammer
from ormcache.testing.store_subject import (
    LONG,
    SHORT,
    A,
    B,
    entry_and_state,
    intent_on,
    states_of,
    token_of,
    tokens_in,
)
from ormcache.testing.store_tokens import TokenContract

__all__ = ["A", "B", "StoreContract"]


class StoreContract(TokenContract):
    """
    What every store owes the rest of ormcache.
    """

    # -- entries ---------------------------------------------------------------------------------

    def test_an_entry_comes_back_as_it_was(self) -> None:
        store = self.fresh_store()
        for entry in (b"", b"text", bytes(range(256)) * 400):
            store.save("fingerprint", entry, LONG)
            assert store.fetch("fingerprint", (A,)).entry == entry

    def test_an_entry_comes_with_the_tokens_asked_for(self) -> None:
        store = self.fresh_store()
        states = states_of(store, A, B)
        store.save("fingerprint", b"rows", LONG)
        assert store.fetch("fingerprint", (B, A)) == (b"rows", states[::-1])
        assert store.fetch("fingerprint", ()) == (b"rows", ())
        assert store.fetch(None, (A,)) == (None, states[:1])
        assert store.fetch(None, ()) == (None, ())
        assert store.fetch("another", (A,)) == (None, states[:1])

    def test_saving_again_replaces(self) -> None:
        store = self.fresh_store()
        store.save("fingerprint", b"old", LONG)
        store.save("fingerprint", b"new", LONG)
        assert store.fetch("fingerprint", ()).entry == b"new"

    def test_an_entry_goes_when_its_time_is_over(self) -> None:
        store = self.fresh_store()
        store.save("short", b"rows", SHORT)
        store.save("long", b"rows", LONG)
        store.save("none", b"rows", 0)
        assert store.fetch("none", ()).entry is None
        self.wait_until(lambda: store.fetch("short", ()).entry is None)
        assert store.fetch("long", ()).entry == b"rows"

    def test_what_is_there_is_kept_where_only_an_absent_entry_was_to_be_saved(self) -> None:
        store = self.fresh_store()
        assert store.save("lease", b"mine", SHORT, absent=True)
        assert not store.save("lease", b"another's", LONG, absent=True)
        assert store.fetch("lease", ()).entry == b"mine"
        self.wait_until(lambda: store.save("lease", b"the next one's", LONG, absent=True))
        assert store.fetch("lease", ()).entry == b"the next one's"
        assert store.save("lease", b"replaced", LONG)
        assert store.fetch("lease", ()).entry == b"replaced"

    def test_of_several_that_save_an_absent_entry_one_succeeds(self) -> None:
        store = self.fresh_store()

        def save(number: int) -> bool:
            return store.save("lease", b"%d" % number, LONG, absent=True)

        with ThreadPoolExecutor(8) as pool:
            saved = list(pool.map(save, range(40)))
        assert saved.count(True) == 1
        assert store.fetch("lease", ()).entry == b"%d" % saved.index(True)

    def test_tokens_outlive_entries_of_the_same_name(self) -> None:
        store = self.fresh_store()
        (state,) = states_of(store, A)
        store.save(A, b"rows", LONG)
        assert store.fetch(A, (A,)) == (b"rows", (state,))

    # -- the namespace ---------------------------------------------------------------------------

    def test_clear_empties_this_namespace_and_no_other(self) -> None:
        name = f"contract-{secrets.token_hex(6)}"
        store = self.open_store(name)
        others = [self.open_store(other) for other in (f"{name}2", f"{name}.a", f"x{name}")]
        kept = [entry_and_state(other) for other in others]
        before = entry_and_state(store)
        store.clear()
        assert [other.fetch("fingerprint", (A,)) for other in others] == kept
        entry, (state,) = store.fetch("fingerprint", (A,))
        assert entry is None
        assert state.token != before[1][0].token

    def test_clear_reaches_every_key(self) -> None:
        store = self.fresh_store()
        keys = [f"fingerprint{number}" for number in range(2500)]
        for key in keys[::100]:
            store.save(key, b"rows", LONG)
        scopes = tuple(Scope(f"app/public.t{number}") for number in range(2500))
        before = set(tokens_in(store.fetch(None, scopes).tokens))
        store.clear()
        assert not [key for key in keys if store.fetch(key, ()).entry is not None]
        assert not before & set(tokens_in(store.fetch(None, scopes).tokens))

    def test_settle_bumps_after_a_clear(self) -> None:
        store = self.fresh_store()
        intent = intent_on(A)
        store.announce(intent, LONG)
        store.clear()
        cleared = token_of(store, A)
        store.settle(intent)
        assert token_of(store, A) != cleared

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
