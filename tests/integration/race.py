"""
An account, its entries and a note: what one process writes while others read, in every way.

All rows that a transaction writes get the same number, higher than any before.
"""

from sqlalchemy import ForeignKey, func, insert, select, text, update
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
)

from ormcache import Policy

ENTRIES = 5
NEVER_COMMITTED = 1_000_000_000


class Base(DeclarativeBase):
    __cache_policy__ = Policy(ttl=300)


class Account(Base):
    """
    One row; always written together with its entries, all with the same number.
    """

    __tablename__ = "race_accounts"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    entries: Mapped[list["Entry"]] = relationship(order_by="Entry.id")


class Entry(Base):
    __tablename__ = "race_entries"
    __cache_policy__ = Policy(ttl=300, slices=("account_id",))
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(ForeignKey("race_accounts.id"))
    number: Mapped[int]


class Note(Base):
    """
    Written on its own, so that not every commit touches every read.
    """

    __tablename__ = "race_notes"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]


ACCOUNT, NOTE = 0, 1
"""
Places in the shared arrays: a number for the account and its entries, one for the note.
"""


# -- ways to write an account and its entries -------------------------------------------------


def flush(session: Session, number: int) -> None:
    account = session.get(Account, 1, options=[selectinload(Account.entries)])
    for row in (account, *account.entries):
        row.number = number


def bulk_update(session: Session, number: int) -> None:
    session.execute(update(Account).values(number=number))
    session.execute(update(Entry).where(Entry.account_id == 1).values(number=number))


def executemany(session: Session, number: int) -> None:
    session.execute(update(Account), [{"id": 1, "number": number}])
    session.execute(update(Entry), [{"id": i, "number": number} for i in range(ENTRIES)])


def row_by_row(session: Session, number: int) -> None:
    """
    Each change says to which rows it is, so that every one of them counts.
    """
    session.execute(update(Account).where(Account.id == 1).values(number=number))
    for i in range(ENTRIES):
        one = update(Entry).where(Entry.id == i, Entry.account_id == 1)
        session.execute(one.values(number=number))


def raw_sql(session: Session, number: int) -> None:
    session.execute(text("UPDATE race_entries SET number = :number"), {"number": number})
    session.execute(text("UPDATE race_accounts SET number = :number"), {"number": number})


def replace_rows(session: Session, number: int) -> None:
    session.query(Entry).delete()
    session.execute(update(Account).values(number=number))
    rows = [{"id": i, "account_id": 1, "number": number} for i in range(ENTRIES)]
    session.execute(insert(Entry), rows)


def savepoints(session: Session, number: int) -> None:
    with session.begin_nested():
        bulk_update(session, number)
    undone = session.begin_nested()
    raw_sql(session, NEVER_COMMITTED)
    undone.rollback()


def inside_a_savepoint_only(session: Session, number: int) -> None:
    with session.begin_nested(), session.begin_nested():
        flush(session, number)
        session.flush()


WITHOUT_SAVEPOINT = (flush, bulk_update, executemany, row_by_row, raw_sql, replace_rows)
"""
These can be rolled back even where SQLite takes RELEASE for COMMIT.
"""

WAYS = (*WITHOUT_SAVEPOINT, savepoints, inside_a_savepoint_only)


# -- ways to read, each returning where and which numbers -------------------------------------


def get_account(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, {session.get(Account, 1).number}


def select_account(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, set(session.scalars(select(Account.number)))


def select_entries(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, set(session.scalars(select(Entry.number)))


def select_one_entry(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, {session.scalars(select(Entry.number).where(Entry.id == 3)).one()}


def select_entries_of_account(session: Session) -> tuple[int, set[int]]:
    return ACCOUNT, set(session.scalars(select(Entry.number).where(Entry.account_id == 1)))


def select_by_sql(session: Session) -> tuple[int, set[int]]:
    statement = (
        "SELECT a.number, e.number FROM race_accounts a JOIN race_entries e ON e.account_id = a.id"
    )
    return ACCOUNT, {number for row in session.execute(text(statement)) for number in row}


def get_note(session: Session) -> tuple[int, set[int]]:
    return NOTE, {session.get(Note, 1).number}


def select_note(session: Session) -> tuple[int, set[int]]:
    return NOTE, {session.scalar(select(func.max(Note.number)))}


READS_OF = (
    *(get_account, select_account, select_entries, select_one_entry),
    *(select_entries_of_account, select_by_sql),
    *(get_note, select_note),
)
