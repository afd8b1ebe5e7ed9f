"""
The catalogs of real servers, on schemas made for it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from ormcache.sqlalchemy.catalog import Catalog, load_catalog
from ormcache.sqlalchemy.catalog_model import Query
from ormcache.sqlalchemy.facts import TableName
from ormcache.sqlalchemy.functions import DETERMINISTIC, SQLITE_DATES
from ormcache.testing.servers import Server


def names(text: str) -> frozenset[TableName]:
    """`"a s.b"` as table names."""
    parts = (each.rpartition(".") for each in text.split())
    return frozenset(TableName(schema or None, name) for schema, _, name in parts)


def querying(connection: object) -> Query:
    def query(sql: str) -> list[tuple[object, ...]]:
        cursor = connection.cursor()
        cursor.execute(sql)
        rows = [tuple(row) for row in cursor.fetchall()]
        cursor.close()
        return rows

    return query


def counted(query: Query) -> tuple[Query, Callable[[], int]]:
    asked: list[str] = []

    def counting(sql: str) -> object:
        asked.append(sql)
        return query(sql)

    return counting, lambda: len(asked)


# --- PostgreSQL -------------------------------------------------------------------------------

POSTGRESQL = """
CREATE SCHEMA app;
CREATE TABLE author (id int PRIMARY KEY, boss int REFERENCES author ON DELETE SET NULL);
CREATE TABLE book (id int PRIMARY KEY, author int REFERENCES author ON DELETE CASCADE);
CREATE TABLE page (id int PRIMARY KEY, book int REFERENCES book ON UPDATE SET DEFAULT);
CREATE TABLE loan (id int PRIMARY KEY, book int REFERENCES book ON DELETE RESTRICT);
CREATE TABLE app."Order" (id int PRIMARY KEY, author int REFERENCES author ON DELETE CASCADE);
CREATE VIEW books AS SELECT b.id, a.boss FROM book b JOIN author a ON a.id = b.author;
CREATE VIEW bosses AS SELECT boss, lower('X') AS x FROM books WHERE id IN (SELECT book FROM page);
CREATE VIEW plain AS SELECT * FROM loan;
CREATE VIEW fresh AS SELECT id, now() AS moment FROM book;
CREATE VIEW above_fresh AS SELECT id FROM fresh;
CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM book;
CREATE TABLE event (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')
    PARTITION BY RANGE (day);
CREATE TABLE event_2a PARTITION OF event_2 FOR VALUES FROM ('2021-01-01') TO ('2021-02-01');
CREATE TABLE animal (id int);
CREATE TABLE cat (claws int) INHERITS (animal);
CREATE TABLE ruled (id int);
CREATE RULE copy_it AS ON INSERT TO ruled DO ALSO INSERT INTO loan VALUES (new.id, NULL);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE noted (id int);
CREATE TRIGGER note AFTER INSERT ON noted EXECUTE FUNCTION note();
CREATE VIEW diverted AS SELECT * FROM noted;
CREATE TRIGGER divert INSTEAD OF INSERT ON diverted FOR EACH ROW EXECUTE FUNCTION note();
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE far (id int) SERVER elsewhere;
CREATE VIEW far_away AS SELECT * FROM far;
CREATE TABLE mixed (id int) PARTITION BY LIST (id);
CREATE FOREIGN TABLE mixed_far PARTITION OF mixed FOR VALUES IN (1) SERVER elsewhere;
CREATE SEQUENCE numbers;
CREATE TABLE secret (id int);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE VIEW secrets AS SELECT * FROM secret;
CREATE FUNCTION writer() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION app.reader() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION app.twice(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE AGGREGATE stepped(int) (sfunc = step, stype = int);
CREATE PROCEDURE proceed() LANGUAGE sql AS 'SELECT 1';
CREATE VIEW calling AS SELECT app.reader() AS x FROM loan;
"""


@pytest.fixture(scope="module")
def postgres_url(postgres_server: Server) -> str:
    url = postgres_server.create_database("catalog")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(POSTGRESQL)
        connection.execute("DROP ROLE IF EXISTS catalog_nobody")
        connection.execute("CREATE ROLE catalog_nobody")
    return url


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Catalog:
    with psycopg.connect(postgres_url) as connection:
        return load_catalog("postgresql", querying(connection))


def test_postgres_knows_tables_and_search_path(postgres: Catalog) -> None:
    assert postgres.search_path == ("public",)
    assert names("public.book public.books public.counts public.event_2a app.order") <= (
        postgres.tables
    )
    assert not any(table.schema.startswith("pg_") for table in postgres.tables)
    assert not names("public.numbers information_schema.tables") & postgres.tables
    assert postgres.triggered == names("public.noted public.diverted")
    assert postgres.nontransactional == frozenset()


def test_postgres_resolves_names_by_search_path(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET search_path TO app, public, missing")
        catalog = load_catalog("postgresql", querying(connection))
    assert catalog.search_path == ("app", "public")
    assert catalog.resolve(TableName(None, "book")) == names("app.book public.book")
    assert catalog.resolve(TableName("public", "book")) == names("public.book")
    # What is in the search path now is spelt out in views without its schema.
    assert catalog.reads(names("public.bosses")).tables >= names("public.page public.author")


@pytest.mark.parametrize(
    ("table", "tables", "reason"),
    [
        ("book", "public.book", None),
        ("books", "public.books public.book public.author", None),
        (
            "public.bosses",
            "public.bosses public.books public.book public.author public.page",
            None,
        ),
        ("counts", "public.counts", None),
        ("event", "public.event", None),
        ("fresh", "public.fresh public.book", "view fresh: volatile function now()"),
        (
            "above_fresh",
            "public.above_fresh public.fresh public.book",
            "view fresh: volatile function now()",
        ),
        ("calling", "public.calling public.loan", "view calling: unknown function app.reader()"),
        ("far", "public.far", "foreign table far"),
        ("far_away", "public.far_away public.far", "foreign table far"),
        ("mixed", "public.mixed", "foreign table mixed_far"),
        ("numbers", "public.numbers", "sequence numbers"),
        ("secret", "public.secret", None),
        ("secrets", "public.secrets public.secret", "row-level security on secret"),
    ],
)
def test_postgres_reads(postgres: Catalog, table: str, tables: str, reason: str | None) -> None:
    widened = postgres.reads(names(table))
    assert widened.tables == names(tables)
    assert widened.unresolvable == reason


@pytest.mark.parametrize(
    ("table", "tables"),
    [
        ("loan", "public.loan"),
        ("book", "public.book public.page"),
        ("author", "public.author public.book public.page app.order"),
        ("app.order", "app.order"),
        ("plain", "public.plain public.loan"),
        ("books", "public.books public.book public.author public.page app.order"),
        ("event", "public.event public.event_1 public.event_2 public.event_2a"),
        ("event_1", "public.event_1 public.event"),
        ("event_2a", "public.event_2a public.event_2 public.event"),
        ("animal", "public.animal public.cat"),
        ("cat", "public.cat public.animal"),
        ("counts", "public.counts"),
        ("noted", "public.noted"),
        ("ruled", None),
        ("diverted", None),
        ("unheard_of", "public.unheard_of"),
    ],
)
def test_postgres_writes(postgres: Catalog, table: str, tables: str | None) -> None:
    assert postgres.writes(names(table)) == (None if tables is None else names(tables))


@pytest.mark.parametrize(
    ("function", "effect"),
    [
        ("now", "builtin"),
        ("pg_catalog.lower", "builtin"),
        ("query_to_xml", "writes"),
        ("writer", "writes"),
        ("PUBLIC.WRITER", "writes"),
        ("app.reader", "reads"),
        ("reader", "reads"),
        ("public.twice", "reads"),
        ("twice", "writes"),
        ("stepped", "writes"),
        ("proceed", "writes"),
        ("unheard_of", "unknown"),
        ("public.lower", "unknown"),
    ],
)
def test_postgres_functions(postgres: Catalog, function: str, effect: str) -> None:
    assert postgres.function_effect(function) == effect


def test_a_role_without_privileges_can_load_the_catalog(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET ROLE catalog_nobody")
        query, asked = counted(querying(connection))
        catalog = load_catalog("postgresql", query)
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS
    assert asked() <= 6
    assert catalog.writes(names("public.author")) == names(
        "public.author public.book public.page app.order"
    )
    assert catalog.reads(names("public.bosses")).tables >= names("public.page public.author")
    assert catalog.reads(names("public.secret")).unresolvable == "row-level security on secret"


def test_no_function_taken_for_deterministic_is_volatile_in_postgres(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v'"
            " AND pronamespace = 'pg_catalog'::regnamespace"
        ).fetchall()
    assert {name for (name,) in rows} & DETERMINISTIC["postgresql"] == set()


# --- MySQL and MariaDB ------------------------------------------------------------------------

MYSQL = [
    "CREATE TABLE author (id int PRIMARY KEY)",
    "CREATE TABLE book (id int PRIMARY KEY, author int,"
    " FOREIGN KEY (author) REFERENCES author (id) ON DELETE CASCADE)",
    "CREATE TABLE page (id int PRIMARY KEY, book int,"
    " FOREIGN KEY (book) REFERENCES book (id) ON UPDATE SET NULL)",
    "CREATE TABLE loan (id int PRIMARY KEY, book int, FOREIGN KEY (book) REFERENCES book (id))",
    "CREATE TABLE catalog_b.review (id int PRIMARY KEY, book int,"
    " FOREIGN KEY (book) REFERENCES catalog_a.book (id) ON DELETE CASCADE)",
    "CREATE TABLE quick (id int) ENGINE = MyISAM",
    "CREATE TABLE passing (id int) ENGINE = MEMORY",
    "CREATE TABLE merged (id int) ENGINE = MERGE UNION = (quick)",
    "CREATE VIEW books AS SELECT b.id FROM book b JOIN author a ON a.id = b.author",
    "CREATE VIEW more AS SELECT * FROM books WHERE id IN (SELECT book FROM catalog_b.review)",
    "CREATE VIEW fresh AS SELECT id, now() AS moment FROM book",
    "CREATE VIEW through AS SELECT * FROM merged",
    "CREATE TRIGGER note AFTER INSERT ON loan FOR EACH ROW SET @noted = 1",
    "CREATE FUNCTION two() RETURNS int DETERMINISTIC NO SQL RETURN 2",
    "CREATE VIEW calling AS SELECT two() AS x FROM loan",
]


@pytest.fixture(scope="module")
def mysql_arguments(mysql_server: Server) -> Iterator[dict[str, object]]:
    first = urlsplit(mysql_server.create_database("catalog_a"))
    second = urlsplit(mysql_server.create_database("catalog_b"))
    arguments = {
        "host": first.hostname,
        "port": first.port or 3306,
        "user": first.username,
        "password": first.password or "",
        "database": first.path[1:],
    }
    replaced = {"catalog_a": first.path[1:], "catalog_b": second.path[1:]}
    with pymysql.connect(**arguments) as connection, connection.cursor() as cursor:
        for sql in MYSQL:
            for name, real in replaced.items():
                sql = sql.replace(name, real)  # noqa: PLW2901 - a server of others has other names
            cursor.execute(sql)
    yield arguments
    # The key from one database to the other would keep the first from being dropped.
    with pymysql.connect(**arguments) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {replaced['catalog_b']}.review")


@pytest.fixture(scope="module")
def mysql(mysql_arguments: dict[str, object]) -> Catalog:
    with pymysql.connect(**mysql_arguments) as connection:
        query, asked = counted(querying(connection))
        catalog = load_catalog("mysql", query)
        assert asked() <= 6
        return catalog


def shown(catalog: Catalog, tables: frozenset[TableName] | None) -> set[str] | None:
    """The tables, those in the current database without it."""
    if tables is None:
        return None
    (current,) = catalog.search_path
    return {
        name if schema == current else f"{schema.rsplit('_b', 1)[0]}_b.{name}"
        for schema, name in tables
    }


@pytest.mark.parametrize(
    ("table", "tables", "reason"),
    [
        ("book", "book", None),
        ("books", "books book author", None),
        ("more", "more books book author catalog_b.review", None),
        ("fresh", "fresh book", "view fresh: volatile function now()"),
        ("merged", "merged", "table merged of the engine MRG_MyISAM"),
        ("through", "through merged", "table merged of the engine MRG_MyISAM"),
        ("quick", "quick", None),
    ],
)
def test_mysql_reads(mysql: Catalog, table: str, tables: str, reason: str | None) -> None:
    widened = mysql.reads(names(table))
    assert shown(mysql, widened.tables) == set(tables.split())
    assert (widened.unresolvable or "").casefold() == (reason or "").casefold()


def test_a_mysql_view_that_calls_a_routine_is_not_stored(mysql: Catalog) -> None:
    widened = mysql.reads(names("calling"))
    assert shown(mysql, widened.tables) == {"calling", "loan"}
    assert "unknown function" in (widened.unresolvable or "")


@pytest.mark.parametrize(
    ("table", "tables"),
    [
        ("loan", "loan"),
        ("book", "book page catalog_b.review"),
        ("author", "author book page catalog_b.review"),
        ("books", "books book author page catalog_b.review"),
        ("merged", None),
    ],
)
def test_mysql_writes(mysql: Catalog, table: str, tables: str | None) -> None:
    expected = None if tables is None else set(tables.split())
    assert shown(mysql, mysql.writes(names(table))) == expected


def test_mysql_knows_what_a_commit_is_not_needed_for(mysql: Catalog) -> None:
    (current,) = mysql.search_path
    here = {name for schema, name in mysql.nontransactional if schema == current}
    assert here == {"quick", "passing", "merged"}


def test_mysql_knows_tables_triggers_and_functions(mysql: Catalog) -> None:
    (current,) = mysql.search_path
    assert TableName(current, "loan") in mysql.triggered
    assert names(f"{current}.books {current}.quick") <= mysql.tables
    assert not any(schema in ("mysql", "sys") for schema, _ in mysql.tables)
    assert mysql.function_effect("TWO") == "writes"
    assert mysql.function_effect(f"{current}.two") == "writes"
    assert mysql.function_effect("now") == "builtin"
    assert mysql.function_effect("elsewhere.f") == "unknown"


def test_a_mysql_user_who_may_not_see_a_definition_is_told_so(
    mysql_arguments: dict[str, object],
) -> None:
    here = mysql_arguments["database"]
    with pymysql.connect(**mysql_arguments) as connection, connection.cursor() as cursor:
        cursor.execute("DROP USER IF EXISTS catalog_nobody")
        cursor.execute("CREATE USER catalog_nobody IDENTIFIED BY 'catalog'")
        cursor.execute(f"GRANT SELECT ON {here}.books TO catalog_nobody")
        cursor.execute(f"GRANT SELECT ON {here}.book TO catalog_nobody")
    as_nobody = mysql_arguments | {"user": "catalog_nobody", "password": "catalog"}
    with pymysql.connect(**as_nobody) as connection:
        catalog = load_catalog("mysql", querying(connection))
    widened = catalog.reads(names("books"))
    assert widened.unresolvable == "view books: this user may not see its definition"
    assert catalog.writes(names("books")) is None
    assert shown(catalog, catalog.reads(names("book")).tables) == {"book"}


# --- SQLite -----------------------------------------------------------------------------------

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
    rows = sqlite.execute("SELECT name, flags FROM pragma_function_list WHERE builtin").fetchall()
    volatile = {name for name, flags in rows if not flags & deterministic}
    assert volatile & DETERMINISTIC["sqlite"] <= SQLITE_DATES


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="no catalog for the dialect 'oracle'"):
        load_catalog("oracle", lambda _: [])
