"""
S22 to S24: old payloads under a new model, results that are false or empty, and cached entities
that are written.
"""

from decimal import Decimal

import pytest
import redis
from sqlalchemy import Integer, String, TypeDecorator, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ormcache import Outcome, Policy, Reason
from ormcache.testing import servers
from tests.fixtures.apps import App, Database, MakeApp
from tests.integration.conformance.steps import (
    add,
    all_of,
    alter,
    find,
    name_of,
    names,
    truth,
    warm,
)
from tests.shop import Category, Product


class Loud(TypeDecorator):
    impl = String
    cache_ok = True

    def process_result_value(self, value, dialect):
        return None if value is None else value.upper()


def release(code_type, note_type) -> type[DeclarativeBase]:
    """
    The application's model of one table, as one release has it.
    """

    class Base(DeclarativeBase):
        pass

    class Parcel(Base):
        __tablename__ = "parcels"
        __cache_policy__ = Policy(ttl=300)
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        code = mapped_column(code_type)
        note = mapped_column(note_type)

    return Parcel


FIRST = release(Integer, String(20))
SECOND = release(String(20), Loud(20))

# Run by a tool that ormcache does not see, between the two releases.
MIGRATION = {
    "postgresql": ["ALTER TABLE parcels ALTER COLUMN code TYPE varchar(20) USING code::text"],
    "mariadb": ["ALTER TABLE parcels MODIFY code varchar(20)"],
    "sqlite": [
        "ALTER TABLE parcels RENAME TO parcels_before",
        "CREATE TABLE parcels (id INTEGER PRIMARY KEY, code VARCHAR(20), note VARCHAR(20))",
        "INSERT INTO parcels SELECT id, CAST(code AS TEXT), note FROM parcels_before",
        "DROP TABLE parcels_before",
    ],
}


def parcels(app: App, model) -> list[tuple]:
    with app.Session() as session:
        assert find(session, model, 1) is not None
        return [(p.code, p.note) for p in all_of(session, select(model).order_by(model.id))]


def test_s22_a_release_with_other_column_types_takes_no_payload_of_the_old_one(
    make_app: MakeApp, database: Database
):
    plain = database.plain_engine()
    FIRST.metadata.create_all(plain)
    with plain.begin() as connection:
        connection.execute(text("INSERT INTO parcels VALUES (1, 7, 'a'), (2, 8, NULL)"))
    old = make_app()
    assert [parcels(old, FIRST) for _ in range(2)] == [[(7, "a"), (8, None)]] * 2
    with plain.begin() as connection:
        for statement in MIGRATION[database.name]:
            connection.execute(text(statement))
    plain.dispose()
    new = make_app()
    assert [parcels(new, SECOND) for _ in range(2)] == [[("7", "A"), ("8", None)]] * 2
    assert new.log.outcomes()[-2:] == [Outcome.HIT] * 2


SPOILED = {
    "an older format": lambda entry: bytes([entry[0] - 1]) + entry[1:],
    "a newer format": lambda entry: bytes([entry[0] + 1]) + entry[1:],
    "another codec": lambda entry: entry[:1] + bytes([entry[1] ^ 0x7F]) + entry[2:],
    "cut off": lambda entry: entry[:-3],
    "one bit": lambda entry: entry[:-1] + bytes([entry[-1] ^ 1]),
    "nothing": lambda entry: b"",
    "foreign": lambda entry: b"\x80\x04]\x94." * 20,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_s22_a_payload_that_is_not_of_this_release_is_a_miss(
    app: App, redis_server: servers.Server, namespace: str, spoil
):
    warm(app)
    with redis.Redis.from_url(redis_server.url) as client:
        for key in client.keys(f"ormcache:{namespace}:e:*"):
            client.set(key, spoil(client.get(key)))
    assert name_of(app) == "old"
    assert name_of(app) == "old"
    assert app.log.outcomes() == [Outcome.MISS, Outcome.HIT]


FALSY = {
    "no row": select(Product).where(Product.id == 99),
    "no row of a column": select(Product.name).where(Product.name == "nobody"),
    "NULL": select(Product.added).where(Product.id == 1),
    "0": select(Product.stock).where(Product.id == 1),
    "an empty text": select(Category.name).where(Category.id == 3),
    "an empty list": select(Product.attributes).where(Product.id == 1),
    "a decimal 0": select(Product.price).where(Product.id == 1),
    "a count of 0": select(func.count()).select_from(Product).where(Product.id == 99),
    "a sum of nothing": select(func.sum(Product.stock)).where(Product.id == 99),
}


@pytest.mark.parametrize("statement", FALSY.values(), ids=FALSY.keys())
def test_s23_what_is_false_or_empty_is_cached_as_it_is(app: App, statement):
    with app.Session() as session:
        add(session, Category(id=3, name=""))
        alter(session, Product, 1, stock=0, price=Decimal(0), attributes=[], added=None)
        session.commit()
    app.log.outcomes()
    found = []
    for _ in range(2):
        with app.Session() as session:
            found.append([tuple(row) for row in session.execute(statement)])
    assert app.log.outcomes() == [Outcome.MISS, Outcome.HIT]
    assert [repr(rows) for rows in found] == [repr(truth(app.database, statement))] * 2


def test_s23_that_there_is_no_row_is_cached_and_ends_when_there_is_one(app: App, other: App):
    for expected in (Outcome.MISS, Outcome.HIT):
        with app.Session() as session:
            assert find(session, Product, 9) is None
        assert app.log.outcomes() == [expected]
    with other.Session() as session:
        add(session, Product(id=9, name="late", price=Decimal(1)))
        session.commit()
    with app.Session() as session:
        assert find(session, Product, 9).name == "late"


@pytest.mark.orm
def test_s24_a_cached_entity_is_written_like_any_other(app: App, other: App, database: Database):
    with app.Session() as session:
        session.get(Product, 1)
    app.log.outcomes()
    with app.Session() as session:
        product = session.get(Product, 1)
        assert app.log.outcomes() == [Outcome.HIT]
        product.name = "new"
        assert list(session.dirty) == [product]
        session.commit()
        assert product.price == Decimal("1.50")
    assert name_of(other) == truth(database) == "new"
    with app.Session() as session:
        session.delete(session.get(Product, 1))
        session.commit()
    assert name_of(other) is truth(database) is None


@pytest.mark.orm
def test_s24_a_cached_entity_takes_part_in_relationships_and_merges(app: App, other: App):
    for _ in range(2):
        with app.Session() as session:
            product = session.get(Product, 1)
            coffee = session.get(Category, 2)
    product.category = coffee  # both are detached, from the cache
    with app.Session() as session:
        session.merge(product)
        session.commit()
    with other.Session() as session:
        assert session.get(Product, 1).category.name == "coffee"
        assert [p.id for p in session.get(Category, 2).products] == [1]


LOCKING = {
    "select": lambda s: s.scalar(names().with_for_update()),
    "read lock": lambda s: s.scalar(names().with_for_update(read=True)),
}
LOCKING_ENTITIES = {
    "entity": lambda s: (
        s.scalars(select(Product).where(Product.id == 1).with_for_update()).one().name
    ),
    "get": lambda s: s.get(Product, 1, with_for_update=True).name,
    "refresh": lambda s: refreshed(s, with_for_update=True),
}


def refreshed(session, **options) -> str:
    product = session.get(Product, 1)
    session.refresh(product, **options)
    return product.name


@pytest.mark.parametrize("read", LOCKING.values(), ids=LOCKING.keys())
def test_s24_a_read_that_locks_is_never_answered_from_the_cache(app: App, database: Database, read):
    for _ in range(2):
        with app.Session() as session:
            session.scalar(names())
            assert read(session) == "old"
            session.rollback()
    change_unseen(database)
    with app.Session() as session:
        assert read(session) == "new"
        assert app.log.last().outcome is Outcome.BYPASS
        session.rollback()


@pytest.mark.orm
@pytest.mark.parametrize("read", LOCKING_ENTITIES.values(), ids=LOCKING_ENTITIES.keys())
def test_s24_an_entity_that_is_locked_is_never_taken_from_the_cache(
    app: App, database: Database, read
):
    for _ in range(2):
        with app.Session() as session:
            session.get(Product, 1)
            assert read(session) == "old"
            session.rollback()
    change_unseen(database)
    with app.Session() as session:
        assert read(session) == "new"
        assert app.log.last().outcome is Outcome.BYPASS
        session.rollback()


# SQLite knows no FOR UPDATE in its SQL.
@pytest.mark.databases("postgresql", "mariadb")
def test_s24_a_lock_in_raw_sql_is_never_answered_from_the_cache(app: App, database: Database):
    statement = text("SELECT name FROM products WHERE id = 1 FOR UPDATE")
    for _ in range(2):
        with app.Session() as session:
            assert session.scalar(statement) == "old"
            assert app.log.last().reason is Reason.STATEMENT
    change_unseen(database)
    with app.Session() as session:
        assert session.scalar(statement) == "new"


def change_unseen(database: Database) -> None:
    """
    Rename the product behind ormcache's back: whoever now reads the old name had it cached.
    """
    engine = database.plain_engine()
    with engine.begin() as connection:
        connection.execute(text("UPDATE products SET name = 'new' WHERE id = 1"))
    engine.dispose()


@pytest.mark.orm
@pytest.mark.parametrize("how", ["refresh", "populate_existing"])
def test_s24_a_read_for_fresh_objects_asks_the_database(app: App, database: Database, how: str):
    def read(session) -> str:
        if how == "refresh":
            return refreshed(session)
        return session.get(Product, 1, populate_existing=True).name

    for _ in range(2):
        with app.Session() as session:
            assert read(session) == "old"
    change_unseen(database)
    with app.Session() as session:
        assert read(session) == "new"
