"""
What does an observer get to see?

One frozen object per event, so that a field can be added without changing anybody's signature.
No event carries a value of a row or of a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Outcome, Reason

__all__ = ["CommitEvent", "ReadEvent", "ShadowDifference"]


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """
    One read through the cache. Durations are in seconds.
    """

    outcome: Outcome
    reason: Reason | None
    detail: str
    """What exactly, where the reason is general: the function, the setting, the type."""
    statement: str
    """The SQL text with placeholders, never with values."""
    tables: tuple[str, ...]
    store_seconds: float
    database_seconds: float
    rows: int
    stored: bool
    """Whether this read left an entry behind."""
    waited_seconds: float = 0.0
    """How long it waited for another read that was loading the same entry."""


@dataclass(frozen=True, slots=True)
class CommitEvent:
    """
    The end of a transaction that touched something. Durations are in seconds.
    """

    tables: tuple[str, ...]
    committed: bool
    """False where the database raised: the outcome is unknown, and invalidated all the same."""
    delivered: bool
    """False where the store missed the invalidation; this process delivers it later."""
    store_seconds: float


@dataclass(frozen=True, slots=True)
class ShadowDifference:
    """
    A would-be hit that is not what the database answered, without any value of it.
    """

    statement: str
    tables: tuple[str, ...]
    cached_rows: int
    database_rows: int
    differing_rows: int
