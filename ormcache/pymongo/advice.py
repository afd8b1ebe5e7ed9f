"""
What would have to change for this read to be cached?

One sentence for each reason there is; no sentence where nothing the user can set would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ormcache.model import Reason
from ormcache.policy import Origin

if TYPE_CHECKING:
    from ormcache.policy import Found

    from .plan import Said

__all__ = ["advice"]

_ALWAYS = {
    Reason.OFF: "set cache.mode = 'on'",
    Reason.SHADOW: "set cache.mode = 'on': in shadow mode the database answers",
    Reason.DATABASE: "see that the client reaches a primary, and may read its catalog",
}
_ASKED = {
    "": "leave the cache.refresh() block",
    "bypass()": "leave the cache.bypass() block",
}
_ISOLATION = {
    "a transaction": "read outside of the transaction",
    "a snapshot session": "read without the session, or with one that has no snapshot",
    "a read preference": "with_options(read_preference=ReadPreference.PRIMARY)",
    "read concern": "with_options(read_concern=ReadConcern('local')), if that is enough",
    "the deployment's default": "with_options(read_concern=ReadConcern('local')), if it is enough",
}
_STATEMENT = {
    "$$NOW": "compute the time in the application and pass it as a value",
    "$$CLUSTER_TIME": "compute the time in the application and pass it as a value",
    "$where": "write it with $expr, which the cache can look into",
    "$function": "write it with operators of MongoDB's, which the cache can look into",
    "$accumulator": "write it with operators of MongoDB's, which the cache can look into",
    "the option": "leave it out: it may change the answer in a way that is not known here",
    "a tailable": "leave the cursor's type and flags as they are by default",
    "a view": "cache what the view is made of, read without it",
}


def advice(
    reason: Reason,
    detail: str,
    found: Mapping[str, Found | None],
    said: Said | None,
    vary: Mapping[str, bool],
) -> str:
    """
    Return what to change so that a read refused for *reason* is cached; empty where nothing does.

    Args:
        found: The policy of each collection that counts; None where it has none.
        said: What was chosen for the collection object.
        vary: What the policy varies by, and whether each name has a value.
    """
    match reason:
        case Reason.ASKED:
            return _ASKED.get(detail, "")
        case Reason.NO_POLICY:
            lacking = detail.split(", ")
            calls = ", ".join(f"cache.policy({name!r}, ttl=60)" for name in lacking)
            return f"give {' and '.join(lacking)} a policy: {calls}"
        case Reason.NEVER:
            return _lift_never(found, said)
        case Reason.ISOLATION:
            return _beginning(_ISOLATION, detail)
        case Reason.STATEMENT:
            return _beginning(_STATEMENT, detail)
        case Reason.PARAMETERS:
            return _change_values(detail, vary)
        case _:
            return _ALWAYS.get(reason, "")


def _lift_never(found: Mapping[str, Found | None], said: Said | None) -> str:
    if said is False:
        return "leave out uncached()"
    for name, each in found.items():
        if each is None or each.policy.enabled:
            continue
        if each.origin is Origin.FILE:
            return f"set enabled = true for tables.{each.name} in the policy file"
        return f"give {name} another policy: cache.policy({name!r}, ttl=60)"
    return "leave out with_cache(), or what it says of enabled"


def _change_values(detail: str, vary: Mapping[str, bool]) -> str:
    for name, has_value in vary.items():
        if not has_value and f"vary {name!r} raised" in detail:
            return f"repair the function that was given to cache.vary({name!r}, ...)"
        if not has_value:
            return f"register it: cache.vary({name!r}, a_function_that_returns_its_value)"
    return "pass only values that the collection's codec options can encode"


def _beginning(said: Mapping[str, str], detail: str) -> str:
    return next((advice for start, advice in said.items() if detail.startswith(start)), "")
