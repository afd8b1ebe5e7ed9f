"""
Where do the policies come from, and which are in force now?
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError
from .policy import Policies, is_pattern
from .settings import PolicyFile, WatchedPolicyFile

if TYPE_CHECKING:
    from pathlib import Path

    from .policy import Policy

__all__ = ["Rulebook"]


class Rulebook:
    """
    The policies set by name, those of a policy file, and those that the models carry.

    `models` is what knows the mapped classes, once the cache is enabled on something that has any.
    """

    def __init__(self, default: Policy | None, policy_file: str | Path | None) -> None:
        self.models: Any = None
        self._policies = Policies(default)
        self._default = default
        self._file = WatchedPolicyFile(policy_file) if policy_file is not None else None
        self._registry_seen = -1
        if self._file is not None:
            self._adopt(self._file.read())

    def in_force(self) -> Policies:
        """
        Return the policies in force: looks for changed models and a changed policy file.
        """
        if self._file is not None and (content := self._file.changed()) is not None:
            self._adopt(content)
        models = self.models
        if models is not None and (size := models.registry_size()) != self._registry_seen:
            self._registry_seen = size
            self._policies.replace(self._policies.by_model, models.model_policies())
        return self._policies

    def set(self, table: str, policy: Policy) -> None:
        """
        Set the policy of a name.

        Raises:
            ConfigurationError: No metadata knows it; before `models` is set, it may come yet.
        """
        if self.models is not None:
            self._check(table.casefold())
        self._policies.set(self._policies.by_name, table, policy)

    def check(self) -> None:
        """
        Raise `ConfigurationError` where a policy is for a table that no metadata knows, or the one
        of a model is none.
        """
        self._check(*self._policies.by_name, *self._policies.from_file)
        self.in_force()

    def _check(self, *names: str) -> None:
        known: set[str] = self.models.known_tables()
        if not known:
            return  # no model at all: an application of plain SQL
        for name in names:
            if not (_is_known(name, known) or _may_be_a_collection(name, known)):
                raise ConfigurationError.unknown("table in a policy", name, known)

    def _adopt(self, content: PolicyFile) -> None:
        self._policies.default = content.default or self._default
        self._policies.replace(self._policies.from_file, content.tables)


def _is_known(table: str, known: set[str]) -> bool:
    return table in known or (is_pattern(table) and any(fnmatchcase(name, table) for name in known))


def _may_be_a_collection(name: str, known: set[str]) -> bool:
    """
    Return whether a name that no metadata knows is one of MongoDB's, in an application that has
    both: `database.collection`, where no schema is called like the database.
    """
    database, dot, _ = name.partition(".")
    schemas = {table.partition(".")[0] for table in known if "." in table}
    return bool(dot) and database not in schemas and "pymongo" in sys.modules
