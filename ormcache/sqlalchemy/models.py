"""
Which policies do the mapped classes carry?

`__cache_policy__` is an ordinary class attribute, so a subclass inherits it. Models may be defined
at any time, before or after a cache is enabled: the registries are asked again when one has grown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table
from sqlalchemy.orm.mapper import _all_registries  # the only complete list; tested on 2.0 and 2.1

from ormcache.errors import ConfigurationError
from ormcache.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Mapper

__all__ = ["known_tables", "model_policies", "policy_name", "registry_size"]

ATTRIBUTE = "__cache_policy__"


def registry_size() -> int:
    """
    Return a number that changes when a model was defined.
    """
    return sum(len(registry._managers) for registry in _all_registries())


def model_policies() -> dict[str, Policy]:
    """
    Return the policy of every table whose model carries one.

    Raises:
        ConfigurationError: The attribute is not a `Policy`.
    """
    found: dict[str, Policy] = {}
    for mapper in _mappers():
        policy = getattr(mapper.class_, ATTRIBUTE, None)
        if policy is None:
            continue
        if not isinstance(policy, Policy):
            msg = f"{mapper.class_.__name__}.{ATTRIBUTE} must be an ormcache.Policy, got {policy!r}"
            raise ConfigurationError(msg)
        for table in _tables(mapper):
            name = table.fullname.casefold()
            if found.get(name, policy) != policy:  # several classes share the table
                policy = Policy.strictest((found[name], policy)) or policy
            found[name] = policy
    return found


def known_tables() -> set[str]:
    """
    Return the names of all tables in the metadata of all registries, with and without schema.
    """
    tables = [
        table for registry in _all_registries() for table in registry.metadata.tables.values()
    ]
    return {t.fullname.casefold() for t in tables} | {t.name.casefold() for t in tables}


def policy_name(target: object) -> str:
    """
    Return the table name that a policy for *target* (a name, a model, a `Table`) is kept under.
    """
    if isinstance(target, str):
        return target
    table = target if isinstance(target, Table) else getattr(target, "__table__", None)
    if isinstance(table, Table):
        return table.fullname
    msg = f"a policy is for a table name, a Table or a mapped class, got {target!r}"
    raise ConfigurationError(msg)


def _mappers() -> Iterator[Mapper[object]]:
    for registry in list(_all_registries()):
        yield from registry.mappers


def _tables(mapper: Mapper[object]) -> list[Table]:
    # A joined-inheritance subclass reads its parents' tables too; those carry their own policy.
    local = mapper.local_table
    return [local] if isinstance(local, Table) else []
