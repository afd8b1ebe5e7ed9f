"""
What can go wrong, and whose fault is it?

    OrmcacheError
    ├── ConfigurationError    the caller's: a setting, name or URL is wrong; when configuring
    ├── StoreError            the store's: unreachable, slow, full, or talking nonsense
    │   └── StoreRecoveringError    it answers again; not yet believed
    ├── CommitRefusedError    the store's, where `on_outage="refuse"` wants a commit to wait for it
    ├── Unstorable            the value's: it cannot be stored exactly, so it is not cached
    └── Undecodable           the bytes': foreign, older, or not readable; always a miss
        ├── Tampered          altered, truncated, or copied from another key
        └── ForeignSeal       sealed with a secret that this process does not have

Only `ConfigurationError` reaches an application, and `CommitRefusedError` one that asked for it. A
read never raises because of the cache.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CommitRefusedError",
    "ConfigurationError",
    "ForeignSeal",
    "OrmcacheError",
    "StoreError",
    "StoreRecoveringError",
    "Tampered",
    "Undecodable",
    "Unstorable",
]


class OrmcacheError(Exception):
    """
    The root of every error that ormcache raises.
    """


class ConfigurationError(OrmcacheError):
    """
    A setting is wrong. The message names the setting, what was given, and what would be right.
    """

    @classmethod
    def unknown(cls, what: str, given: str, valid: Iterable[str]) -> ConfigurationError:
        """
        Return the error for a name nobody knows, with the nearest valid one.
        """
        names = sorted(valid)
        near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(names) or 'none'}."
        return cls(f"unknown {what} {given!r}; {hint}")


class StoreError(OrmcacheError):
    """
    The store could not do what was asked; whether it did part of it is unknown.
    """


class StoreRecoveringError(StoreError):
    """
    The store answers again, but may still hold what others have invalidated meanwhile.
    """


class CommitRefusedError(OrmcacheError):
    """
    Nothing was committed, as the store could not be told before; try again when it is back.
    """


class Unstorable(OrmcacheError):
    """
    A value of type `type_name` cannot be stored exactly.
    """

    def __init__(self, type_name: str) -> None:
        super().__init__(f"values of type {type_name} cannot be stored exactly")
        self.type_name = type_name


class Undecodable(OrmcacheError):
    """
    Stored bytes cannot be read back: foreign, of another format, or one of the kinds below.
    """


class Tampered(Undecodable):
    """
    Stored bytes are not what was stored under this key: altered, truncated, or copied from another.
    """


class ForeignSeal(Undecodable):
    """
    Stored bytes name a secret that this process does not have.
    """
