"""
What did the user ask for, and which request is the most specific?

From the most to the least specific: the statement's own option, the policy file, a policy set by
name, the model's `__cache_policy__`, the cache's default. A statement that reads several tables is
cached when every one of them has a policy, under the strictest combination of them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Never

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Found", "Origin", "Policies", "Policy", "is_pattern"]

_SETTINGS = (
    *("ttl", "depends_on", "vary", "slices", "max_rows", "max_bytes"),
    *("collapse", "across_processes", "enabled"),
)
_MOST_SLICES = 3


class Policy:
    """
    How reads of one table may be cached.

    Args:
        ttl: How long an entry may live, in seconds. Freshness does not depend on it: it bounds
            memory, and how long a change made behind ormcache's back can stay unseen.
        depends_on: Further tables whose changes change what this one shows: the sources of a
            trigger that writes it, of a view the database does not describe, of a function.
        vary: Names of what changes the meaning of a statement: a session setting
            (`"app.tenant_id"`, `"role"`, `"search_path"`) or a value registered by `Cache.vary`.
        slices: Columns by whose value changes are told apart, besides the primary key: a read of
            the rows with one value outlives changes to rows with another.
        max_rows: Results with more rows are not stored.
        max_bytes: Results larger than this, in bytes as stored, are not stored.
        collapse: How long, in seconds, a read whose entry is not there may wait for another read
            that is loading it already. 0: each read loads by itself.
        across_processes: Whether one of several processes loads an entry, too. It costs every
            such read one more operation of the store: for queries that take long.
        enabled: False: never cache, whatever a less specific policy says.

    Raises:
        ConfigurationError: A setting is unknown or out of range.
    """

    __slots__ = _SETTINGS

    ttl: float
    depends_on: tuple[str, ...]
    vary: tuple[str, ...]
    slices: tuple[str, ...]
    max_rows: int
    max_bytes: int
    collapse: float
    across_processes: bool
    enabled: bool

    never: ClassVar[Policy]
    """
    The policy of a table that is never cached.
    """

    def __init__(
        self,
        *,
        ttl: float = 300.0,
        depends_on: Iterable[str] = (),
        vary: Iterable[str] = (),
        slices: Iterable[str] = (),
        max_rows: int = 10_000,
        max_bytes: int = 1_048_576,
        collapse: float = 1.0,
        across_processes: bool = False,
        enabled: bool = True,
        **unknown: Never,
    ) -> None:
        for name in unknown:
            raise ConfigurationError.unknown("policy setting", name, _SETTINGS)
        for name, value in {
            "ttl": _positive("ttl", ttl, "seconds"),
            "depends_on": _names("depends_on", depends_on, "orders"),
            "vary": _names("vary", vary, "tenant"),
            "slices": _columns(slices),
            "max_rows": _whole("max_rows", max_rows, "rows"),
            "max_bytes": _whole("max_bytes", max_bytes, "bytes"),
            "collapse": _seconds("collapse", collapse),
            "across_processes": _flag("across_processes", across_processes),
            "enabled": _flag("enabled", enabled),
        }.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"a Policy cannot be changed; make a new one with {name}={value!r}"
        raise AttributeError(msg)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.settings() == other.settings()

    def __hash__(self) -> int:
        return hash(tuple(self.settings().values()))

    def __repr__(self) -> str:
        return f"Policy({', '.join(f'{k}={v!r}' for k, v in self.settings().items())})"

    def settings(self) -> dict[str, object]:
        """
        Return the settings by name.
        """
        return {name: getattr(self, name) for name in _SETTINGS}

    def override(self, settings: Mapping[str, object]) -> Policy:
        """
        Return this policy with *settings* replaced.
        """
        return Policy(**{**self.settings(), **settings})  # type: ignore[arg-type]  # checked at run time

    @classmethod
    def strictest(cls, policies: Iterable[Policy]) -> Policy | None:
        """
        Return the combination that honours every one of *policies*; None where there is none.
        """
        several = list(policies)
        if len(several) <= 1:
            return several[0] if several else None
        return cls(
            ttl=min(p.ttl for p in several),
            depends_on=sorted({name for p in several for name in p.depends_on}),
            vary=sorted({name for p in several for name in p.vary}),
            slices=sorted({name for p in several for name in p.slices})[:_MOST_SLICES],
            max_rows=min(p.max_rows for p in several),
            max_bytes=min(p.max_bytes for p in several),
            collapse=min(p.collapse for p in several),
            across_processes=any(p.across_processes for p in several),
            enabled=all(p.enabled for p in several),
        )


class Origin(enum.Enum):
    """
    Where a policy was set, from the most to the least specific.
    """

    FILE = "the policy file"
    NAME = "cache.policy()"
    MODEL = "the model"
    DEFAULT = "the default"


class Found(NamedTuple):
    """
    A policy, where it was set, and under which name.
    """

    policy: Policy
    origin: Origin
    name: str


class Policies:
    """
    Every policy known, by table name; `schema.table` is more specific than `table`, and a name is
    more specific than a pattern such as `audit_*`.

    `generation` changes whenever an answer may have: what was derived from one is then derived
    again.
    """

    def __init__(self, default: Policy | None = None) -> None:
        self.default = default
        self.generation = 0
        self._layers: tuple[dict[str, Policy], ...] = ({}, {}, {})

    @property
    def layers(self) -> tuple[dict[str, Policy], ...]:
        """
        The policies by table name, from the most to the least specific source.
        """
        return self._layers

    @property
    def from_file(self) -> dict[str, Policy]:
        """
        The policy file's, which override the rest.
        """
        return self._layers[0]

    @property
    def by_name(self) -> dict[str, Policy]:
        """
        Those set by `Cache.policy`.
        """
        return self._layers[1]

    @property
    def by_model(self) -> dict[str, Policy]:
        """
        Those that models carry.
        """
        return self._layers[2]

    def set(self, layer: dict[str, Policy], table: str, policy: Policy) -> None:
        """
        Put *policy* for *table* into one of the layers.
        """
        name = table.casefold()
        if layer.get(name) != policy:
            layer[name] = policy
            self.generation += 1

    def replace(self, layer: dict[str, Policy], policies: Mapping[str, Policy]) -> None:
        """
        Make a layer hold exactly *policies*.
        """
        layer.clear()
        layer.update({table.casefold(): policy for table, policy in policies.items()})
        self.generation += 1

    def for_table(self, schema: str | None, table: str) -> Policy | None:
        """
        Return the most specific policy for a table, or None where it has none.
        """
        found = self.find(schema, table)
        return found and found.policy

    def find(self, schema: str | None, table: str) -> Found | None:
        """
        Return the most specific policy for a table and where it was set, or None.
        """
        names = (f"{schema}.{table}", table) if schema else (table,)
        for layer, origin in zip(self._layers, Origin, strict=False):
            for name in names:
                if (policy := layer.get(name)) is not None:
                    return Found(policy, origin, name)
            if (pattern := _matching(layer, names)) is not None:
                return Found(layer[pattern], origin, pattern)
        return Found(self.default, Origin.DEFAULT, "") if self.default is not None else None


def is_pattern(name: str) -> bool:
    """
    Return whether *name* stands for several tables: it holds `*`, `?` or `[`.
    """
    return any(sign in name for sign in "*?[")


def _matching(layer: Mapping[str, Policy], names: tuple[str, ...]) -> str | None:
    """
    Return the longest pattern of a layer that matches one of *names*.
    """
    matching = [
        pattern
        for pattern in layer
        if is_pattern(pattern) and any(fnmatchcase(name, pattern) for name in names)
    ]
    return max(matching, key=len, default=None)


def _positive(name: str, value: object, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        msg = f"policy setting {name!r} must be a number of {unit} above 0, got {value!r}"
        raise ConfigurationError(msg)
    return float(value)


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 60:
        msg = f"policy setting {name!r} must be a number of seconds from 0 to 60, got {value!r}"
        raise ConfigurationError(msg)
    return float(value)


def _whole(name: str, value: object, unit: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        msg = f"policy setting {name!r} must be a whole number of {unit} above 0, got {value!r}"
        raise ConfigurationError(msg)
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"policy setting {name!r} must be True or False, got {value!r}"
        raise ConfigurationError(msg)
    return value


def _names(name: str, value: object, example: str) -> tuple[str, ...]:
    names = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (None,)
    if not all(isinstance(n, str) and n for n in names):
        msg = (
            f"policy setting {name!r} must be a sequence of names such as ({example!r},), "
            f"got {value!r}"
        )
        raise ConfigurationError(msg)
    return names


def _columns(slices: object) -> tuple[str, ...]:
    names = _names("slices", slices, "tenant_id")
    if len(names) > _MOST_SLICES:
        msg = (
            f"policy setting 'slices' takes at most {_MOST_SLICES} columns, got {len(names)}: "
            "every read would depend on each combination of them"
        )
        raise ConfigurationError(msg)
    return tuple(name.casefold() for name in names)


Policy.never = Policy(enabled=False)
