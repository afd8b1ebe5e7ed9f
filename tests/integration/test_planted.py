"""
Values are planted wherever an application has some, and every place is searched for them.

Reads, writes, errors and outages, on each database. With encryption they are found nowhere; without
it, in the payloads of entries and nowhere else.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from redis import Redis
from sqlalchemy import LargeBinary, bindparam, delete, exc, insert, literal, select, text, update

from ormcache import Cache, ConfigurationError, Outcome, Reason, StoreError
from ormcache.testing import servers
from ormcache.web import WsgiCacheReport
from tests.fixtures.apps import App, Log, MakeApp
from tests.fixtures.mongo import SHOP, MakeMongoApp, MongoApp
from tests.integration import planted
from tests.integration.planted import (
    BLOB,
    LITERAL,
    NUMBER,
    PARAMETER,
    PASSWORD,
    SECRET,
    TENANT,
    TEXT,
    Found,
)
from tests.shop import Product

SEALS = {
    "plain": {},
    "mac": {"secret": SECRET},
    "encrypted": {"secret": [SECRET, PARAMETER + SECRET], "encrypt": True},
}
every_seal = pytest.mark.parametrize("seal", SEALS)


@pytest.fixture(scope="module")
def own_store() -> Iterator[servers.Server]:
    with servers.redis() as server:
        yield server


@pytest.fixture
def client(own_store: servers.Server) -> Iterator[Redis]:
    with Redis.from_url(own_store.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


# -- SQLAlchemy --------------------------------------------------------------------------------


class Own:
    """
    A parameter that no cache knows.
    """

    def __repr__(self) -> str:
        return PARAMETER


def prepare(cache: Cache) -> None:
    cache.vary("tenant", lambda: TENANT)
    cache.policy("products", ttl=300, vary=("tenant",))


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(
            Product(
                id=NUMBER, name=TEXT, price=Decimal(1), stock=NUMBER, attributes={"note": [TEXT]}
            )
        )
        session.commit()


def read(app: App) -> None:
    """
    Read in every way that brings a value along, twice: for the fill and for the hit.
    """
    named = select(Product).where(Product.name == PARAMETER)
    statements = [
        (select(Product).where(Product.stock == NUMBER), {}),
        (named, {}),
        (select(Product.id, literal(BLOB, LargeBinary).label("blob")), {}),
        (select(Product.name).where(Product.id.in_([NUMBER, 7])), {}),
        (select(Product.name).where(Product.name.startswith(PARAMETER[:-1])), {}),
        (text(f"SELECT id, '{LITERAL}' AS x FROM products WHERE name <> '{LITERAL}'"), {}),
        (text("SELECT id FROM products WHERE name = :name"), {"name": PARAMETER}),
        (text("SELECT name FROM products WHERE stock = :n").bindparams(bindparam("n", NUMBER)), {}),
    ]
    for statement, parameters in statements * 2:
        with app.Session() as session:
            session.execute(statement, parameters).all()
            session.connection().exec_driver_sql(f"SELECT id FROM products WHERE name='{LITERAL}'")
    with app.Session() as session:
        session.get(Product, NUMBER)


def write(app: App) -> None:
    """
    Write in every way, commit and roll back.
    """
    for ending in ("rollback", "commit"):
        with app.Session() as session:
            session.execute(update(Product).values(name=PARAMETER).where(Product.name == TEXT))
            session.execute(insert(Product), [{"id": 8, "name": PARAMETER, "price": 1, "stock": 1}])
            session.execute(text("UPDATE products SET name = :p WHERE id = 8"), {"p": PARAMETER})
            with session.begin_nested():
                session.connection().exec_driver_sql(f"UPDATE products SET name = '{LITERAL}'")
            session.execute(delete(Product).where(Product.name == PARAMETER))
            session.execute(update(Product).values(name=TEXT))
            session.execute(delete(Product).where(Product.id == 8))
            getattr(session, ending)()


def fail(app: App) -> None:
    """
    Have the database, the driver and the cache's own hooks refuse something.
    """
    refused = (exc.DBAPIError, exc.StatementError, TypeError)
    with app.Session() as session, suppress(*refused):
        session.execute(insert(Product), [{"id": NUMBER, "name": TEXT, "price": 1, "stock": 1}])
    with app.Session() as session, suppress(*refused):
        session.connection().exec_driver_sql(f"SELECT '{LITERAL}' FROM no")
    with app.Session() as session, suppress(*refused):
        session.execute(text("SELECT id FROM products WHERE name = :x"), {"x": Own()}).all()

    def raises() -> object:
        raise LookupError(TENANT)

    app.cache.vary("tenant", raises)
    with app.Session() as session:
        session.execute(select(Product)).all()
    assert app.log.last().reason is Reason.PARAMETERS
    app.cache.vary("tenant", lambda: TENANT)


def confuse(app: App) -> None:
    """
    Send what nobody can read; its connection is not trusted after that.
    """
    for sql in (f"NONSENSE('{LITERAL}')", f"'{LITERAL}' nonsense", f'"{LITERAL}"'):
        with app.Session() as session, suppress(exc.DBAPIError):
            session.connection().exec_driver_sql(sql)


def differ(app: App) -> None:
    """
    Have shadow mode see a difference.
    """
    engine = app.database.plain_engine()
    with app.Session() as session:
        session.execute(select(Product.stock)).all()
    with engine.begin() as connection:
        connection.execute(update(Product).values(stock=1))
    app.cache.mode = "shadow"
    with app.Session() as session:
        session.execute(select(Product.stock)).all()
    app.cache.mode = "on"
    assert app.log.differences
    with engine.begin() as connection:
        connection.execute(update(Product).values(stock=NUMBER))
    engine.dispose()


@every_seal
def test_no_planted_value_leaves_sqlalchemy(
    make_app: MakeApp,
    own_store: servers.Server,
    client: Redis,
    everything_logged: pytest.LogCaptureFixture,
    seal: str,
):
    found = Found()
    app = make_app(store_url=own_store.url, **SEALS[seal])
    prepare(app.cache)
    with app.cache.record() as recording:
        for act in (stock, read, write, read, fail, read, differ, confuse):
            act(app)
    assert app.cache.counts[Outcome.HIT] >= 5
    search_cache(found, app.cache, app.log, recording)
    asked = [
        select(Product).where(Product.name == PARAMETER),
        text(f"SELECT id FROM products WHERE name = '{LITERAL}'"),
        update(Product).values(name=PARAMETER),
    ]
    for statement in asked:
        explained = app.cache.explain(statement)
        found.look("an explanation", f"{explained} {explained!r}")
    search_report(found, app.cache, lambda: read(app))
    assert found.look_at_store(client, payloads=seal == "encrypted") >= 8
    if seal != "encrypted":
        assert planted.entries_hold(client, TEXT)
        assert planted.entries_hold(client, NUMBER)
    with without_store(app.cache, found) as elsewhere:
        lost = make_app(store_url=elsewhere, **SEALS[seal])
        prepare(lost.cache)
        for act in (read, write, read):
            act(lost)
        assert lost.cache.reasons[Reason.STORE]
        search_cache(found, lost.cache, lost.log)
    found.look_at_logs(everything_logged)
    assert found == []


def search_cache(found: Found, cache: Cache, log: Log, *others: Any) -> None:
    """
    Search what a cache has told and what it looks like.
    """
    assert log.reads
    for event in (*log.reads, *log.commits, *log.differences):
        found.look("an event", event)
    for thing in (cache, cache.store, cache.async_store, cache.sealer, *others):
        found.look("a representation", f"{thing!r} {thing}")
    found.look("the counts", f"{cache.counts} {cache.reasons}")


def search_report(found: Found, cache: Cache, act: Any) -> None:
    """
    Search the headers that a request's report leaves.
    """
    headers: list[Any] = []

    def view(_environ: Any, start_response: Any) -> list[bytes]:
        act()
        start_response("200 OK", [])
        return [b""]

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    reporting = WsgiCacheReport(view, cache, enabled=True)
    list(reporting(environ, lambda _status, given, _info=None: headers.extend(given)))
    assert headers
    found.look("the headers of a response", headers)


@contextmanager
def without_store(cache: Cache, found: Found) -> Iterator[str]:
    """
    The URL of a store that is not there, with a password in it; what it says is searched, too.
    """
    for url in (f"redis://:{PASSWORD}@127.0.0.1:1/0", f"redis://{PASSWORD}:{PASSWORD}@[::1]:1/0"):
        gone = Cache.from_url(url, secret=SECRET)
        found.look("a representation", f"{gone!r} {gone.store!r} {gone.async_store!r}")
        with pytest.raises(StoreError) as caught:
            gone.clear()
        found.look_at_error(caught.value)
        found.look("what a store says of itself", gone.store.info())
        with pytest.raises(StoreError) as caught:
            gone.store.save("key", TEXT.encode(), 1.0)
        found.look_at_error(caught.value)
    yield url


# -- MongoDB -----------------------------------------------------------------------------------


def stock_mongo(app: MongoApp) -> None:
    app.products.insert_one({"_id": NUMBER, "name": TEXT, "blob": BLOB, "stock": NUMBER})


def read_mongo(app: MongoApp) -> None:
    products = app.products
    for _ in range(2):
        list(products.find({"stock": NUMBER}))
        list(products.find({"name": {"$in": [PARAMETER, TEXT]}}))
        list(products.find({"$or": [{"blob": BLOB}, {"name": {"$regex": f"^{PARAMETER}"}}]}))
        products.find_one(NUMBER)
        products.distinct("name", {"name": {"$ne": PARAMETER}})
        products.count_documents({"blob": BLOB})
        list(products.aggregate([{"$match": {"stock": NUMBER}}, {"$set": {"x": LITERAL}}]))
        list(products.find({"$expr": {"$eq": ["$name", {"$concat": [PARAMETER, "x"]}]}}))


def write_mongo(app: MongoApp) -> None:
    products = app.products
    products.update_many({"name": TEXT}, {"$set": {"note": PARAMETER}})
    products.replace_one({"_id": PARAMETER}, {"name": PARAMETER}, upsert=True)
    products.find_one_and_update({"name": PARAMETER}, {"$set": {"name": LITERAL}})
    products.delete_many({"name": LITERAL})


def fail_mongo(app: MongoApp) -> None:
    products = app.products
    for attempt in (
        lambda: products.insert_one({"_id": NUMBER, "name": TEXT}),
        lambda: list(products.find({"$nonsense": PARAMETER})),
        lambda: list(products.find({"name": Own()})),
        lambda: list(products.aggregate([{"$nonsense": {"x": PARAMETER}}])),
        lambda: list(products.find({"$where": f"this.name == '{LITERAL}'"})),
        lambda: products.update_one({"_id": NUMBER}, {"$set": {"_id": PARAMETER}}),
    ):
        with suppress(Exception):
            attempt()


def prepare_mongo(cache: Cache) -> None:
    cache.vary("tenant", lambda: TENANT)
    cache.policy(f"{SHOP}.products", ttl=300, vary=("tenant",))


@every_seal
def test_no_planted_value_leaves_mongodb(
    make_mongo: MakeMongoApp,
    own_store: servers.Server,
    client: Redis,
    everything_logged: pytest.LogCaptureFixture,
    seal: str,
):
    found = Found()
    app = make_mongo(store_url=own_store.url, **SEALS[seal])
    prepare_mongo(app.cache)
    with app.cache.record() as recording:
        for act in (stock_mongo, read_mongo, write_mongo, read_mongo, fail_mongo, read_mongo):
            act(app)
    assert app.cache.counts[Outcome.HIT] >= 5
    search_cache(found, app.cache, app.log, recording)
    assert found.look_at_store(client, payloads=seal == "encrypted") >= 8
    if seal != "encrypted":
        for value in (TEXT, NUMBER, BLOB):
            assert planted.entries_hold(client, value)
    with without_store(app.cache, found) as elsewhere:
        lost = make_mongo(store_url=elsewhere, **SEALS[seal])
        prepare_mongo(lost.cache)
        for act in (read_mongo, write_mongo, read_mongo):
            act(lost)
        assert lost.cache.reasons[Reason.STORE]
        search_cache(found, lost.cache, lost.log)
    found.look_at_logs(everything_logged)
    assert found == []


# -- what is given to the cache itself ---------------------------------------------------------

# Where a password holds a sign that ought to have been quoted, a piece of it is where something
# else is expected.
PIECES = [f"{sign}{PASSWORD}" for sign in ("/", "?", "#", ":", "@", "[", "%", " ")]
WRONG_URLS = [
    f"redis://:{PASSWORD}@localhost:port/0",
    f"redis://:{PASSWORD}@localhost/no-number",
    f"redis://:{PASSWORD}@localhost/0?nonsense=1",
    f"redsi://:{PASSWORD}@localhost/0",
    f"redis:/:{PASSWORD}@localhost/0",
    f":{PASSWORD}@localhost/0",
    f"redis://:{PASSWORD}",
    f"rediss://:{PASSWORD}/x@localhost/0",
    f"redis://localhost/0?passwort={PASSWORD}",
    f"unix://user:{PASSWORD}@",
    *(f"redis://:{begin}{piece}@localhost/0" for piece in PIECES for begin in ("", "12", "x")),
    *(f"redis://u{piece}:{PASSWORD}@localhost/0" for piece in PIECES),
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
    own_store: servers.Server, everything_logged: pytest.LogCaptureFixture
):
    found = Found()
    url = own_store.url.replace("redis://", f"redis://{PASSWORD}:{PASSWORD}@")
    cache = Cache.from_url(url, timeout=5.0)
    with pytest.raises(StoreError) as caught:
        cache.clear()
    found.look_at_error(caught.value)
    found.look("a representation", f"{cache!r}")
    cache.close()
    found.look_at_logs(everything_logged)
    assert found == []
