"""
What do we know about one client that has a cache?

One object per client, shared by its databases and collections; what a read needs and a command
does not say is here: the deployment's identity, the catalogs, the plans made from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .catalog import Catalog, KnownCatalog, Told
from .identity import KnownDeployment
from .names import Namespace
from .plan import Plan, Said, make_plan

if TYPE_CHECKING:
    from ormcache.cache import Cache
    from ormcache.model import TokenState
    from ormcache.policy import Policy

__all__ = ["Attached"]

_MOST_PLANS = 1024


class Attached:
    """
    The cache of one client, the identity of its deployment and the catalogs of its databases.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.deployment = KnownDeployment()
        self._catalogs: dict[str, KnownCatalog] = {}
        self._plans: dict[object, tuple[object, Plan]] = {}

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

    def plan(
        self,
        known: KnownCatalog,
        first: Namespace,
        others: frozenset[Namespace],
        said: Said | None,
    ) -> Plan:
        """
        Return the plan of a read of *first* and *others*.
        """
        version = self.cache.policies().generation, known
        # A choice made for one object may be of settings, which have no hash.
        key = (first, others) if said is None else None
        made = self._plans.get(key)
        if made is not None and made[0] == version:
            return made[1]
        plan = make_plan(known.catalog, others | {first}, self._policy, said)
        if key is not None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = version, plan
        return plan

    def _policy(self, namespace: Namespace) -> Policy | None:
        return self.cache.policies().for_table(*(part.casefold() for part in namespace))
