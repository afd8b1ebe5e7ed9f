"""
What is given to the cache itself, passwords and secrets, is planted, too; and nobody tells it.
"""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import (
    create_engine,
    exc,
    select,
    update,
)

from ormcache import Cache, ConfigurationError, StoreError
from ormcache.pymongo import MongoClient
from ormcache.testing import servers
from tests.fixtures.apps import Log
from tests.fixtures.planted import (
    PASSWORD,
    SECRET,
    Found,
)
from tests.shop import Product

# Where a password holds a sign that ought to have been quoted, a piece of it is where something
# else is expected.
PIECES = [f"{sign}{PASSWORD}" for sign in ("/", "?", "#", ":", "@", "[", "%", " ")]
WRONG_URLS = [
    f"redis://:{PASSWORD}@localhost:port/0",
    f"redis://:{PASSWORD}@localhost/no-number",
    f"redis://:{PASSWORD}@localhost/0?nonsense=1",
    f"redsi://:{PASSWORD}@localhost/0",
    f"redis:/:{PASSWORD}@localhost/0",
    f":{PASSWORD}@127.0.0.1:1/0",
    f"redis://:{PASSWORD}",
    f"rediss://:{PASSWORD}/x@localhost/0",
    f"redis://localhost/0?passwort={PASSWORD}",
    f"unix://user:{PASSWORD}@",
    *(f"redis://:{begin}{piece}@127.0.0.1:1/0" for piece in PIECES for begin in ("", "12", "x")),
    *(f"redis://u{piece}:{PASSWORD}@127.0.0.1:1/0" for piece in PIECES),
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_no_error_shows_a_password(url: str, everything_logged: pytest.LogCaptureFixture):
    found = Found()
    try:
        cache = Cache.from_url(url, timeout=0.05)
    except ConfigurationError as error:
        found.look_at_error(error)
    else:
        found.look("a representation", f"{cache!r} {cache.store!r}")
        with suppress(Exception):
            cache.clear()
        cache.close()
    found.look_at_logs(everything_logged)
    assert found == []


@pytest.mark.parametrize(
    "settings",
    [
        {"secret": PASSWORD[:15]},
        {"secret": [SECRET, PASSWORD[:15]]},
        {"secret": [PASSWORD[:15].encode()]},
        {"secret": {SECRET: SECRET}},
        {"secret": SECRET, "encrypt": SECRET},
        {"secret": SECRET, "secrets": [SECRET]},
        {"encrypt": SECRET},
    ],
)
def test_no_error_shows_a_secret(settings: dict[str, Any]):
    found = Found()
    with pytest.raises(ConfigurationError) as caught:
        Cache.from_url("memory://", **settings)
    found.look_at_error(caught.value)
    found.look("an exception", str(caught.value), (PASSWORD[:15],))
    assert found == []


def test_a_password_that_the_store_refuses_is_not_shown(
    private_store: servers.Server, everything_logged: pytest.LogCaptureFixture
):
    found = Found()
    url = private_store.url.replace("redis://", f"redis://{PASSWORD}:{PASSWORD}@")
    cache = Cache.from_url(url, timeout=5.0)
    with pytest.raises(StoreError) as caught:
        cache.clear()
    found.look_at_error(caught.value)
    found.look("a representation", f"{cache!r}")
    cache.close()
    found.look_at_logs(everything_logged)
    assert found == []


def test_the_password_of_a_database_is_not_shown(
    everything_logged: pytest.LogCaptureFixture,
):
    found = Found()
    engine = create_engine(f"postgresql+psycopg://user:{PASSWORD}@127.0.0.1:1/shop")
    cache = Cache.from_url("memory://", observers=[log := Log()])
    with pytest.raises(ConfigurationError) as caught:
        cache.disable(engine)
    found.look_at_error(caught.value)
    cache.enable(engine)
    for statement in (select(Product), update(Product).values(name="x")):
        with suppress(exc.OperationalError), engine.begin() as connection:
            connection.execute(statement)
        with suppress(exc.OperationalError):
            found.look("an explanation", cache.explain(statement))
    found.look("a representation", f"{cache!r} {log.reads} {log.commits}")
    with MongoClient(f"mongodb://user:{PASSWORD}@127.0.0.1:1", cache=cache, connect=False) as mongo:
        found.look("a representation", f"{mongo!r} {mongo.shop.products!r} {cache!r}")
    cache.close()
    found.look_at_logs(everything_logged)
    assert found == []
