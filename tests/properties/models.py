"""
Models with every kind of column, relationship and inheritance, for random statements.
"""

import datetime as dt
import decimal
import enum
import uuid

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, Mapped, deferred, mapped_column, relationship

from ormcache import Policy


class Mood(enum.Enum):
    GLAD = "glad"
    GLUM = "glum"


class Money:
    """
    A type of the application's own, with a value that knows equality and a representation.
    """

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)

    def __repr__(self) -> str:
        return f"Money({self.cents})"


class MoneyType(TypeDecorator[Money]):
    impl = Integer
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else value.cents

    def process_result_value(self, value, dialect):
        return None if value is None else Money(value)


class Base(DeclarativeBase):
    __cache_policy__ = Policy(ttl=300)


class Author(Base):
    __tablename__ = "prop_authors"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("prop_authors.id"))
    name: Mapped[str] = mapped_column(String(40))
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood))
    alive: Mapped[bool | None]
    born: Mapped[dt.date | None]
    score: Mapped[float | None]
    biography: Mapped[str | None] = deferred(mapped_column(Text))
    mentor: Mapped["Author | None"] = relationship(remote_side="Author.id")
    books: Mapped[list["Book"]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "prop_books"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("prop_authors.id"))
    title: Mapped[str] = mapped_column(String(40))
    price: Mapped[decimal.Decimal | None] = mapped_column(Numeric(12, 4))
    copies: Mapped[int | None] = mapped_column(BigInteger)
    printed: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    opens: Mapped[dt.time | None]
    lent: Mapped[dt.timedelta | None] = mapped_column(Interval)
    cover: Mapped[bytes | None] = mapped_column(LargeBinary)
    code: Mapped[uuid.UUID | None]
    facts: Mapped[object | None] = mapped_column(JSON)
    worth: Mapped[Money | None] = mapped_column(MoneyType)
    author: Mapped[Author | None] = relationship(back_populates="books")
    tags: Mapped[list["Tag"]] = relationship(secondary="prop_book_tags", order_by="Tag.name")


class BookTag(Base):
    __tablename__ = "prop_book_tags"
    book_id: Mapped[int] = mapped_column(ForeignKey("prop_books.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(ForeignKey("prop_tags.name"), primary_key=True)


class Tag(Base):
    __tablename__ = "prop_tags"
    name: Mapped[str] = mapped_column(String(10), primary_key=True)


class Person(Base):
    """
    The root of a hierarchy in a single table.
    """

    __tablename__ = "prop_people"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(40))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012


class Clerk(Person):
    desk: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "clerk"}  # noqa: RUF012


class Guest(Person):
    since: Mapped[dt.date | None]
    __mapper_args__ = {"polymorphic_identity": "guest"}  # noqa: RUF012


class Vehicle(Base):
    """
    The root of a hierarchy in joined tables.
    """

    __tablename__ = "prop_vehicles"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10))
    wheels: Mapped[int | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012


class Van(Vehicle):
    __tablename__ = "prop_vans"
    id: Mapped[int] = mapped_column(ForeignKey("prop_vehicles.id"), primary_key=True)
    load: Mapped[decimal.Decimal | None] = mapped_column(Numeric(8, 2))
    __mapper_args__ = {"polymorphic_identity": "van"}  # noqa: RUF012


class Bus(Vehicle):
    __tablename__ = "prop_buses"
    id: Mapped[int] = mapped_column(ForeignKey("prop_vehicles.id"), primary_key=True)
    seats: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "bus"}  # noqa: RUF012


class PgThing(Base):
    """
    What PostgreSQL alone has.
    """

    __tablename__ = "prop_pg_things"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    numbers: Mapped[list[int] | None] = mapped_column(pg.ARRAY(Integer))
    names: Mapped[list[str] | None] = mapped_column(pg.ARRAY(Text))
    span: Mapped[pg.Range[int] | None] = mapped_column(pg.INT8RANGE)
    period: Mapped[pg.Range[dt.datetime] | None] = mapped_column(pg.TSTZRANGE)
    spans: Mapped[list[pg.Range[int]] | None] = mapped_column(pg.INT4MULTIRANGE)
    host: Mapped[object | None] = mapped_column(pg.INET)
    bits: Mapped[str | None] = mapped_column(pg.BIT(varying=True))
    document: Mapped[object | None] = mapped_column(pg.JSONB)
    worths: Mapped[list[Money] | None] = mapped_column(pg.ARRAY(MoneyType))


TABLES = [table for table in Base.metadata.sorted_tables if table is not PgThing.__table__]
"""
Those that every database can have, parents first.
"""
