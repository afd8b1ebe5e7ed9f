"""
Is the store that is explored the reference store, and does it survive being copied?
"""

from ormcache.testing.clock import MovableClock
from ormcache.testing.store_contract import StoreContract
from tests.interleavings.store import CopyableStore


class MovedStore(CopyableStore):
    """
    Moves its content into a new life before each operation.
    """

    def _move(self):
        self.become(*self.content(), self.clock.now)

    def fetch(self, key, scopes):
        self._move()
        return super().fetch(key, scopes)

    def save(self, *args, **kw):
        self._move()
        return super().save(*args, **kw)

    def announce(self, intent, lease_seconds):
        self._move()
        super().announce(intent, lease_seconds)

    def settle(self, intent):
        self._move()
        super().settle(intent)


class _Contract(StoreContract):
    kind = CopyableStore

    def open_store(self, namespace):
        self.clock = MovableClock()
        return self.kind(self.clock)

    def evict(self, store, scope):
        store.evict_token(scope)

    def pass_time(self):
        self.clock.advance(0.02)


class TestCopyableStore(_Contract):
    pass


class TestItsCopies(_Contract):
    kind = MovedStore
