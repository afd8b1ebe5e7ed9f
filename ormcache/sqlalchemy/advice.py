"""
What would have to change for this read to be cached?

One sentence for each reason there is; no sentence where nothing the user can set would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ormcache.explanation import STATEMENT_OPTION
from ormcache.model import Reason
from ormcache.policy import Origin

from .facts import Kind

if TYPE_CHECKING:
    from ormcache.policy import Found

    from .connectionstate import ConnectionState
    from .plan import Plan

__all__ = ["NOT_ENABLED", "TOO_EARLY", "Circumstances", "advice"]

NOT_ENABLED = "the cache is enabled neither on this session nor on its engine"
TOO_EARLY = "this transaction began before the cache knew its engine"

_ALWAYS = {
    Reason.SHADOW: "set cache.mode = 'on': in shadow mode the database answers",
    Reason.ISOLATION: "read at READ COMMITTED or REPEATABLE READ",
    Reason.OWN_WRITES: "commit first: nobody else may see what this transaction has changed",
}
_OFF = {
    "": "set cache.mode = 'on'",
    NOT_ENABLED: "enable it there: cache.enable(...)",
    TOO_EARLY: "begin a new transaction",
}
_ASKED = {
    "": "leave the cache.refresh() block",
    "bypass()": "leave the cache.bypass() block",
    "streamed rows": "leave out yield_per and stream_results",
    "populate_existing": "leave out populate_existing",
    "refresh()": "read it by session.get() or a select(): session.refresh() means the database",
    "with_for_update": "leave out with_for_update(): the database locks rows",
}
_DECLARE = "say which tables it reads: execution_options(ormcache_tables=['orders'])"
_STATEMENT = {
    "not parsable": _DECLARE,
    "unknown function": _DECLARE,
    "volatile function": "call it in the application and pass the result as a parameter",
    "relative time": "compute the time in the application and pass it as a parameter",
    "locking read": "leave out the FOR clause or with_for_update(): the database locks rows",
    "several statements": "send them one by one",
    "a table may be in any schema": "name the table's schema",
    "reads no table": _DECLARE,
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    What an advice may depend on.
    """

    plan: Plan | None
    found: Mapping[str, Found | None]
    """The policy of each table that counts, by the table's name; None where it has none."""
    origins: Mapping[str, str]
    """Where each setting in force was made."""
    vary: Mapping[str, bool]
    """What the policy varies by, and whether each name has a value."""
    state: ConnectionState
    listener: str | None
    """A listener that may change what statements mean."""


def advice(reason: Reason, detail: str, given: Circumstances) -> str:
    """
    Return what to change so that a read refused for *reason* is cached; empty where nothing does.
    """
    if (always := _ALWAYS.get(reason)) is not None:
        return always
    match reason:
        case Reason.OFF:
            return _OFF.get(detail, "")
        case Reason.ASKED:
            return _ASKED.get(detail, "")
        case Reason.NO_POLICY:
            return _give_a_policy(given)
        case Reason.NEVER:
            return _lift_never(given)
        case Reason.STATEMENT:
            return _change_statement(detail, given)
        case Reason.SESSION_STATE:
            return _change_session(detail, given)
        case Reason.PARAMETERS:
            return _change_parameters(detail, given)
        case Reason.SNAPSHOT:
            return _wait_for_snapshot(given)
        case _:
            return ""


def _give_a_policy(given: Circumstances) -> str:
    lacking = sorted(name for name, found in given.found.items() if found is None)
    if not lacking:
        return _DECLARE
    calls = ", ".join(f"cache.policy({name!r}, ttl=60)" for name in lacking)
    return f"give {' and '.join(lacking)} a policy: {calls}"


def _lift_never(given: Circumstances) -> str:
    if given.origins.get("enabled") == STATEMENT_OPTION:
        return "leave out the statement's execution option 'ormcache'"
    for table, found in given.found.items():
        if found is None or found.policy.enabled:
            continue
        if found.origin is Origin.FILE:
            return f"set enabled = true for tables.{found.name} in the policy file"
        return f"give {table} another policy: cache.policy({table!r}, ttl=60)"
    return ""


def _change_statement(detail: str, given: Circumstances) -> str:
    facts = given.plan.facts if given.plan is not None else None
    if facts is not None and facts.kind is Kind.UNKNOWN:
        return "write it as a query; what it changes can be declared: ormcache_tables=['orders']"
    if detail.endswith("is not in the catalog"):
        return "if it was created outside of ormcache: cache.clear(); temporary tables never are"
    return next((said for start, said in _STATEMENT.items() if detail.startswith(start)), "")


def _change_session(detail: str, given: Circumstances) -> str:
    if detail == given.listener:
        return "if it changes no statement's meaning: Cache(..., trust_listeners=True)"
    if detail in given.state.session.settings:
        table = next(iter(given.found), "orders")
        return f"let the policy's vary name it: cache.policy({table!r}, vary=[{detail!r}])"
    if given.state.failed:
        return "roll the transaction back"
    return "read on a connection that was not told this"


def _change_parameters(detail: str, given: Circumstances) -> str:
    for name, has_value in given.vary.items():
        if not has_value and f"vary {name!r} raised" in detail:
            return f"repair the function that was given to cache.vary({name!r}, ...)"
        if not has_value:
            return f"register it: cache.vary({name!r}, current_{_word(name)})"
    if "the present" in detail:
        return "pass the time itself, as a datetime"
    return f"pass a plain value, such as a str or an int, instead of a {detail}"


def _wait_for_snapshot(given: Circumstances) -> str:
    snapshot = given.state.snapshot
    if snapshot is not None and snapshot.unusable:
        return "begin a new transaction"
    return "nothing: the transaction's first read opens its snapshot, those after it are cached"


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
