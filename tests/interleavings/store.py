"""
How is the reference store looked at, copied and put back?
"""

from typing import Any

from ormcache.model import Token
from ormcache.stores.memory import MemoryStore, _Held, _Kept
from ormcache.testing.clock import MovableClock

__all__ = ["FOREVER", "LEASE", "CopyableStore"]

LEASE = 10
FOREVER = 1_000_000
"""
A time after any exploration: an entry that runs out is explored as one that is evicted.
"""


class CopyableStore(MemoryStore):
    """
    The memory store, every operation of it untouched, whose content can be taken out and put in.
    """

    def __init__(self, clock: MovableClock | None = None) -> None:
        self.clock = clock or MovableClock(0)
        super().__init__(clock=self.clock)

    def content(self) -> tuple[Any, Any]:
        """
        Return the entries with their deadlines and the tokens with their leases, as values.
        """
        entries = tuple((key, *kept) for key, kept in self._entries.items())
        tokens = tuple(
            (scope, held.token, tuple(held.leases.items())) for scope, held in self._scopes.items()
        )
        return entries, tokens

    def become(self, entries: Any, tokens: Any, now: float) -> None:
        """
        Hold what `content` returned, at the time of *now*.
        """
        self.clock.now = now
        self._empty()
        for key, entry, deadline in entries:
            self._entries[key] = _Kept(entry, deadline)
            self._bytes += len(entry)
        for scope, token, leases in tokens:
            self._scopes[scope] = _Held(Token(token), dict(leases))
