"""
What is stored is never believed: altered, foreign or unstorable values cost a miss, nothing else.
"""

import logging
import random
from decimal import Decimal

import pytest
from redis import Redis
from sqlalchemy import event, select

from ormcache import Outcome, Reason
from ormcache.testing import servers
from tests.fixtures.apps import App, MakeApp
from tests.shop import Product

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

SECRET = "a secret of the test's own"
SEALS = {"plain": {}, "mac": {"secret": SECRET}, "encrypted": {"secret": SECRET, "encrypt": True}}
every_seal = pytest.mark.parametrize("settings", SEALS.values(), ids=SEALS.keys())


def stock(app: App) -> None:
    with app.Session() as session:
        session.add_all(Product(id=i, name=f"tea {i}", price=Decimal(i)) for i in range(1, 6))
        session.commit()


def names(app: App) -> list[str]:
    with app.Session() as session:
        return list(session.scalars(select(Product.name).order_by(Product.id)))


@every_seal
def test_altered_entries_are_misses(
    make_app: MakeApp, redis_server: servers.Server, namespace: str, settings: dict
):
    app = make_app(**settings)
    stock(app)
    expected = names(app)
    client = Redis.from_url(redis_server.url)
    (key,) = client.keys(f"ormcache:{namespace}:e:*")
    good = client.get(key)
    chance = random.Random(7)
    bad = [b"", b"\0", b"garbage", good[:-1], good + b"x", b"\x09" + good[1:]]
    for _ in range(200):
        position, bit = chance.randrange(len(good)), 1 << chance.randrange(8)
        bad.append(good[:position] + bytes([good[position] ^ bit]) + good[position + 1 :])
    app.log.outcomes()
    for altered in bad:
        client.set(key, altered, ex=60)
        assert names(app) == expected
    reads = {(read.outcome, read.reason) for read in app.log.reads}
    assert (Outcome.MISS, Reason.TAMPERED) in reads
    reasons = {Reason.TAMPERED, Reason.UNDECODABLE, Reason.FOREIGN_SEAL}
    assert reads <= {(Outcome.MISS, reason) for reason in reasons}
    # Each was counted, and a fresh entry took its place.
    assert sum(app.cache.reasons[reason] for reason in reasons) == len(bad)
    assert names(app) == expected
    assert app.log.last().outcome is Outcome.HIT
    client.delete(key)
    client.rpush(key, "a list")
    assert names(app) == expected
    client.close()


@every_seal
def test_an_entry_under_another_key_is_a_miss(
    make_app: MakeApp, redis_server: servers.Server, namespace: str, settings: dict
):
    app = make_app(**settings)
    stock(app)
    names(app)
    client = Redis.from_url(redis_server.url)
    (first,) = client.keys(f"ormcache:{namespace}:e:*")
    with app.Session() as session:
        assert session.scalar(select(Product.name).where(Product.id == 2)) == "tea 2"
    (second,) = set(client.keys(f"ormcache:{namespace}:e:*")) - {first}
    client.set(second, client.get(first), ex=60)
    with app.Session() as session:
        assert session.scalar(select(Product.name).where(Product.id == 2)) == "tea 2"
    assert (app.log.last().outcome, app.log.last().reason) == (Outcome.MISS, Reason.TAMPERED)
    client.close()


def test_an_unstorable_value_is_told_once_per_type(app: App, caplog: pytest.LogCaptureFixture):
    class Text(str):
        __slots__ = ()

    stock(app)

    @event.listens_for(app.engine, "connect")
    def _own_type(connection, _record) -> None:
        connection.text_factory = lambda raw: Text(raw.decode())

    app.engine.dispose()
    with caplog.at_level(logging.WARNING, "ormcache"):
        for _ in range(3):
            assert type(names(app)[0]) is Text
            assert app.log.last().reason is Reason.UNSTORABLE
    assert app.cache.reasons[Reason.UNSTORABLE] == 3
    assert len([r for r in caplog.records if "Text" in r.getMessage()]) == 1
