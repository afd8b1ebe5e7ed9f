"""
Is what we know of a database's schema still true?

Views, cascades and names come from the catalog, which is read once and then again whenever the
token of the whole database has changed: DDL and whatever nobody can place give it a new one, in
any process. Until it has been read again, nothing is stored: what a read depends on may be more
than we think.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ormcache.effects import Effect, Fetch, Save
from ormcache.errors import StoreError
from ormcache.model import Fetched, Scope, Token, TokenState, database_scope, table_scope
from ormcache.protocols import Store

from .catalog import Catalog, load_catalog

if TYPE_CHECKING:
    from ormcache.cache import Cache

    from .identity import Identity

__all__ = ["KnownSchema"]


class KnownSchema:
    """
    The catalog of one database, as one identity sees it, and whether it may have changed.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.whole = database_scope(identity.database)
        self.tracked: tuple[Scope, ...] = ()
        """Every scope that a cacheable read depended on, for snapshot vectors."""
        self._token: Token | None = None
        self._change = object()
        """The last change that was heard of; another object each time."""
        self._known: tuple[Catalog, object] | None = None
        """The catalog, and the last change when it began to be read: set together, as threads
        look at both."""

    def __repr__(self) -> str:
        return f"<KnownSchema {self.whole} stale={self.stale} tracked={len(self.tracked)}>"

    @property
    def catalog(self) -> Catalog | None:
        """
        The catalog as it was read last.
        """
        return self._known[0] if self._known is not None else None

    @property
    def stale(self) -> bool:
        """
        Whether the catalog must be read (again) before it is relied on.
        """
        return self._known is None or self._known[1] is not self._change

    def changed(self) -> None:
        """
        The schema has changed, or may have.
        """
        self._change = object()

    def load(
        self, cache: Cache, store: Store, dialect: str, query: Callable[[str], Sequence[Any]]
    ) -> Catalog:
        """
        Read the catalog by *query* and return it.
        """
        # Both before the queries: what changes during them makes the catalog stale again.
        change = self._change
        self._token = _token_of(self.whole, store)
        catalog = load_catalog(dialect, query)
        if catalog == self.catalog:
            catalog = self.catalog  # the plans made from it stay, also those of other threads
        self._known = catalog, change
        self._track_policies(cache, catalog)
        return catalog

    def track(self, scopes: Sequence[Scope]) -> None:
        """
        Remember scopes for the snapshot vectors to come.
        """
        # A scope lost to another thread here is added by its next read.
        if not set(scopes) <= set(self.tracked):
            self.tracked = tuple(dict.fromkeys((*self.tracked, *scopes)))

    def watch(
        self, perform: Callable[[Effect], object], planned: Catalog | None = None
    ) -> Callable[[Effect], object]:
        """
        Return *perform*, which learns from the tokens that pass that the schema may have changed.

        It saves nothing unless the catalog that the read was *planned* by is still the one to rely
        on: tokens may have been fetched after a change that the plan knows nothing of, and would
        stand for scopes that it has no longer to do with.
        """

        def watching(effect: Effect) -> object:
            if isinstance(effect, Save) and not self._relies_on(planned):
                msg = "the schema may have changed"
                raise StoreError(msg)
            answer = perform(effect)
            if isinstance(effect, Fetch) and isinstance(answer, Fetched):
                self._saw(effect.scopes, answer.tokens)
            return answer

        return watching

    def _saw(self, scopes: tuple[Scope, ...], states: tuple[TokenState, ...]) -> None:
        if scopes and scopes[0] == self.whole and states[0].token != self._token:
            self._token = states[0].token
            self.changed()

    def _relies_on(self, catalog: Catalog | None) -> bool:
        known = self._known
        return known is not None and known[0] is catalog and known[1] is self._change

    def _track_policies(self, cache: Cache, catalog: Catalog) -> None:
        """
        Track the tables that a policy names before anything reads them.

        So the first transaction that reads from a snapshot has them in its vector.
        """
        named = {name for layer in cache.policies().layers for name in layer}
        database = self.identity.database
        here = [
            t
            for t in catalog.tables
            if f"{t.schema}.{t.name}" in named
            or (t.name in named and t.schema in catalog.search_path)
        ]
        self.track((self.whole, *(table_scope(database, t.schema or "", t.name) for t in here)))


def _token_of(scope: Scope, store: Store) -> Token | None:
    """
    Return the token of a scope; None where it is in doubt or the store does not answer.
    """
    try:
        state = store.fetch(None, (scope,)).tokens[0]
    except StoreError:
        return None
    return None if state.in_doubt else state.token
