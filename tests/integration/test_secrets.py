"""
Processes of one application with different secrets, while one replaces another: never stale.

All of them share a store. At worst they do not share entries; invalidations they always do.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select, update

from ormcache import Outcome, Reason
from ormcache.testing import servers
from tests.fixtures.apps import App, MakeApp
from tests.fixtures.mongo import MakeMongoApp, MongoApp
from tests.shop import Product

OLD, NEW = "the secret of yesterday", b"the secret of today"
ROLLOUT: dict[str, dict[str, Any]] = {
    "none": {},
    "old": {"secret": OLD},
    "both": {"secret": [NEW, OLD]},
    "new": {"secret": NEW},
    "the other way round": {"secret": [OLD, NEW]},
    "encrypted, old": {"secret": OLD, "encrypt": True},
    "encrypted, both": {"secret": [NEW, OLD], "encrypt": True},
    "encrypted, new": {"secret": NEW, "encrypt": True},
}
sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(Product(id=1, name="old", price=Decimal(1)))
        session.commit()


def name_of(app: App) -> str | None:
    with app.Session() as session:
        return session.scalar(select(Product.name).where(Product.id == 1))


def rename(app: App, name: str) -> None:
    with app.Session() as session:
        session.execute(update(Product).values(name=name))
        session.commit()


def never_stale(
    apps: list[Any], read: Callable[[Any], object], write: Callable[[Any, str], None]
) -> None:
    """
    Each in turn changes what all the others have cached, and each sees it at once.
    """
    for round_ in range(2):
        for number, writer in enumerate(apps):
            name = f"{round_}-{number}"
            write(writer, name)
            for reader in (*apps, *apps[::-1]):
                assert read(reader) == name
    for app in apps:
        outcomes = app.log.outcomes()
        assert Outcome.HIT in outcomes
        assert Outcome.BYPASS not in outcomes
        assert not app.cache.reasons[Reason.TAMPERED]


@sqlite
def test_no_process_is_stale_while_secrets_are_rotated(make_app: MakeApp):
    apps = [make_app(**settings) for settings in ROLLOUT.values()]
    stock(apps[0])
    never_stale(apps, name_of, rename)


def test_no_mongodb_client_is_stale_while_secrets_are_rotated(make_mongo: MakeMongoApp):
    apps = [make_mongo(**settings) for settings in ROLLOUT.values()]

    def read(app: MongoApp) -> object:
        return app.products.find_one({"_id": 1})["name"]

    def write(app: MongoApp, name: str) -> None:
        app.products.update_one({"_id": 1}, {"$set": {"name": name}})

    never_stale(apps, read, write)


@sqlite
@pytest.mark.parametrize("encrypt", [False, True], ids=["mac", "encrypted"])
def test_entries_of_the_old_secret_are_hits_where_the_new_one_is_added(
    make_app: MakeApp, encrypt: bool
):
    old = make_app(secret=OLD, encrypt=encrypt)
    both = make_app(secret=[NEW, OLD], encrypt=encrypt)
    stock(old)
    name_of(old)
    assert name_of(both) == "old"
    assert both.log.last().outcome is Outcome.HIT
    # What the new one seals the old process cannot open: it seals it anew, for all to open.
    rename(both, "new")
    assert [name_of(both), name_of(old), name_of(both)] == ["new"] * 3
    reads = [(app.log.last().outcome, app.log.last().reason) for app in (old, both)]
    assert reads == [(Outcome.MISS, Reason.FOREIGN_SEAL), (Outcome.HIT, None)]
    assert old.cache.reasons == {Reason.FOREIGN_SEAL: 1}


@sqlite
def test_a_secret_renames_entries_and_no_token(
    make_app: MakeApp, redis_server: servers.Server, namespace: str
):
    apps = [make_app(**settings) for settings in ROLLOUT.values()]
    stock(apps[0])
    with Redis.from_url(redis_server.url) as client:
        name_of(apps[0])
        tokens = set(client.keys(f"ormcache:{namespace}:t:*"))
        for app in apps:
            name_of(app)
        assert set(client.keys(f"ormcache:{namespace}:t:*")) == tokens
        # No secret; old or both; new or the other way round; the same two, encrypted.
        assert len(client.keys(f"ormcache:{namespace}:e:*")) == 5
