"""
The catalog of a real MariaDB or MySQL, on a schema made for it.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pymysql
import pytest

from ormcache.sqlalchemy.catalog import Catalog, load_catalog
from ormcache.sqlalchemy.facts import TableName
from ormcache.testing.servers import Server
from tests.fixtures.catalogs import counted, names, querying

MYSQL = [
    "CREATE TABLE author (id int PRIMARY KEY)",
    (
        "CREATE TABLE book (id int PRIMARY KEY, author int,"
        " FOREIGN KEY (author) REFERENCES author (id) ON DELETE CASCADE)"
    ),
    (
        "CREATE TABLE page (id int PRIMARY KEY, book int,"
        " FOREIGN KEY (book) REFERENCES book (id) ON UPDATE SET NULL)"
    ),
    "CREATE TABLE loan (id int PRIMARY KEY, book int, FOREIGN KEY (book) REFERENCES book (id))",
    (
        "CREATE TABLE catalog_b.review (id int PRIMARY KEY, book int,"
        " FOREIGN KEY (book) REFERENCES catalog_a.book (id) ON DELETE CASCADE)"
    ),
    "CREATE TABLE quick (id int) ENGINE = MyISAM",
    "CREATE TABLE passing (id int) ENGINE = MEMORY",
    "CREATE TABLE merged (id int) ENGINE = MERGE UNION = (quick)",
    "CREATE VIEW books AS SELECT b.id FROM book b JOIN author a ON a.id = b.author",
    "CREATE VIEW more AS SELECT * FROM books WHERE id IN (SELECT book FROM catalog_b.review)",
    "CREATE VIEW fresh AS SELECT id, uuid() AS moment FROM book",
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
        assert asked() <= 7
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
        ("fresh", "fresh book", "view fresh: volatile function uuid()"),
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
