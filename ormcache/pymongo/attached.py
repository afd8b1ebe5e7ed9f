"""
What do we know about one client that has a cache?

One object per client, shared by its databases and collections; what a read needs and a command
does not say is here: the deployment's identity, the catalogs, the policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ormcache.errors import ConfigurationError
from ormcache.policy import Policy

from .catalog import Catalog, KnownCatalog, Told
from .identity import KnownDeployment
from .names import Namespace

if TYPE_CHECKING:
    from ormcache.cache import Cache
    from ormcache.model import TokenState

__all__ = ["Attached", "Said", "chosen"]

Said = Policy | Mapping[str, Any] | bool
"""
What a caller chose for one collection object: a policy, settings to replace, or False.
"""


class Attached:
    """
    The cache of one client, the identity of its deployment and the catalogs of its databases.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.deployment = KnownDeployment()
        self._catalogs: dict[str, KnownCatalog] = {}
        self._policies: dict[Namespace, Policy | None] = {}
        self._generation = -1

    def __repr__(self) -> str:
        return f"<Attached {self.cache!r} {self.deployment!r}>"

    def catalog(self, database: str) -> KnownCatalog | None:
        """
        Return what is known of a database, or None where it must be asked (again).
        """
        known = self._catalogs.get(database)
        return None if known is None or known.stale else known

    def learn(self, database: str, told: Told, states: tuple[TokenState, ...]) -> KnownCatalog:
        """
        Keep what a database told; *states* are those of before it was asked.
        """
        known = self._catalogs[database] = KnownCatalog(Catalog(database, told), states)
        return known

    def policy(self, namespace: Namespace) -> Policy | None:
        """
        Return the most specific policy of a collection.
        """
        policies = self.cache.policies()
        if policies.generation != self._generation:
            self._policies = {}
            self._generation = policies.generation
        known = self._policies
        if namespace not in known:
            known[namespace] = policies.for_table(*(part.casefold() for part in namespace))
        return known[namespace]


def chosen(policy: Policy | None, said: Said | None) -> Policy | None:
    """
    Return the policy for a collection object on which the caller said *said*.
    """
    if said is None or said is True:
        return policy
    if said is False:
        return Policy.never
    if isinstance(said, Policy):
        return said
    if not isinstance(said, Mapping):
        msg = f"with_cache() takes a Policy or settings such as ttl=60, got {said!r}"
        raise ConfigurationError(msg)
    return (policy or Policy()).override(said)
