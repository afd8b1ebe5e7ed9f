"""
Does a read of some rows outlive what is done to others, and never what is done to its own?
"""

import decimal
from typing import Any

import pytest
from sqlalchemy import ForeignKey, Select, String, delete, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

from ormcache import Outcome, Policy
from tests.fixtures.apps import App
from tests.fixtures.databases import Database
from tests.fixtures.ways import FACES, go_every_way
from tests.integration.conformance.steps import set_options, with_real_transactions


class Base(DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owners"
    __cache_policy__ = Policy()
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Item(Base):
    __tablename__ = "items"
    __cache_policy__ = Policy(slices=("tenant_id",))
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owners.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))


class Line(Base):
    __tablename__ = "lines"
    __cache_policy__ = Policy(slices=("order_id",))
    order_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(50))


class Node(Base):
    __tablename__ = "nodes"
    __cache_policy__ = Policy()
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id", ondelete="SET NULL"))


ROWS = [
    {"tenant_id": 1, "name": "one"},
    {"tenant_id": 1, "name": "two"},
    {"tenant_id": 2, "name": "three"},
]
LINES = [{"order_id": o, "place": p, "name": f"{o}.{p}"} for o in (1, 2) for p in (1, 2)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    go_every_way(metafunc, *FACES)


@pytest.fixture(autouse=True)
def tables(database: Database) -> None:
    engine = database.plain_engine()
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        connection.execute(insert(Owner), [{"id": 1}])
        for row in ROWS:
            connection.execute(insert(Item).values(row))
        connection.execute(insert(Line), LINES)
        connection.execute(insert(Node), [{"id": 1}])
        connection.execute(insert(Node), [{"id": 2, "parent_id": 1}])
    engine.dispose()


def by_id(*ids: int) -> Select[Any]:
    one = Item.id == ids[0] if len(ids) == 1 else Item.id.in_(ids)
    return select(Item.name).where(one).order_by(Item.id)


def by_tenant(tenant: int) -> Select[Any]:
    return select(Item.name).where(Item.tenant_id == tenant).order_by(Item.id)


def ask(app: App, statement: Select[Any]) -> list[Any]:
    with app.Session() as session:
        return [row[0] for row in session.execute(statement)]


def write(app: App, *statements: Any) -> None:
    with app.Session() as session:
        for statement in statements:
            if isinstance(statement, Item):
                session.add(statement) if isinstance(session, Session) else session.execute(
                    insert(Item).values(tenant_id=statement.tenant_id, name=statement.name)
                )
            else:
                session.execute(statement)
        session.commit()


class Kept:
    """
    Reads that were cached, and which of them still are.
    """

    def __init__(self, app: App, **reads: Select[Any]) -> None:
        self._app = app
        self._reads = reads
        for read in reads.values():
            ask(app, read)
            ask(app, read)
            assert app.log.outcomes()[-1] is Outcome.HIT

    def names(self) -> set[str]:
        """
        The names of those that are answered from the cache; all are what the database holds.
        """
        kept = set()
        self._app.log.outcomes()
        engine = self._app.database.plain_engine()
        for name, read in self._reads.items():
            with engine.connect() as connection:
                held = [row[0] for row in connection.execute(read)]
            assert ask(self._app, read) == held, name
            if self._app.log.outcomes() == [Outcome.HIT]:
                kept.add(name)
        engine.dispose()
        return kept


def usual(app: App) -> Kept:
    return Kept(
        app,
        one=by_id(1),
        two=by_id(2),
        three=by_id(3),
        nine=by_id(9),
        pair=by_id(2, 3),
        first=by_tenant(1),
        second=by_tenant(2),
        third=by_tenant(3),
        every=select(Item.name),
    )


def said(argument: object) -> str:
    """
    The same in every process that runs the tests.
    """
    if isinstance(argument, set):
        return " ".join(sorted(argument)) or "nothing"
    return f"an item of {argument.tenant_id}" if isinstance(argument, Item) else str(argument)


IDS = {"one", "two", "three", "nine", "pair"}
TENANTS = {"first", "second", "third"}


@pytest.mark.parametrize(
    ("change", "left"),
    [
        # Its tenant now may be another than anybody here has seen: every read by tenant ends.
        (update(Item).where(Item.id == 1).values(name="new"), IDS - {"one"}),
        (update(Item).where(Item.id == 2).values(name="new"), IDS - {"two", "pair"}),
        (delete(Item).where(Item.id == 3), IDS - {"three", "pair"}),
        (delete(Item).where(Item.id.in_([1, 2])), {"three", "nine"}),
        (
            update(Item).where(Item.id == 1, Item.tenant_id == 1).values(name="new"),
            IDS - {"one"} | TENANTS - {"first"},
        ),
        (
            update(Item).where(Item.id == 1, Item.tenant_id == 1).values(tenant_id=3),
            IDS - {"one"} | {"second"},
        ),
        (update(Item).where(Item.id == 1).values(id=9), IDS - {"one", "nine"}),
        (update(Item).where(Item.tenant_id == 1).values(name="new"), TENANTS - {"first"}),
        (update(Item).where(Item.tenant_id == 1).values(tenant_id=2), {"third"}),
        (update(Item).where(Item.tenant_id == 1).values(tenant_id=Item.tenant_id + 1), set()),
        (update(Item).where((Item.id == 1) | (Item.id == 2)).values(name="new"), set()),
        (update(Item).values(name="new"), set()),
        (delete(Item), set()),
        (
            insert(Item).values(id=9, tenant_id=3, name="nine"),
            IDS - {"nine"} | TENANTS - {"third"},
        ),
        (insert(Item).values(tenant_id=3, name="new"), IDS | TENANTS - {"third"}),
        (
            insert(Item).values([{"tenant_id": 3, "name": "a"}, {"tenant_id": 2, "name": "b"}]),
            {"first"},
        ),
        (Item(tenant_id=2, name="new"), IDS | TENANTS - {"second"}),
        (text("UPDATE items SET name = 'new' WHERE id = 1"), IDS - {"one"}),
        (text("UPDATE items SET name = 'new' WHERE id = '1'"), set()),
        (text("UPDATE items SET name = 'new' WHERE id = 1.0"), set()),
        (
            text("UPDATE items SET name = 'new' WHERE id = :id").bindparams(id=1),
            IDS - {"one"},
        ),
        (text("DELETE FROM items WHERE id + 0 = 1"), set()),
        (delete(Owner).where(Owner.id == 1), set()),
    ],
    ids=said,
)
def test_a_change_ends_what_it_may_concern_and_leaves_the_rest(
    app: App, change: Any, left: set[str]
):
    kept = usual(app)
    change = (
        Item(tenant_id=change.tenant_id, name=change.name) if isinstance(change, Item) else change
    )
    write(app, change)
    assert kept.names() == left


def test_a_key_that_the_database_makes_ends_the_read_that_found_nothing(app: App):
    kept = Kept(app, four=by_id(4), five=by_id(5), six=by_id(6))
    write(app, Item(tenant_id=1, name="four"))
    assert kept.names() == {"five", "six"}
    write(app, Item(tenant_id=1, name="five"), Item(tenant_id=1, name="six"))
    assert kept.names() == {"four"}


def test_many_rows_in_one_execution(app: App):
    kept = Kept(app, one=by_id(1), three=by_id(3), first=by_tenant(1), second=by_tenant(2))
    with app.Session() as session:
        session.execute(
            text("UPDATE items SET name = :name WHERE id = :id"),
            [{"id": 1, "name": "new"}, {"id": 2, "name": "new"}],
        )
        session.commit()
    assert kept.names() == {"three"}
    with app.Session() as session:
        session.execute(
            insert(Item), [{"id": n, "tenant_id": 7, "name": "x"} for n in range(50, 90)]
        )
        session.commit()
    assert kept.names() == {"one", "three", "first", "second"}
    with app.Session() as session:
        session.execute(insert(Item), [{"tenant_id": 7, "name": "x"}] * 3)
        session.commit()
    assert kept.names() >= {"first", "second"}


@pytest.mark.orm
def test_what_a_session_flushes(app: App):
    kept = usual(app)
    with app.Session() as session:
        session.get(Item, 1).name = "new"
        session.commit()
    assert kept.names() == IDS - {"one"}
    with app.Session() as session:
        session.get(Item, 1).name = "newer"
        session.get(Item, 3).name = "newer"
        session.commit()
    assert kept.names() == {"two", "nine"}
    with app.Session() as session:
        session.delete(session.get(Item, 2))
        session.add_all([Item(tenant_id=3, name="a"), Item(tenant_id=3, name="b")])
        session.commit()
    assert kept.names() == {"one", "three", "nine"}


def test_a_composite_key(app: App):
    def line(order: int, place: int) -> Select[Any]:
        return select(Line.name).where(Line.order_id == order, Line.place == place)

    def order(number: int) -> Select[Any]:
        return select(Line.name).where(Line.order_id == number).order_by(Line.place)

    kept = Kept(app, a=line(1, 1), b=line(1, 2), c=line(2, 1), one=order(1), two=order(2))
    write(app, update(Line).where(Line.order_id == 1, Line.place == 1).values(name="new"))
    assert kept.names() == {"b", "c", "two"}
    write(app, insert(Line).values(order_id=2, place=3, name="new"))
    assert kept.names() == {"a", "b", "c", "one"}
    write(app, delete(Line).where(Line.place == 1))
    assert kept.names() == set()


def test_a_row_that_moved_out_of_sight(app: App, other: App):
    """
    The trap: what is remembered of a row's tenant is not where the row is when it is changed.
    """
    kept = Kept(app, first=by_tenant(1), second=by_tenant(2))
    with app.Session() as session:
        held = session.execute(select(Item).where(Item.id == 1)).first()  # of tenant 1
        session.commit()
        write(other, update(Item).where(Item.id == 1).values(tenant_id=2))
        kept.names()
        if isinstance(session, Session):
            assert held.Item.id == 1
            held.Item.name = "new"
        else:
            session.execute(update(Item).where(Item.id == held.id).values(name="new"))
        session.commit()
    assert kept.names() == set()
    assert ask(app, by_tenant(2)) == ["new", "three"]


def test_a_writer_that_has_not_heard_of_the_slices(app: App, other: App):
    other.cache.policy("items", ttl=60)
    kept = Kept(app, one=by_id(1), two=by_id(2), first=by_tenant(1))
    write(other, update(Item).where(Item.id == 1, Item.tenant_id == 1).values(name="new"))
    assert kept.names() == {"two"}
    write(other, insert(Item).values(tenant_id=1, name="more"))
    assert kept.names() == {"one", "two"}


def test_a_transaction_reads_its_own_rows_and_others_after_a_rollback(app: App):
    kept = usual(with_real_transactions(app))
    with app.Session() as session:
        session.execute(update(Item).where(Item.id == 1).values(name="mine"))
        assert session.execute(by_id(1)).scalar() == "mine"
        session.rollback()
    assert kept.names() == IDS | TENANTS | {"every"}
    with app.Session() as session:
        session.execute(update(Item).where(Item.id == 1).values(name="kept"))
        with session.begin_nested() as savepoint:
            session.execute(insert(Item).values(tenant_id=3, name="gone"))
            savepoint.rollback()
        session.commit()
    assert kept.names() == IDS - {"one"}


@pytest.mark.databases("postgresql", "mariadb")
def test_a_snapshot_is_served_nothing_newer(app: App, other: App):
    ask(app, by_id(1))
    with app.Session() as session:
        set_options(session, isolation_level="REPEATABLE READ")
        assert session.execute(by_id(2)).scalar() == "two"
        write(other, update(Item).where(Item.id == 1).values(name="new"))
        assert ask(other, by_id(1)) == ask(other, by_id(1)) == ["new"]
        assert session.execute(by_id(1)).scalar() == "one"
        # Nor does what it read from its snapshot become an entry.
        assert session.execute(by_id(3)).scalar() == "three"
        session.rollback()
    assert ask(other, by_id(1)) == ["new"]


def test_a_table_whose_rows_change_each_other_has_no_slices(app: App):
    parent = select(Node.parent_id).where(Node.id == 2)
    kept = Kept(app, parent=parent)
    write(app, delete(Node).where(Node.id == 1))
    assert kept.names() == set()


def test_autocommit(app: App):
    kept = usual(app)
    engine = app.engine.execution_options(isolation_level="AUTOCOMMIT")

    def send() -> None:
        with engine.connect() as connection:
            connection.execute(update(Item).where(Item.id == 1).values(name="new"))

    send()
    assert kept.names() == IDS - {"one"}
    with engine.connect() as connection:
        connection.execute(insert(Item).values(tenant_id=1, name="new"))
    assert kept.names() == {"second", "third"}  # its key was not known before it was committed


def test_a_column_that_cannot_be_sliced_is_said_once(app: App, caplog: pytest.LogCaptureFixture):
    app.cache.policy("items", slices=["name"])
    read = select(Item.id).where(Item.name == "one")
    kept = Kept(app, read=read)
    write(app, update(Item).where(Item.id == 2).values(name="new"))
    assert kept.names() == set()
    (warning,) = {r.message for r in caplog.records if "slice" in r.message}
    assert "cannot slice items.name" in warning


def test_explain_names_the_columns_and_no_value(app: App):
    with app.Session() as session:
        explained = app.cache.explain(by_id(12345), bind=session)
    assert "rows of" in str(explained)
    assert "by id" in str(explained)
    assert "12345" not in repr(explained)


def test_a_read_that_names_the_table_twice_is_pinned_twice_or_not_at_all(app: App):
    twin = aliased(Item)
    pairs = select(Item.name).join(twin, twin.tenant_id == Item.tenant_id)
    kept = Kept(
        app,
        half=pairs.where(twin.id == 1).order_by(Item.id),
        both=pairs.where(twin.id == 1, Item.id == 2),
        inner=select(Item.name).where(
            Item.id == 1, Item.tenant_id.in_(select(twin.tenant_id).where(twin.id > 1))
        ),
    )
    write(app, update(Item).where(Item.id == 3).values(name="new"))
    assert kept.names() == {"both"}
    write(app, update(Item).where(Item.id == 2).values(name="new"))
    assert kept.names() == set()


@pytest.mark.databases("sqlite", "mariadb")
@pytest.mark.parametrize("value", ["1", " 1", 1.0, decimal.Decimal("1.0")], ids=repr)
def test_another_value_that_the_database_takes_for_the_same(app: App, value: object):
    if app.database.name == "sqlite" and isinstance(value, decimal.Decimal):
        value = 1.0  # its driver takes no decimals
    kept = usual(app)
    write(app, text("UPDATE items SET name = 'new' WHERE id = :id").bindparams(id=value))
    assert kept.names() == set()
    read = text("SELECT name FROM items WHERE id = :id").bindparams(id=value)
    read = read.execution_options(ormcache=True)
    ask(app, read)
    write(app, update(Item).where(Item.id == 1).values(name="newer"))
    assert ask(app, read) == ["newer"]
    write(
        app, text("INSERT INTO items (id, tenant_id, name) VALUES (:id, 3, 'x')").bindparams(id=9)
    )
    assert ask(app, by_id(9)) == ["x"]
