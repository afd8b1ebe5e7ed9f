"""
What random transactions read and write: two families of tables that share no row and no lock.
"""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    ForeignKey,
    MetaData,
    String,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

STOCK, DIARY = "stock", "diary"


class Base(DeclarativeBase):
    metadata = MetaData()


class Item(Base):
    __tablename__ = "ledger_items"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[int]
    n: Mapped[int]
    notes: Mapped[list["Note"]] = relationship(passive_deletes=True, order_by="Note.id")


class Note(Base):
    __tablename__ = "ledger_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey(Item.id, ondelete="CASCADE"))
    words: Mapped[str] = mapped_column(String(20))


class Day(Base):
    __tablename__ = "ledger_days"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]


VIEWS = ("SELECT id, n FROM ledger_items WHERE n > 2", "SELECT id, kind AS n FROM ledger_items")


def show(connection: Connection, view: str) -> None:
    """
    Have `ledger_view` stand for *view*.
    """
    connection.exec_driver_sql("DROP VIEW IF EXISTS ledger_view")
    connection.exec_driver_sql(f"CREATE VIEW ledger_view AS {view}")


Work = Callable[[Session, int], object]
"""What a session does, given a small number that chooses the row, or the value."""


# -- reads: each returns something that equals nothing but itself -------------------------------


def an_attribute(session: Session, k: int) -> object:
    item = session.get(Item, k)
    return item and (item.kind, item.n)


def entities(session: Session, k: int) -> object:
    found = session.scalars(select(Item).where(Item.kind == k % 3).order_by(Item.id))
    return [(item.id, item.n) for item in found]


def a_collection(session: Session, k: int) -> object:
    item = session.get(Item, k)
    return item and [(note.id, note.words) for note in item.notes]


def rows(session: Session, k: int) -> object:
    return session.execute(select(Item.id, Item.n).where(Item.n >= k).order_by(Item.id)).all()


def a_join(session: Session, _k: int) -> object:
    joined = select(Item.id, Note.words).join(Note).order_by(Item.id, Note.id)
    return session.execute(joined).all()


def a_count(session: Session, k: int) -> object:
    return session.scalar(select(func.count()).select_from(Item).where(Item.kind == k % 3))


def whether(session: Session, k: int) -> object:
    return bool(session.scalar(select(exists().where(Note.item_id == k))))


def whatever_columns(session: Session, _k: int) -> object:
    result = session.execute(text("SELECT * FROM ledger_items ORDER BY id"))
    return tuple(result.keys()), result.all()


def a_view(session: Session, _k: int) -> object:
    return session.execute(text("SELECT id, n FROM ledger_view ORDER BY id")).all()


def days(session: Session, _k: int) -> object:
    return session.execute(select(func.count(Day.id), func.max(Day.n))).all()


def both_families(session: Session, k: int) -> object:
    total = select(func.sum(Day.n)).scalar_subquery()
    return session.execute(select(Item.n, total).where(Item.id == k)).all()


READS: tuple[Work, ...] = (
    *(an_attribute, entities, a_collection, rows, a_join, a_count, whether),
    *(whatever_columns, a_view, days, both_families),
)


# -- writes -------------------------------------------------------------------------------------


def add(session: Session, k: int) -> None:
    session.add(Item(id=k, kind=k % 3, n=k, notes=[Note(words="new")]))
    session.flush()


def add_unflushed(session: Session, k: int) -> None:
    session.add(Item(id=k, kind=0, n=0))


def change(session: Session, k: int) -> None:
    item = session.get(Item, k)
    if item is not None:
        item.n += 1
        session.flush()


def change_unflushed(session: Session, k: int) -> None:
    item = session.get(Item, k)
    if item is not None:
        item.kind = (item.kind + 1) % 3


def remove(session: Session, k: int) -> None:
    item = session.get(Item, k)
    if item is not None:
        session.delete(item)
        session.flush()


def change_many(session: Session, k: int) -> None:
    session.execute(update(Item).where(Item.kind == k % 3).values(n=Item.n + 1))


def remove_many(session: Session, k: int) -> None:
    session.execute(delete(Note).where(Note.item_id < k))


def add_many(session: Session, k: int) -> None:
    rows = [{"item_id": k, "words": "one"}, {"item_id": k, "words": "two"}]
    session.execute(insert(Note), rows)


def add_from_a_select(session: Session, k: int) -> None:
    copied = select(Item.id, literal("copied")).where(Item.kind == k % 3)
    session.execute(insert(Note).from_select(["item_id", "words"], copied))


def change_by_text(session: Session, k: int) -> None:
    session.execute(text("UPDATE ledger_items SET n = n + 10 WHERE id = :k"), {"k": k})


def remove_by_the_drivers_sql(session: Session, k: int) -> None:
    session.connection().exec_driver_sql(f"DELETE FROM ledger_items WHERE id = {k}")


def add_day(session: Session, k: int) -> None:
    session.add(Day(n=k))
    session.flush()


def change_days(session: Session, k: int) -> None:
    session.execute(update(Day).values(n=Day.n + k))


def remove_days(session: Session, k: int) -> None:
    session.execute(text("DELETE FROM ledger_days WHERE n > :k"), {"k": k})


class Write(NamedTuple):
    work: Work
    family: str


WRITES = (
    *(
        Write(work, STOCK)
        for work in (
            *(add, add_unflushed, change, change_unflushed, remove, change_many, remove_many),
            *(add_many, add_from_a_select, change_by_text, remove_by_the_drivers_sql),
        )
    ),
    *(Write(work, DIARY) for work in (add_day, change_days, remove_days)),
)
