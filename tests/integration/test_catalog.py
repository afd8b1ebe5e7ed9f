"""
The catalog of SQLite; those of the servers have files of their own.
"""

import sqlite3
from collections.abc import Iterator

import pytest

from ormcache.sqlalchemy.catalog import load_catalog
from ormcache.sqlalchemy.facts import TableName
from ormcache.sqlalchemy.functions import DETERMINISTIC, SQLITE_DATES
from tests.fixtures.catalogs import names, querying

SQLITE = '''
CREATE TABLE author (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES author ON DELETE SET NULL);
CREATE TABLE "Book" (id INTEGER PRIMARY KEY, author INTEGER REFERENCES author ON DELETE CASCADE);
CREATE TABLE page (id INTEGER PRIMARY KEY, book INTEGER REFERENCES book ON UPDATE SET DEFAULT);
CREATE TABLE loan (id INTEGER PRIMARY KEY, book INTEGER REFERENCES book);
CREATE VIEW books AS SELECT b.id FROM main."Book" b JOIN author a ON a.id = b.author;
CREATE VIEW IF NOT EXISTS [more books] (id, "x as y") AS SELECT id, 1 FROM books;
CREATE TEMP VIEW pages AS SELECT * FROM main.page;
CREATE VIEW fresh AS SELECT id, date('now') FROM loan;
CREATE VIEW odd AS WITH loan AS (SELECT * FROM page) SELECT * FROM loan;
CREATE TRIGGER note AFTER INSERT ON loan BEGIN DELETE FROM page; END;
CREATE TRIGGER divert INSTEAD OF INSERT ON books BEGIN DELETE FROM page; END;
CREATE VIRTUAL TABLE found USING fts5 (body);
CREATE VIRTUAL TABLE borrowed USING fts5 (body, content='page', content_rowid='id');
ATTACH ':memory:' AS "other ""one""";
CREATE TABLE "other ""one""".deal (id INTEGER PRIMARY KEY);
CREATE TABLE "other ""one""".part (deal INTEGER REFERENCES deal ON DELETE CASCADE);
'''


@pytest.fixture
def sqlite() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SQLITE)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("table", "tables", "reason"),
    [
        ("book", "main.book", None),
        ("main.books", "main.books main.book main.author", None),
        ("temp.pages", "main.pages main.page", None),
        ("fresh", "main.fresh main.loan", "view fresh: relative time"),
        ("odd", "main.odd main.page", None),
        ("found", "main.found", None),
        ("borrowed", "main.borrowed", "virtual table borrowed"),
        ("deal", "main.deal", None),
    ],
)
def test_sqlite_reads(
    sqlite: sqlite3.Connection, table: str, tables: str, reason: str | None
) -> None:
    widened = load_catalog("sqlite", querying(sqlite)).reads(names(table))
    assert widened.tables == names(tables)
    assert widened.unresolvable == reason


def test_sqlite_finds_the_query_of_a_view_with_odd_names(sqlite: sqlite3.Connection) -> None:
    widened = load_catalog("sqlite", querying(sqlite)).reads({TableName(None, "more books")})
    assert widened.tables - {TableName("main", "more books")} == names(
        "main.books main.book main.author"
    )
    assert widened.unresolvable is None


@pytest.mark.parametrize(
    ("table", "tables"),
    [
        ("loan", "main.loan"),
        ("book", "main.book main.page"),
        ("author", "main.author main.book main.page"),
        ("deal", "main.deal main.part"),
        ("books", None),
    ],
)
def test_sqlite_writes(sqlite: sqlite3.Connection, table: str, tables: str | None) -> None:
    written = load_catalog("sqlite", querying(sqlite)).writes(names(table))
    assert written == (None if tables is None else names(tables))


def test_sqlite_knows_tables_triggers_and_functions(sqlite: sqlite3.Connection) -> None:
    catalog = load_catalog("sqlite", querying(sqlite))
    assert catalog.search_path == ("main",)
    assert names("main.book main.books main.pages main.found main.deal") <= catalog.tables
    assert catalog.triggered == names("main.loan main.books")
    assert catalog.resolve(TableName("temp", "pages")) == names("main.pages")
    assert catalog.function_effect("anything") == "reads"


def test_sqlite_calls_the_functions_deterministic_that_we_do(sqlite: sqlite3.Connection) -> None:
    deterministic = 0x800
    rows = sqlite.execute(
        "SELECT name, flags FROM pragma_function_list WHERE builtin AND type = 's'"
    ).fetchall()
    volatile = {name for name, flags in rows if not flags & deterministic}
    assert volatile & DETERMINISTIC["sqlite"] <= SQLITE_DATES


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="no catalog for the dialect 'oracle'"):
        load_catalog("oracle", lambda _: [])
