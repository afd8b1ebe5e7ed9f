"""
In which tables are the registers, and in which ways are they written?
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import BigInteger, ForeignKey, Table, delete, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from ormcache.testing.torture.registers import PARTS

__all__ = [
    "HEADS",
    "NOTES",
    "PARTS_OF",
    "WAYS_OF_NOTE",
    "WAYS_OF_PAIR",
    "Base",
    "Head",
    "Note",
    "Part",
    "Way",
    "part_ids",
]

Way = Callable[[Session, int, int], None]
"""
Gives a register a number, within a session's transaction.
"""


class Base(DeclarativeBase):
    """
    The tables of the torture, and no others.
    """


class Head(Base):
    """
    A pair is one of these and its parts.
    """

    __tablename__ = "ormcache_torture_heads"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    parts: Mapped[list[Part]] = relationship(order_by=lambda: Part.id)


class Part(Base):
    """
    A row that is always written together with its head.
    """

    __tablename__ = "ormcache_torture_parts"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    head_id: Mapped[int] = mapped_column(ForeignKey("ormcache_torture_heads.id"))
    number: Mapped[int] = mapped_column(BigInteger)


class Note(Base):
    """
    A register in one row.
    """

    __tablename__ = "ormcache_torture_notes"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


HEADS, PARTS_OF, NOTES = (cast("Table", model.__table__) for model in (Head, Part, Note))


def part_ids(register: int) -> range:
    """
    Return the keys of a pair's parts.
    """
    return range(register * PARTS, (register + 1) * PARTS)


def flush(session: Session, register: int, number: int) -> None:
    """
    Change objects.
    """
    head = session.get_one(Head, register)
    head.number = number
    for part in head.parts:
        part.number = number
    session.flush()


def core(session: Session, register: int, number: int) -> None:
    """
    Change rows by expressions.
    """
    session.execute(update(HEADS).where(HEADS.c.id == register).values(number=number))
    session.execute(update(PARTS_OF).where(PARTS_OF.c.head_id == register).values(number=number))


def sql(session: Session, register: int, number: int) -> None:
    """
    Change rows by SQL as a string.
    """
    values = {"id": register, "number": number}
    for table, column in ((PARTS_OF, "head_id"), (HEADS, "id")):
        statement = f"UPDATE {table.name} SET number = :number WHERE {column} = :id"  # noqa: S608 - names of ours
        session.execute(text(statement), values)


def many(session: Session, register: int, number: int) -> None:
    """
    Change many rows by one call.
    """
    session.execute(update(Head), [{"id": register, "number": number}])
    session.execute(update(Part), [{"id": i, "number": number} for i in part_ids(register)])


def replace(session: Session, register: int, number: int) -> None:
    """
    Delete rows and insert others.
    """
    session.execute(delete(PARTS_OF).where(PARTS_OF.c.head_id == register))
    session.execute(update(HEADS).where(HEADS.c.id == register).values(number=number))
    rows = [{"id": i, "head_id": register, "number": number} for i in part_ids(register)]
    session.execute(insert(PARTS_OF), rows)


def bulk(session: Session, register: int, number: int) -> None:
    """
    Change rows by expressions on models.
    """
    session.execute(update(Head).where(Head.id == register).values(number=number))
    session.execute(update(Part).where(Part.head_id == register).values(number=number))


def flush_note(session: Session, register: int, number: int) -> None:
    """
    Change an object.
    """
    session.get_one(Note, register).number = number
    session.flush()


def core_note(session: Session, register: int, number: int) -> None:
    """
    Change a row by an expression.
    """
    session.execute(update(NOTES).where(NOTES.c.id == register).values(number=number))


def sql_note(session: Session, register: int, number: int) -> None:
    """
    Change a row by SQL as a string.
    """
    statement = f"UPDATE {NOTES.name} SET number = :number WHERE id = :id"  # noqa: S608 - a name of ours
    session.execute(text(statement), {"id": register, "number": number})


WAYS_OF_PAIR: tuple[Way, ...] = (flush, core, sql, many, replace, bulk)
WAYS_OF_NOTE: tuple[Way, ...] = (flush_note, core_note, sql_note)


def locked(session: Session, table: Table, register: int) -> int:
    """
    Return a register's number, and keep others from writing it until the transaction ends.
    """
    statement = select(table.c.number).where(table.c.id == register).with_for_update()
    found: Any = session.execute(statement).scalar_one()
    return int(found)
