"""
Does the memory store, the reference, keep the contract of stores?
"""

from ormcache.stores.memory import MemoryStore
from ormcache.testing.async_store_contract import AsyncStoreContract
from ormcache.testing.clock import MovableClock
from ormcache.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    def open_store(self, namespace):
        self.clock = MovableClock()
        return MemoryStore(clock=self.clock)

    def evict(self, store, scope):
        store.evict_token(scope)

    def pass_time(self):
        self.clock.advance(0.02)


class TestAsyncMemoryStore(AsyncStoreContract):
    def open_async_store(self, namespace):
        self.clock = MovableClock()
        self.memory = MemoryStore(clock=self.clock)
        return self.memory.asynchronous()

    def evict(self, store, scope):
        self.memory.evict_token(scope)

    def pass_time(self):
        self.clock.advance(0.02)
