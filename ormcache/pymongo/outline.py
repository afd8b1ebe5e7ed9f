"""
What would come of a read, without anything of it being sent?

The answer is the read path's own: the read goes its way up to the point where it would look into
the store, and no further.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from typing import TYPE_CHECKING, Any

from ormcache.explanation import STATEMENT_OPTION, Explanation, origins_of
from ormcache.fingerprint import NoIdentityError
from ormcache.model import Outcome, Reason
from ormcache.policy import Policy
from ormcache.reading import Answer, ReadRequest

from .advice import advice
from .asked import Asked
from .catalog import KnownCatalog
from .covering import aggregated
from .plan import Plan, Refusal
from .reads import Read, Wanted
from .shape import shape_of

if TYPE_CHECKING:
    from ormcache.drive import AsyncPerformer, Performer
    from ormcache.model import Scope
    from ormcache.policy import Found

__all__ = ["Outline"]


class Outline(Read):
    """
    A read that goes its way up to the store, and of which nobody is told.
    """

    __slots__ = ("_known", "_wanted")

    def __init__(self, collection: Any, asked: Asked, session: Any) -> None:
        super().__init__(collection, asked, session)
        self._wanted: ReadRequest | Refusal | None = None
        """None for an aggregation that writes, which is no read."""
        self._known: KnownCatalog | None = None

    @property
    def client(self) -> Any:
        """
        The client it would be sent by.
        """
        return self._collection.database.client

    def path(self) -> Generator[Wanted, Any, Answer]:
        if not self._asked.facts.writes:
            self._wanted, self._known = yield from self.wanted()
        return Answer(Outcome.BYPASS, Reason.ASKED)

    def tell(self, answer: Answer, perform: Performer | AsyncPerformer) -> None:
        pass

    def explanation(self) -> Explanation:
        """
        Return what was found out on the way.
        """
        request, plan = self._wanted, self.plan(self._known) if self._known is not None else None
        policy = plan.policy if plan is not None and _has_policy(plan) else None
        served, stored, reason, detail = _verdict(request)
        found = self._found()
        vary = {name: self._has_value(name) for name in policy.vary} if policy else {}
        is_cached = isinstance(request, ReadRequest) and (served or stored)
        return Explanation(
            statement=shape_of(str(self._asked.namespace), self._asked.command),
            kind="read" if request is not None else "write",
            served=served,
            stored=stored,
            reason=reason,
            detail=detail,
            advice=advice(reason, detail, found, self._said, vary) if reason is not None else "",
            tables=tuple(sorted(map(str, self._named()))),
            scopes=plan.scopes if plan is not None else (),
            invalidates=() if request is not None else self._written(),
            policy=policy,
            origins=self._origins(policy, found) if policy is not None else {},
            vary=vary,
            key=request.key if isinstance(request, ReadRequest) and is_cached else None,
            engine=_described(self.client),
        )

    def _written(self) -> tuple[Scope, ...]:
        return tuple(sorted(aggregated(self._collection, self._asked.command["pipeline"])))

    def _found(self) -> dict[str, Found | None]:
        """
        Return the policy of each collection that counts.
        """
        find, named = self._attached.cache.policies().find, self._named()
        # What lies behind a view counts where it has a policy.
        read = named if self._known is None else self._known.catalog.resolve(named).reads
        found = {each: find(*(part.casefold() for part in each)) for each in sorted(read)}
        return {str(each): policy for each, policy in found.items() if policy or each in named}

    def _origins(self, policy: Policy, found: Mapping[str, Found | None]) -> dict[str, str]:
        every = {name: each for name, each in found.items() if each is not None}
        origins = origins_of(policy, every, self._overridden())
        return {
            name: "with_cache()" if origin == STATEMENT_OPTION else origin
            for name, origin in origins.items()
        }

    def _overridden(self) -> Collection[str]:
        said = self._said
        if isinstance(said, Policy):
            return said.settings()
        return said if isinstance(said, Mapping) else ()

    def _has_value(self, name: str) -> bool:
        try:
            return self._attached.cache.varied(name) is not None
        except NoIdentityError:
            return False


def _has_policy(plan: Plan) -> bool:
    return plan.refusal is None or plan.refusal[0] is Reason.NEVER


def _verdict(request: ReadRequest | Refusal | None) -> tuple[bool, bool, Reason | None, str]:
    """
    Return whether a read is served, whether it is stored, and why not both.
    """
    if request is None:
        return False, False, None, ""
    if not isinstance(request, ReadRequest):
        return False, False, *request
    not_served = request.not_served or (Reason.SHADOW if request.shadow else None)
    not_filled = request.not_filled
    return not_served is None, not_filled is None, not_served or not_filled, ""


def _described(client: Any) -> str:
    # Only the addresses: what else belongs to a client may be a secret.
    servers = client.topology_description.server_descriptions()
    return f"MongoDB at {', '.join(f'{host}:{port}' for host, port in servers)}"
