"""
What is a store, in the plainest form that is right?

The reference for every other store, for tests, and for an application of one process: nothing
here is shared with another process, so neither are invalidations.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from ormcache.errors import ConfigurationError
from ormcache.forked import begin_anew_after_fork
from ormcache.model import Fetched, Intent, Scope, Token, TokenState, is_slice, new_token
from ormcache.protocols import Clock

__all__ = ["AsyncMemoryStore", "MemoryStore"]

_MOST_SLICES = 100_000


class _Kept(NamedTuple):
    entry: bytes
    deadline: float


class _Held(NamedTuple):
    token: Token
    leases: dict[str, float]


class MemoryStore:
    """
    A store in this process's memory.

    Entries take at most *max_bytes* bytes; the least recently used ones make room, and one larger
    than that is not kept. The tokens of tables are few and never dropped; of those of slices, the
    oldest make room, except where a writer is between announce and settle. *clock* tells the
    seconds by which entries and leases expire.
    """

    def __init__(self, *, max_bytes: int = 64 * 2**20, clock: Clock = time.monotonic) -> None:
        if max_bytes <= 0:
            msg = f"max_bytes of the memory store must be above 0, got {max_bytes!r}"
            raise ConfigurationError(msg)
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._scopes: dict[Scope, _Held] = {}
        self._slices: OrderedDict[Scope, None] = OrderedDict()
        """The quiet slices among the scopes, the oldest first."""
        begin_anew_after_fork(self)

    def asynchronous(self) -> AsyncMemoryStore:
        """
        Return the same store for event loops.
        """
        return AsyncMemoryStore(self)

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        with self._lock:
            now = self._clock()
            entry = None if key is None else self._entry(key, now)
            return Fetched(entry, tuple(self._state(scope, now) for scope in scopes))

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        with self._lock:
            now = self._clock()
            if absent and self._entry(key, now) is not None:
                return False
            self._forget(key)
            if ttl <= 0 or len(entry) > self._max_bytes:
                return False
            self._entries[key] = _Kept(bytes(entry), now + ttl)
            self._bytes += len(entry)
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._entries)))
            return True

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        with self._lock:
            now = self._clock()
            for scope in intent.scopes:
                leases = self._others(scope, intent.lease, now)
                leases[intent.lease] = now + lease_seconds
                self._keep(scope, _Held(new_token(), leases))

    def settle(self, intent: Intent) -> None:
        with self._lock:
            now = self._clock()
            for scope in intent.scopes:
                self._keep(scope, _Held(new_token(), self._others(scope, intent.lease, now)))

    def clear(self) -> None:
        # An open intent loses its lease here. What is read meanwhile is kept under a token created
        # after this, and the settle, which comes after the commit, replaces that one, too.
        with self._lock:
            self._empty()

    def begin_anew(self) -> None:
        """
        In a forked child: start empty, as the parent's invalidations do not arrive here.
        """
        self._lock = threading.Lock()
        self._empty()

    def info(self) -> dict[str, str]:
        with self._lock:
            return {
                "server": "memory of this process",
                "eviction": "least recently used entries; tokens never",
                "used_bytes": str(self._bytes),
                "max_bytes": str(self._max_bytes),
                "entries": str(len(self._entries)),
                "scopes": str(len(self._scopes)),
            }

    def evict_entry(self, key: str) -> None:
        """
        Drop an entry, as a server short of memory would: for tests.
        """
        with self._lock:
            self._forget(key)

    def evict_token(self, scope: Scope) -> None:
        """
        Drop a token with its leases, as a server short of memory would: for tests.
        """
        with self._lock:
            self._scopes.pop(scope, None)
            self._slices.pop(scope, None)

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._entries)} entries, {self._bytes}/{self._max_bytes} bytes>"

    def _entry(self, key: str, now: float) -> bytes | None:
        kept = self._entries.get(key)
        if kept is None:
            return None
        if kept.deadline <= now:
            self._forget(key)
            return None
        self._entries.move_to_end(key)
        return kept.entry

    def _empty(self) -> None:
        self._entries.clear()
        self._bytes = 0
        self._scopes.clear()
        self._slices.clear()

    def _forget(self, key: str) -> None:
        kept = self._entries.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.entry)

    def _state(self, scope: Scope, now: float) -> TokenState:
        held = self._scopes.get(scope, None)
        if held is None:
            held = self._keep(scope, _Held(new_token(), {}))
        elif any(deadline <= now for deadline in held.leases.values()):
            # The writer may be dead and its commit may have happened: nothing read before or
            # during that commit may be served again.
            held = self._keep(scope, _Held(new_token(), _running(held.leases, now)))
        return TokenState(held.token, bool(held.leases))

    def _keep(self, scope: Scope, held: _Held) -> _Held:
        self._scopes[scope] = held
        if is_slice(scope):
            if held.leases:
                self._slices.pop(scope, None)
                return held
            self._slices[scope] = None
            self._slices.move_to_end(scope)
            if len(self._slices) > _MOST_SLICES:
                oldest, _ = self._slices.popitem(last=False)
                self._scopes.pop(oldest, None)  # a missing token is as good as a fresh one
        return held

    def _others(self, scope: Scope, lease: str, now: float) -> dict[str, float]:
        held = self._scopes.get(scope)
        leases = {} if held is None else _running(held.leases, now)
        leases.pop(lease, None)
        return leases


class AsyncMemoryStore:
    """
    A `MemoryStore` for event loops: nothing in it takes long enough to be waited for.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        return self._store.fetch(key, scopes)

    async def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        return self._store.save(key, entry, ttl, absent=absent)

    async def announce(self, intent: Intent, lease_seconds: float) -> None:
        self._store.announce(intent, lease_seconds)

    async def settle(self, intent: Intent) -> None:
        self._store.settle(intent)

    async def clear(self) -> None:
        self._store.clear()

    async def info(self) -> dict[str, str]:
        return self._store.info()

    def __repr__(self) -> str:
        return f"<AsyncMemoryStore over {self._store!r}>"


def _running(leases: dict[str, float], now: float) -> dict[str, float]:
    return {lease: deadline for lease, deadline in leases.items() if deadline > now}
