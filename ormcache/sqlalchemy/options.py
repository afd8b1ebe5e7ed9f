"""
What did the caller of this one statement ask for?

    stmt.execution_options(ormcache=False)                  the database answers
    stmt.execution_options(ormcache=True)                   the policy applies, as by default
    stmt.execution_options(ormcache=30)                     cache with a ttl of 30 seconds
    stmt.execution_options(ormcache={"max_rows": 50_000})   the policy with settings replaced
    stmt.execution_options(ormcache=Policy(...))            this policy
    stmt.execution_options(ormcache_tables=["orders"])      what it reads or changes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ormcache.errors import ConfigurationError
from ormcache.policy import Policy

from .facts import TableName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["declared_tables", "options_key", "our_options", "overridden", "override"]

_KNOWN = ("ormcache", "ormcache_tables")


def our_options(options: Mapping[Any, Any]) -> dict[str, Any]:
    """
    Return those execution options that are for us.

    Raises:
        ConfigurationError: One is meant for us and unknown.
    """
    # SQLAlchemy keeps things of its own among the options, under keys that are no strings.
    named = ((name, said) for name, said in options.items() if isinstance(name, str))
    ours = {name: said for name, said in named if name.startswith("ormcache")}
    for name in ours:
        if name not in _KNOWN:
            raise ConfigurationError.unknown("execution option", name, _KNOWN)
    return ours


def options_key(ours: dict[str, Any]) -> str:
    """
    Return a text that two sets of our options share when they say the same.
    """
    return repr(sorted(ours.items())) if ours else ""


def override(policy: Policy | None, said: Any) -> Policy | None:
    """
    Return the policy for a statement whose option `ormcache` is *said*.
    """
    if said is None or said is True:
        return policy
    if said is False:
        return Policy.never
    if isinstance(said, Policy):
        return said
    settings = {"ttl": said} if isinstance(said, int | float) else said
    if not isinstance(settings, Mapping):
        msg = (
            "execution option 'ormcache' takes True, False, seconds, a mapping of policy settings "
            f"or a Policy, got {said!r}"
        )
        raise ConfigurationError(msg)
    return (policy or Policy()).override(settings)


def overridden(said: Any) -> Collection[str]:
    """
    Return the names of the policy settings that an option `ormcache` of *said* makes.
    """
    if said is None or said is True:
        return ()
    if said is False or isinstance(said, Policy):
        return Policy().settings()
    return said if isinstance(said, Mapping) else ("ttl",)


def declared_tables(names: Iterable[str]) -> frozenset[TableName]:
    """
    Return the tables that a caller or a policy names as `table` or `schema.table`.
    """
    if isinstance(names, str):
        msg = f"tables must be a sequence of names such as ({names!r},), got the string {names!r}"
        raise ConfigurationError(msg)
    split = (name.casefold().rpartition(".") for name in names)
    return frozenset(TableName(schema or None, table) for schema, _, table in split)
