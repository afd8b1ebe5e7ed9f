"""
A COMMIT that nobody hears the end of, and that arrives after all.

PostgreSQL carries on when the other end of a connection goes away: a deferred trigger holds the
COMMIT at a lock of ours, the connection is cut, and only then is the lock given up.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, exc, text

from ormcache import Outcome
from tests.fixtures.apps import App, Database
from tests.fixtures.servers import eventually
from tests.integration.conformance.steps import change, name_of, truth
from tests.shop import Product

GATE = 4711


def at_commit(does: str) -> str:
    return f"""
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN {does}; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON products DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION at_commit();
    """


WAITING = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = :gate"
)

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def plain(database: Database) -> Iterator[Engine]:
    """
    An engine that no cache knows.
    """
    engine = database.plain_engine()
    yield engine
    engine.dispose()


@contextmanager
def gate(plain: Engine) -> Iterator[Connection]:
    """
    Within the block, no COMMIT of a change to a product comes through.
    """
    with plain.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:gate)"), {"gate": GATE})
        connection.commit()
        yield connection
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
        connection.commit()


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(Product(id=1, name="old", price=1))
        session.commit()


def cut(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as same:
        same.shutdown(socket.SHUT_RDWR)


def test_it_is_seen_when_it_arrives(make_app, app: App, plain: Engine, database: Database):
    stock(app)
    with plain.begin() as connection:
        connection.exec_driver_sql(at_commit(f"PERFORM pg_advisory_xact_lock({GATE})"))
    writer = make_app(lease_seconds=60)
    begun = threading.Event()
    raised = []
    descriptors = []

    def write() -> None:
        with writer.Session() as session:
            change(session, "new")
            descriptors.append(session.connection().connection.dbapi_connection.fileno())
            begun.set()
            try:
                session.commit()
            except exc.OperationalError as error:
                raised.append(error)

    with gate(plain) as connection:
        thread = threading.Thread(target=write)
        thread.start()
        assert begun.wait(30)
        assert eventually(lambda: connection.scalar(WAITING, {"gate": GATE}) == 1)
        cut(descriptors[0])
        thread.join(30)
        assert len(raised) == 1
        app.log.outcomes()
        assert [name_of(app) for _ in range(2)] == ["old", "old"]
        assert app.log.outcomes() == [Outcome.BYPASS] * 2
    assert eventually(lambda: truth(database) == "new")
    assert name_of(app) == "new"


def test_what_the_database_has_refused_leaves_nothing_in_doubt(app: App, plain: Engine):
    stock(app)
    with plain.begin() as connection:
        connection.exec_driver_sql(at_commit("RAISE EXCEPTION 'refused'"))
    with app.Session() as session:
        change(session, "new")
        with pytest.raises(exc.DBAPIError):
            session.commit()
    app.log.outcomes()
    assert [name_of(app) for _ in range(2)] == ["old", "old"]
    assert app.log.outcomes() == [Outcome.MISS, Outcome.HIT]
