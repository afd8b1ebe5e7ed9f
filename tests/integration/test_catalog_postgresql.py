"""
The catalog of a real PostgreSQL, on a schema made for it.
"""

import psycopg
import pytest

from ormcache.sqlalchemy.catalog import Catalog, load_catalog
from ormcache.sqlalchemy.facts import TableName
from ormcache.sqlalchemy.functions import DETERMINISTIC
from ormcache.testing.servers import Server
from tests.fixtures.catalogs import counted, names, querying

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
    assert asked() <= 7
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
