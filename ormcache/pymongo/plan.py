"""
What follows from the collections that a read names, whatever else it asks for?

The scopes it depends on and the policy it is under. Worked out once for each set of collections,
and again when the catalog or a policy has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from ormcache.errors import ConfigurationError
from ormcache.fingerprint import digest
from ormcache.model import Reason, Scope
from ormcache.policy import Policy

from .catalog import Catalog, KnownCatalog
from .names import Namespace, collection_scope

__all__ = ["Plan", "Refusal", "Said", "make_plan"]

FORMAT = 1
"""
Raise it whenever a key or an entry of this edge means something else.
"""

Refusal: TypeAlias = tuple[Reason, str]

Said: TypeAlias = Policy | Mapping[str, object] | bool
"""
What a caller chose for one collection object: a policy, settings to replace, or False.
"""


class Plan(NamedTuple):
    """
    How reads of some collections are cached; `refusal` says why they are not.
    """

    scopes: tuple[Scope, ...]
    policy: Policy
    key: str
    refusal: Refusal | None = None


def make_plan(
    catalog: Catalog,
    named: frozenset[Namespace],
    policy_of: Callable[[Namespace], Policy | None],
    said: Said | None,
) -> Plan:
    """
    Return the plan of reads that name *named*, by a collection object on which *said* was chosen.
    """
    resolved = catalog.resolve(named)
    if resolved.refusal is not None:
        return _refused(Reason.STATEMENT, f"a view: {resolved.refusal}")
    if any(namespace.is_the_servers for namespace in resolved.reads):
        return _refused(Reason.STATEMENT, "a collection that the server writes by itself")
    found = {namespace: _chosen(policy_of(namespace), said) for namespace in named}
    lacking = ", ".join(sorted(str(name) for name, policy in found.items() if policy is None))
    if lacking:
        return _refused(Reason.NO_POLICY, lacking)
    behind_views = map(policy_of, resolved.reads - named)
    policy = Policy.strictest(p for p in (*found.values(), *behind_views) if p is not None)
    assert policy is not None
    if not policy.enabled:
        return _refused(Reason.NEVER, "")
    scopes = _scopes(catalog.database, resolved.reads, policy)
    return Plan(scopes, policy, digest((f"mongodb {FORMAT}", catalog.user, *scopes)))


def _refused(reason: Reason, detail: str) -> Plan:
    return Plan((), Policy.never, "", (reason, detail))


def _scopes(database: str, reads: frozenset[Namespace], policy: Policy) -> tuple[Scope, ...]:
    scopes = {collection_scope(namespace) for namespace in reads}
    for name in policy.depends_on:
        # `shop.orders` may be one in the database `shop` or one of that name in this one.
        scopes.add(collection_scope(Namespace(database, name)))
        if "." in name:
            scopes.add(collection_scope(Namespace.parse(name)))
    return (*KnownCatalog.scopes(database), *sorted(scopes))


def _chosen(policy: Policy | None, said: Said | None) -> Policy | None:
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
