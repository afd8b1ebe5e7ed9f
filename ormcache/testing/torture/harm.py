"""
What can be broken, and how is it made whole again?
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from ormcache.testing.history.journal import now
from ormcache.testing.history.past import Span
from ormcache.testing.history.story import Happening
from ormcache.testing.servers import Server
from ormcache.testing.servers.private import PrivateHost
from ormcache.testing.torture.job import KILLING
from ormcache.testing.torture.proxy import Mode, Proxy

__all__ = ["Harm"]

_JUNK = b"ormcache-torture-junk"
_PIECE = 20_000
_FOR_EVER = "0"


class Harm:
    """
    Everything that a fault may do. Notes what it does, and when nobody could reach the store.
    """

    def __init__(self, chance: random.Random, control: Any, store: Server | None) -> None:
        self.chance = chance
        self.happenings: list[Happening] = []
        self.outages: list[Span] = []
        self.proxies: tuple[Proxy, ...] = ()
        """The first before all applications but one writer of each database, the last before
        those."""
        self.kill_a_writer: Callable[[], None] = lambda: None
        self._control = control
        self._store = store

    def note(self, what: str) -> None:
        """
        Note what is done now.
        """
        self.happenings.append(Happening(now(), "*", what))

    @contextmanager
    def writers_dying(self) -> Iterator[None]:
        """
        Within the block, writers kill themselves now and then.
        """
        self._control[KILLING] = 1
        try:
            yield
        finally:
            self._control[KILLING] = 0

    @contextmanager
    def store_stopped(self, *, kill: bool) -> Iterator[None]:
        """
        Within the block, the store does not run.
        """
        store = self._own()
        with self._outage("store killed" if kill else "store stopped"):
            if kill and isinstance(store.host, PrivateHost) and store.host.process.pid:
                os.kill(store.host.process.pid, signal.SIGKILL)
            else:
                store.stop()
            try:
                yield
            finally:
                store.start()

    @contextmanager
    def store_paused(self) -> Iterator[None]:
        """
        Within the block, the store stands still.
        """
        store = self._own()
        with self._outage("store paused"):
            store.pause()
            try:
                yield
            finally:
                store.resume()

    def flush(self) -> None:
        """
        Empty the store.
        """
        self.note("store flushed")
        with self._client() as client:
            client.flushall()

    @contextmanager
    def store_filled(self, policy: str) -> Iterator[None]:
        """
        Within the block, the store is full.
        """
        with self._client() as client:
            usual = client.config_get("maxmemory-policy")["maxmemory-policy"]
            self.note(f"store full, {policy}")
            used = int(client.info("memory")["used_memory"])
            client.config_set("maxmemory-policy", policy)
            client.config_set("maxmemory", used + 10 * _PIECE)
            try:
                self._fill(client)
                yield
            finally:
                client.config_set("maxmemory", _FOR_EVER)
                client.config_set("maxmemory-policy", usual)
                junk = list(client.scan_iter(_JUNK + b"*", count=1000))
                client.unlink(_JUNK, *junk)
                self.note("store no longer full")

    @contextmanager
    def network(self, mode: Mode) -> Iterator[None]:
        """
        Within the block, the network between the applications and the store is like that.
        """
        if mode == "delay":
            with self._through(self.proxies, mode):
                yield
        else:
            with self._outage(f"network: {mode}"), self._through(self.proxies, mode):
                yield

    @contextmanager
    def network_of_one(self, mode: Mode) -> Iterator[None]:
        """
        Within the block, that of one writer of each database is.
        """
        self.note(f"network of one writer: {mode}")
        with self._through(self.proxies[-1:], mode):
            yield
        self.note("network of one writer: pass")

    @contextmanager
    def _outage(self, what: str) -> Iterator[None]:
        self.note(what)
        began = now()
        try:
            yield
        finally:
            self.outages.append(Span(began, now()))
            self.note("the store can be reached again")

    @contextmanager
    def _through(self, proxies: tuple[Proxy, ...], mode: Mode) -> Iterator[None]:
        for proxy in proxies:
            proxy.set(mode)
        try:
            yield
        finally:
            for proxy in proxies:
                proxy.set("pass")

    def _fill(self, client: Any) -> None:
        for number in range(100):
            try:
                client.set(_JUNK + b"%d" % number, b"x" * _PIECE, ex=600)
            except redis.RedisError:
                return

    def _own(self) -> Server:
        assert self._store is not None, "only done to a store of ours"
        return self._store

    def _client(self) -> Any:
        return redis.Redis.from_url(self._own().url)
