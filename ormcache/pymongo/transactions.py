"""
What have the transactions of sessions changed, and which attempts were never heard of again?

Sessions are known by the id that each of their commands carries (`lsid`), one transaction of a
session and one retryable write by their `txnNumber`. So a client, a listener of its own and an
asynchronous session agree without knowing each other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from ormcache.model import Scope
from ormcache.touched import TouchedScopes

__all__ = ["Attempt", "Transactions", "Unheard", "attempt_of"]

_T = TypeVar("_T")

Attempt = tuple[bytes, int]
"""
One write that may be sent more than once: its session and its number.
"""

_MOST_UNHEARD = 1000


def attempt_of(command: Mapping[str, Any]) -> Attempt | None:
    """
    Return which retryable write or transaction *command* belongs to.
    """
    session, number = command.get("lsid"), command.get("txnNumber")
    if session is None or number is None:
        return None
    return _session_key(session), int(number)


class Transactions:
    """
    The scopes that the open transactions have touched, by session.

    A session has one transaction at a time; what it touched is kept until its commit is known to
    have happened or not, as a commit may be sent again.
    """

    def __init__(self) -> None:
        self._open: dict[bytes, tuple[int, TouchedScopes]] = {}

    def touch(self, command: Mapping[str, Any], scopes: Iterable[Scope]) -> None:
        """
        Note a change, before the command that makes it is sent.
        """
        session, number = _session_key(command["lsid"]), int(command["txnNumber"])
        known = self._open.get(session)
        if known is None or known[0] != number:
            known = self._open[session] = (number, TouchedScopes())
        known[1].touch(scopes)

    def touched(self, session: Mapping[str, Any] | None) -> frozenset[Scope]:
        """
        Return what the transaction of a session has touched.
        """
        known = self._open.get(_session_key(session)) if session is not None else None
        return frozenset() if known is None else known[1].all()

    def ended(self, session: Mapping[str, Any] | None) -> None:
        """
        The transaction was committed, or will never be.
        """
        if session is not None:
            self._open.pop(_session_key(session), None)


class Unheard(Generic[_T]):
    """
    What is left of attempts of which nobody heard the end.

    When a later attempt of the same write succeeds, none of them can follow any more. Each takes
    little, and one that is dropped costs a lease, so only the latest are kept.
    """

    def __init__(self) -> None:
        self._left: OrderedDict[Attempt, list[_T]] = OrderedDict()

    def add(self, attempt: Attempt | None, left: _T) -> None:
        """
        Keep what an attempt has left.
        """
        if attempt is None:
            return
        self._left.setdefault(attempt, []).append(left)
        if len(self._left) > _MOST_UNHEARD:
            self._left.popitem(last=False)

    def take(self, attempt: Attempt | None) -> list[_T]:
        """
        Return, once, what the attempts of one write have left.
        """
        return self._left.pop(attempt, []) if attempt is not None else []


def _session_key(session: Mapping[str, Any]) -> bytes:
    return bytes(getattr(session["id"], "bytes", session["id"]))  # a UUID, or a Binary
