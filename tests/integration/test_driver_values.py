"""
Is every value that a driver returns stored exactly, or refused? Column type by column type.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from ormcache.codecs.rows import RowCodec
from ormcache.errors import Unstorable
from ormcache.model import Rows
from ormcache.sqlalchemy.replay import buffer_rows
from ormcache.testing.codec_contract import identical
from tests.fixtures.drivers import DRIVERS, Driver

POSTGRESQL = {
    "smallint": "(-5)::smallint",
    "integer": "5::integer",
    "bigint": "9223372036854775807::bigint",
    "numeric": "1.50::numeric",
    "numeric, large": "123456789012345678901234567890123456789::numeric",
    "numeric, tiny": "1e-30::numeric",
    "numeric, exponent": "1e30::numeric",
    "numeric, NaN": "'NaN'::numeric",
    "numeric, infinite": "'-Infinity'::numeric",
    "real": "1.5::real",
    "double": "0.1::float8",
    "double, NaN": "'NaN'::float8",
    "double, infinite": "'-Infinity'::float8",
    "double, negative zero": "'-0'::float8",
    "boolean": "true",
    "text": "'naïve 🗺'::text",
    "varchar": "'a'::varchar(5)",
    "char": "'a'::char(5)",
    '"char"': "'a'::\"char\"",
    "name": "'a'::name",
    "enum": "'b'::letter",
    "domain": "5::positive",
    "bytea": r"'\x00ff'::bytea",
    "uuid": "'12345678-1234-5678-1234-567812345678'::uuid",
    "json": '\'{"a": [1, null, 1.5, "x"]}\'::json',
    "jsonb": '\'{"a": [1, null, 1.5, "x"]}\'::jsonb',
    "jsonb, number": "'1'::jsonb",
    "jsonb, null": "'null'::jsonb",
    "timestamp": "'2024-01-02 03:04:05.678901'::timestamp",
    "timestamp, infinite": "'infinity'::timestamp",
    "timestamptz": "'2024-01-02 03:04:05+02'::timestamptz",
    "date": "'2024-01-02'::date",
    "time": "'03:04:05.1'::time",
    "timetz": "'03:04:05+02'::timetz",
    "interval": "'1 day 2 hours 0.5 seconds'::interval",
    "interval, negative": "'-1 day -2 hours'::interval",
    "interval, months": "'1 year 2 months 3 days'::interval",
    "integer[]": "'{1,NULL,3}'::integer[]",
    "integer[], empty": "'{}'::integer[]",
    "text[][]": "'{{a,b},{c,d}}'::text[]",
    "numeric[]": "'{1.50}'::numeric[]",
    "bytea[]": r"ARRAY['\x00'::bytea]",
    "uuid[]": "'{12345678-1234-5678-1234-567812345678}'::uuid[]",
    "jsonb[]": "ARRAY['{}'::jsonb]",
    "timestamptz[]": "ARRAY['2024-01-02 03:04:05+00'::timestamptz]",
    "interval[]": "ARRAY['1 day'::interval]",
    "inet[]": "ARRAY['192.0.2.1'::inet]",
    "enum[]": "ARRAY['b'::letter]",
    "int4range[]": "ARRAY[int4range(1,2)]",
    "int4range": "int4range(1,5)",
    "int8range, one end": "int8range(1,NULL)",
    "int4range, no end": "int4range(NULL,NULL)",
    "int4range, empty": "'empty'::int4range",
    "numrange": "numrange(1.5,2.50,'[]')",
    "daterange": "daterange('2024-01-01','2024-02-01')",
    "tsrange": "tsrange('2024-01-01','2024-02-01','()')",
    "tstzrange": "tstzrange('2024-01-01 00:00+00',NULL)",
    "int4multirange": "'{[1,3),[5,7)}'::int4multirange",
    "int4multirange, empty": "'{}'::int4multirange",
    "datemultirange": "'{[2024-01-01,2024-02-01)}'::datemultirange",
    "inet": "'192.0.2.1'::inet",
    "inet, with its network": "'192.0.2.1/8'::inet",
    "inet, version 6": "'::1'::inet",
    "cidr": "'192.0.0.0/16'::cidr",
    "macaddr": "'08:00:2b:01:02:03'::macaddr",
    "bit": "B'101'::bit(3)",
    "bit varying": "B'1010101010'::varbit",
    "bit varying, empty": "B''::varbit",
    "money": "'1.5'::money",
    "oid": "5::oid",
    "tsvector": "'a b'::tsvector",
    "point": "point(1,2)",
    "line": "'{1,2,3}'::line",
    "lseg": "lseg(point(1,2),point(3,4))",
    "box": "box(point(1,2),point(3,4))",
    "path, closed": "'((1,2),(3,4))'::path",
    "path, open": "'[(1,2),(3,4)]'::path",
    "polygon": "'((1,2),(3,4),(5,6))'::polygon",
    "circle": "'<(1,2),3>'::circle",
    "record": "ROW(1,'x')",
    "composite": "ROW(1,'x')::pair",
    "composite[]": "ARRAY[ROW(1,'x')::pair]",
}
POSTGRESQL_TYPES = (
    "CREATE TYPE letter AS ENUM ('a', 'b')",
    "CREATE DOMAIN positive AS integer CHECK (value > 0)",
    "CREATE TYPE pair AS (a integer, b text)",
)

# The type of a column, and a value of it.
MARIADB = {
    "tinyint(1)": ("tinyint(1)", "1"),
    "bigint": ("bigint", "-9223372036854775808"),
    "bigint unsigned": ("bigint unsigned", "18446744073709551615"),
    "decimal": ("decimal(30,10)", "1.5"),
    "float": ("float", "1.5"),
    "double": ("double", "0.1"),
    "year": ("year", "2024"),
    "bit(1)": ("bit(1)", "b'1'"),
    "bit(20)": ("bit(20)", "b'101'"),
    "char": ("char(5)", "'a'"),
    "varchar": ("varchar(20)", "'naïve 🗺'"),
    "varchar, binary collation": ("varchar(5) COLLATE utf8mb4_bin", "'a'"),
    "text": ("text", "'a'"),
    "binary": ("binary(3)", "'ab'"),
    "varbinary": ("varbinary(3)", r"'a\0'"),
    "blob": ("blob", "x'00ff'"),
    "enum": ("enum('a','b')", "'b'"),
    "set": ("set('a','b','c')", "'a,c'"),
    "set, empty": ("set('a','b')", "''"),
    "json": ("json", "'{\"a\": [1, null]}'"),
    "datetime": ("datetime(6)", "'2024-01-02 03:04:05.678901'"),
    "datetime, zero": ("datetime", "'0000-00-00 00:00:00'"),
    "timestamp": ("timestamp NULL", "'2024-01-02 03:04:05'"),
    "date": ("date", "'2024-01-02'"),
    "date, incomplete": ("date", "'2024-00-00'"),
    "time": ("time(6)", "'03:04:05.5'"),
    "time, of days": ("time", "'120:00:00'"),
    "time, negative": ("time", "'-01:02:03'"),
    "point": ("point", "point(1,2)"),
}

SQLITE = {
    "integer": "9223372036854775807",
    "real": "0.1",
    "real, infinite": "9e999",
    "text": "'naïve 🗺'",
    "text, with NUL": "'a' || char(0) || 'b'",
    "blob": "x'00ff'",
}

REFUSED = {
    "asyncpg": {"composite", "composite[]"},
}
"""
By driver, the types of which a value is of a class that nobody can build.
"""

UNREADABLE = {
    "psycopg": {"timestamp, infinite"},
    "psycopg-async": {"timestamp, infinite"},
}
"""
By driver, the types of which this value is an error without any cache.
"""


@pytest.fixture(params=DRIVERS.values(), ids=str)
def driver(request: pytest.FixtureRequest) -> Driver:
    return request.param


@pytest.fixture
def url(driver: Driver, request: pytest.FixtureRequest) -> str:
    if driver.database == "sqlite":
        return driver.url("sqlite://")
    fixture = {"postgresql": "postgres_server", "mariadb": "mysql_server"}[driver.database]
    return driver.url(request.getfixturevalue(fixture).create_database("ormcache_values"))


def test_every_type_is_stored_exactly_or_refused(driver: Driver, url: str):
    results = on_connection(driver, url, {
        "postgresql": postgresql_results, "mariadb": mariadb_results, "sqlite": sqlite_results
    }[driver.database])  # fmt: skip
    kept = {name: verdict(result) for name, result in results.items()}
    refused, unreadable = REFUSED.get(driver.name, set()), UNREADABLE.get(driver.name, set())
    assert kept == {
        name: "refused" if name in refused else "unreadable" if name in unreadable else "stored"
        for name in kept
    }


def verdict(rows: Rows | None) -> str:
    if rows is None:
        return "unreadable"
    try:
        payload = RowCodec().encode(rows)
    except Unstorable:
        return "refused"
    return "stored" if identical(RowCodec().decode(payload), rows) else "changed"


def on_connection(driver: Driver, url: str, work: Callable[[Connection], Any]) -> Any:
    """
    What *work* returns when it is given a connection, as an async engine would give it.
    """
    if not driver.is_async:
        engine = create_engine(url, **driver.engine({}))
        with engine.connect() as connection:
            results = work(connection)
        engine.dispose()
        return results

    async def run() -> Any:
        engine = create_async_engine(url, **driver.engine({}))
        async with engine.connect() as connection:
            results = await connection.run_sync(work)
        await engine.dispose()
        return results

    return asyncio.run(run())


def result_of(connection: Connection, sql: str) -> Rows | None:
    """
    What the library buffers of a result: its rows before SQLAlchemy converts anything.
    """
    try:
        with connection.exec_driver_sql(sql) as result:
            return buffer_rows(result, result.cursor, max_rows=10)
    except (DBAPIError, connection.dialect.loaded_dbapi.Error):
        connection.rollback()
        return None


def postgresql_results(connection: Connection) -> dict[str, Rows | None]:
    for sql in POSTGRESQL_TYPES:
        connection.exec_driver_sql(sql)
    connection.commit()
    return {
        name: result_of(connection, f"SELECT {value} AS x UNION ALL SELECT NULL")
        for name, value in POSTGRESQL.items()
    }


def mariadb_results(connection: Connection) -> dict[str, Rows | None]:
    connection.exec_driver_sql("SET sql_mode = ''")
    columns = [f"c{place} {kind}" for place, (kind, _) in enumerate(MARIADB.values())]
    connection.exec_driver_sql(f"CREATE TABLE kept ({', '.join(columns)})")
    values = [value for _, value in MARIADB.values()]
    connection.exec_driver_sql(f"INSERT INTO kept VALUES ({', '.join(values)})")
    connection.exec_driver_sql(f"INSERT INTO kept VALUES ({', '.join(['NULL'] * len(values))})")
    return {
        name: result_of(connection, f"SELECT c{place} FROM kept")
        for place, name in enumerate(MARIADB)
    }


def sqlite_results(connection: Connection) -> dict[str, Rows | None]:
    return {
        name: result_of(connection, f"SELECT {value} UNION ALL SELECT NULL")
        for name, value in SQLITE.items()
    }
