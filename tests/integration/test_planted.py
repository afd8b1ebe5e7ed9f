"""
Values are planted wherever an application has some, and every place is searched for them.

Reads, writes, errors and outages, on each database. With encryption they are found nowhere; without
it, in the payloads of entries and nowhere else.
"""

from contextlib import suppress
from decimal import Decimal

import pytest
from redis import Redis
from sqlalchemy import (
    LargeBinary,
    bindparam,
    delete,
    exc,
    insert,
    literal,
    select,
    text,
    update,
)

from ormcache import Cache, Outcome, Reason
from ormcache.testing import servers
from tests.fixtures.apps import App, MakeApp
from tests.fixtures.drivers import DRIVERS
from tests.fixtures.planted import (
    BLOB,
    LITERAL,
    NUMBER,
    PARAMETER,
    SEALS,
    TENANT,
    TEXT,
    Found,
    Own,
    entries_hold,
    every_seal,
    search_cache,
    search_report,
    without_store,
)
from tests.fixtures.ways import Way
from tests.shop import Product


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


WAYS = [Way(DRIVERS[name]) for name in ("psycopg", "asyncpg", "pymysql", "sqlite3", "aiosqlite")]


@pytest.mark.parametrize("database", WAYS, ids=str, indirect=True)
@every_seal
def test_no_planted_value_leaves_sqlalchemy(
    make_app: MakeApp,
    private_store: servers.Server,
    client: Redis,
    everything_logged: pytest.LogCaptureFixture,
    seal: str,
):
    found = Found()
    app = make_app(store_url=private_store.url, **SEALS[seal])
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
        assert entries_hold(client, TEXT)
        assert entries_hold(client, NUMBER)
    with without_store(found) as elsewhere:
        lost = make_app(store_url=elsewhere, **SEALS[seal])
        prepare(lost.cache)
        for act in (read, write, read):
            act(lost)
        assert lost.cache.reasons[Reason.STORE]
        search_cache(found, lost.cache, lost.log)
    found.look_at_logs(everything_logged)
    assert found == []
