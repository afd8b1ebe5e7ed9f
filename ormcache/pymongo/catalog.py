"""
What does a database know that a command does not say: its views, and who we are to it?

Read once per database, and again whenever the token of the database, or that of everything, has
changed: creating, changing or dropping a collection through ormcache gives it a new one, in any
process. Until it has been read again nothing is stored, as what a read depends on may be more
than we think.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ormcache.effects import Effect, Fetch
from ormcache.model import Fetched, Scope, Token, TokenState

from .names import EVERYTHING, Namespace, database_wide
from .pipeline import PipelineFacts, analyze

__all__ = ["VIEWS", "AskCatalog", "Catalog", "KnownCatalog", "Told"]

VIEWS = {"type": "view"}
"""
The filter that lists what is to be resolved. A time series needs none: its buckets share its scope.
"""

_LOCAL = ("local", "available")


@dataclass(frozen=True, slots=True)
class AskCatalog:
    """
    An effect: ask the server about a database. Answer: `Told`.
    """

    database: str


class Told(NamedTuple):
    """
    The server's answers to `connectionStatus`, `listCollections` and `getDefaultRWConcern`; the
    last is None where the user may not ask.
    """

    connection: Mapping[str, Any]
    views: Iterable[Mapping[str, Any]]
    default_concern: Mapping[str, Any] | None


class Catalog:
    """
    The views of one database, and the user they were shown to.
    """

    def __init__(self, database: str, told: Told) -> None:
        users = told.connection.get("authInfo", {}).get("authenticatedUsers", ())
        self.database = database
        self.user = " ".join(sorted(f"{user.get('user')}@{user.get('db')}" for user in users))
        self.reads_local = _reads_local(told.default_concern)
        """Whether a read without a read concern sees every acknowledged write."""
        self._views = {view["name"]: view.get("options", {}) for view in told.views}

    def resolve(self, namespaces: Iterable[Namespace]) -> PipelineFacts:
        """
        Return what reading *namespaces* reads in the end; views may be built on views.
        """
        resolved: set[Namespace] = set()
        facts = PipelineFacts()
        waiting = list(namespaces)
        while waiting:
            namespace = waiting.pop()
            if namespace in resolved:
                continue
            resolved.add(namespace)
            if (view := self._view(namespace)) is not None:
                inside = analyze(namespace.database, view.get("pipeline", []))
                facts += inside
                waiting += [Namespace(namespace.database, view.get("viewOn", "")), *inside.reads]
        # The view's own scope stays: dropping it and making a collection of its name changes it.
        return facts._replace(reads=frozenset(resolved))

    def is_view(self, namespace: Namespace) -> bool:
        """
        Return whether *namespace* is a view.
        """
        return self._view(namespace) is not None

    def _view(self, namespace: Namespace) -> Mapping[str, Any] | None:
        return (
            self._views.get(namespace.collection) if namespace.database == self.database else None
        )


class KnownCatalog:
    """
    A catalog, and whether it may be relied on.
    """

    __slots__ = ("_tokens", "catalog", "stale")

    def __init__(self, catalog: Catalog, states: tuple[TokenState, ...]) -> None:
        self.catalog = catalog
        self.stale = False
        self._tokens = _settled(states)

    @staticmethod
    def scopes(database: str) -> tuple[Scope, Scope]:
        """
        Return the scopes whose tokens tell whether a catalog still holds; every read's first.
        """
        return EVERYTHING, database_wide(database)

    def watch(self, effect: Effect, answer: object) -> None:
        """
        Learn from the tokens that pass that the catalog may have changed.
        """
        if isinstance(effect, Fetch) and isinstance(answer, Fetched) and effect.scopes:
            self.stale = self.stale or _settled(answer.tokens[:2]) != self._tokens


def _settled(states: tuple[TokenState, ...]) -> tuple[Token, ...] | None:
    """
    Return the tokens, or None while a writer may be about to change what they stand for.
    """
    return None if any(s.in_doubt for s in states) else tuple(s.token for s in states)


def _reads_local(default: Mapping[str, Any] | None) -> bool:
    concern = (default or {}).get("defaultReadConcern", {})
    return concern.get("level", "local") in _LOCAL
