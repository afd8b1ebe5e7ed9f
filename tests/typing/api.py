"""
Never run, only type-checked: what a user writes has the types a user expects.
"""

from typing import assert_type

from fastapi import FastAPI
from flask import Flask
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from ormcache import (
    Cache,
    CommitEvent,
    Explanation,
    Outcome,
    Policy,
    ReadEvent,
    Reason,
    Recording,
    ShadowDifference,
)
from ormcache.protocols import Codec, Observer, Store
from ormcache.stores.memory import MemoryStore
from ormcache.web import AsgiCacheReport, WsgiCacheReport


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    __cache_policy__ = Policy(ttl=300, vary=("tenant",), depends_on=["orders"])


class Watcher:
    def on_read(self, event: ReadEvent) -> None:
        assert_type(event.outcome, Outcome)
        assert_type(event.reason, Reason | None)
        assert_type(event.tables, tuple[str, ...])

    def on_commit(self, event: CommitEvent) -> None:
        assert_type(event.delivered, bool)

    def on_difference(self, event: ShadowDifference) -> None:
        assert_type(event.differing_rows, int)


watcher: Observer = Watcher()
store: Store = MemoryStore()
engine = create_engine("sqlite://")
factory: sessionmaker[Session] = sessionmaker(engine)

cache = Cache.from_url("redis://localhost/0", namespace="shop", mode="shadow", observers=[watcher])
assert_type(cache, Cache)
cache.enable(factory)
cache.enable(engine)
cache.policy(Product, ttl=60)
cache.policy("audit_log", Policy.never)
cache.vary("tenant", lambda: 3)
with cache.bypass(), cache.refresh():
    pass
explanation = cache.explain(select(Product), bind=factory)
assert_type(explanation, Explanation)
assert_type(explanation.cached, bool)
assert_type(explanation.policy, Policy | None)
with cache.record() as log:
    assert_type(log, Recording)
assert_type(log.reads, list[ReadEvent])
assert_type(log.commits, list[CommitEvent])
assert_type(log.hits, int)
assert_type(cache.counts[Outcome.HIT], int)
codec: Codec = cache.codec

asgi = FastAPI()
asgi.add_middleware(AsgiCacheReport, cache=cache, enabled=lambda scope: bool(scope["user"]))
wsgi = Flask("shop")
WsgiCacheReport(wsgi.wsgi_app, cache, enabled=lambda environ: environ["REMOTE_ADDR"] == "::1")
WsgiCacheReport(AsgiCacheReport(asgi, cache), cache)  # type: ignore[arg-type]  # the wrong kind

Policy(tll=3)  # type: ignore[arg-type]  # an unknown setting is a type error, too
cache.mode = "onn"  # type: ignore[assignment]  # and so is an unknown mode
