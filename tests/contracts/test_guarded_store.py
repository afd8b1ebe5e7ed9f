"""
Does a guarded store keep the contract of the store inside?
"""

from ormcache.stores.guarded import GuardedStore
from ormcache.stores.memory import MemoryStore
from ormcache.testing.clock import MovableClock
from ormcache.testing.store_contract import StoreContract


class TestGuardedStore(StoreContract):
    def open_store(self, namespace):
        self.clock = MovableClock()
        return GuardedStore(MemoryStore(clock=self.clock), clock=self.clock)

    def evict(self, store, scope):
        store._store.evict_token(scope)

    def pass_time(self):
        self.clock.advance(0.02)
