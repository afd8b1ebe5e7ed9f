"""
What does the store contract ask of the one who runs it, and how does it ask the store?
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable

from ormcache.model import Intent, Scope, Token, TokenState
from ormcache.protocols import Store

__all__ = [
    "LONG",
    "SHORT",
    "A",
    "B",
    "StoreSubject",
    "entry_and_state",
    "intent_on",
    "states_of",
    "token_of",
    "tokens_in",
]

LONG = 3600.0
SHORT = 0.05
_PATIENCE = 2000

A = Scope("app/public.users")
B = Scope("app/public.orders")


class StoreSubject:
    """
    The store under test; see `StoreContract`.
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

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """
        Let time go by until *condition* holds; fail where it never does.
        """
        for _ in range(_PATIENCE):
            if condition():
                return
            self.pass_time()
        raise AssertionError("it did not happen")


def intent_on(*scopes: Scope) -> Intent:
    """
    Return a fresh intent on *scopes*.
    """
    return Intent.of(frozenset(scopes))


def states_of(store: Store, *scopes: Scope) -> tuple[TokenState, ...]:
    """
    Return the states of *scopes*.
    """
    return store.fetch(None, scopes).tokens


def token_of(store: Store, scope: Scope) -> Token:
    """
    Return the token of *scope*.
    """
    return states_of(store, scope)[0].token


def tokens_in(states: Iterable[TokenState]) -> list[Token]:
    """
    Return the tokens of *states*.
    """
    return [state.token for state in states]


def entry_and_state(store: Store) -> tuple[bytes | None, tuple[TokenState, ...]]:
    """
    Save an entry, and return what a fetch of it brings.
    """
    store.save("fingerprint", b"rows", LONG)
    return store.fetch("fingerprint", (A,))
