"""
Does a guarded store keep the contract of the store inside?
"""

from ormcache.stores.guarded import GuardedStore
from ormcache.stores.memory import MemoryStore
from ormcache.testing.async_store_contract import AsyncStoreContract
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


class TestAsyncGuardedStore(AsyncStoreContract):
    def open_async_store(self, namespace):
        self.clock = MovableClock()
        self.memory = MemoryStore(clock=self.clock)
        # What a cancelled announcement owes is paid by whoever fetches next, not by a thread.
        guarded = GuardedStore(self.memory, clock=self.clock, background=False)
        return guarded.asynchronous()

    def evict(self, store, scope):
        self.memory.evict_token(scope)

    def pass_time(self):
        self.clock.advance(0.02)
