"""
Would this statement be cached, under which settings, and what would have to change?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model import is_slice, table_of
from .policy import Origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .model import Reason, Scope
    from .policy import Found, Policy

__all__ = ["STATEMENT_OPTION", "Explanation", "origins_of", "where_set"]

STATEMENT_OPTION = "the statement's own option"
_SHOWN = (
    *("ttl", "max_rows", "max_bytes", "depends_on", "vary", "slices"),
    *("collapse", "across_processes"),
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    What `Cache.explain` found; `str()` shows it as a few lines. It holds no value of a parameter.
    """

    statement: str
    """The SQL text with placeholders, never with values."""
    kind: str
    """`"read"`, `"write"`, `"ddl"`, `"session"`, `"transaction"`, `"call"` or `"unknown"`."""
    served: bool
    """Whether an entry may answer it now."""
    stored: bool
    """Whether what the database answers becomes an entry, if it is within the policy's limits."""
    reason: Reason | None
    """Why it is not both served and stored; None for what is no read."""
    detail: str
    """What exactly, where the reason is general; both as `ReadEvent` has them."""
    advice: str
    """The setting or the change that would have it cached; empty where there is none."""
    tables: tuple[str, ...]
    """The tables it reads and changes, as it names them."""
    scopes: tuple[Scope, ...]
    """What its result depends on: a commit that touches one of them ends the entry."""
    invalidates: tuple[Scope, ...]
    """What it touches itself: entries that depend on one of these end with its commit."""
    policy: Policy | None
    """The settings in force; None where a table it reads has no policy."""
    origins: Mapping[str, str]
    """Where each setting in force was made."""
    vary: Mapping[str, bool]
    """What the policy varies by, and whether each name has a value now."""
    key: str | None
    """The fingerprint, a digest; None where nothing would be looked up."""
    engine: str
    """The engine it would run on, without a password."""

    @property
    def cached(self) -> bool:
        """
        Whether an entry may answer it, and its rows may become one.
        """
        return self.served and self.stored

    def __str__(self) -> str:
        lines = list(self._lines())
        width = max(len(heading) for heading, _ in lines)
        return "\n".join(f"{heading.ljust(width)}  {text}" for heading, text in lines)

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "cached", self._verdict()
        if self.reason is not None:
            yield "to change it", self.advice or "no setting does"
        yield "statement", " ".join(self.statement.split())
        if self.tables:
            yield "tables", ", ".join(self.tables)
        if self.policy is not None and self.policy.enabled:
            yield from self._settings(self.policy)
        for name, has_value in self.vary.items():
            yield "varies by", f"{name}, which has {'a' if has_value else 'no'} value now"
        if self.served or self.stored:
            yield "ended by", f"a commit that changes {_readable(self.scopes)}"
        if self.invalidates:
            yield "invalidates", _readable(self.invalidates)
        if self.key is not None:
            yield "key", self.key
        yield "engine", self.engine

    def _verdict(self) -> str:
        why = ": ".join(part for part in (self.reason and self.reason.value, self.detail) if part)
        if self.reason is None:
            return "yes" if self.cached else f"no, it is a {self.kind} statement"
        if self.served:
            return f"served but not stored, {why}"
        return f"stored but not served, {why}" if self.stored else f"no, {why}"

    def _settings(self, policy: Policy) -> Iterator[tuple[str, str]]:
        together: dict[str, list[str]] = {}
        for name in _SHOWN:
            if name in self.origins:
                shown = f"{name}={getattr(policy, name)!r}"
                together.setdefault(self.origins[name], []).append(shown)
        for origin, settings in together.items():
            yield "policy", f"{', '.join(settings)} by {origin}"


def origins_of(
    policy: Policy, found: Mapping[str, Found], overridden: Collection[str]
) -> dict[str, str]:
    """
    Return where each setting in force was made.

    Args:
        policy: What is in force.
        found: The policy of each table that counts, by the table's name.
        overridden: The settings that the statement itself makes.
    """
    origins: dict[str, str] = {}
    for name, value in policy.settings().items():
        if name in overridden:
            origins[name] = STATEMENT_OPTION
            continue
        decided = [each for each in found.values() if _decides(getattr(each.policy, name), value)]
        if decided:
            origins[name] = " and ".join(dict.fromkeys(map(where_set, decided)))
        elif value != ():
            origins[name] = "default"
    return origins


def where_set(found: Found) -> str:
    """
    Return in words where a policy was set.
    """
    match found.origin:
        case Origin.FILE:
            return f"the policy file, tables.{found.name}"
        case Origin.NAME:
            return f"cache.policy({found.name!r})"
        case Origin.MODEL:
            return f"the model of {found.name}"
        case Origin.DEFAULT:
            return "the default policy"


def _decides(part: object, whole: object) -> bool:
    # Of names, every policy adds its own; of the other settings, the strictest counts.
    return bool(part) if isinstance(whole, tuple) else part == whole


def _readable(scopes: Collection[Scope]) -> str:
    names = [_name(scope) for scope in scopes]
    return ", ".join(dict.fromkeys(filter(None, names))) or "anything in the database"


def _name(scope: Scope) -> str:
    """
    Return a scope as people read it, without a value; empty where another one says it, too.
    """
    name = table_of(scope).partition("/")[2].lstrip(".")
    if is_slice(scope):
        column, is_value, _ = scope.removeprefix(table_of(scope))[1:].rpartition("=")
        return f"rows of {name} by {column}" if is_value else ""
    return "" if name == "*" else name
