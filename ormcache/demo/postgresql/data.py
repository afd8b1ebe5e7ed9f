"""
How do the flights get into the database?

As they are: they come as CSV, and PostgreSQL's COPY takes CSV.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from psycopg import sql
from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.schema import CreateIndex, CreateSchema, DropSchema
from sqlalchemy.sql.ddl import CreateTable

from ormcache.demo.database import InUseError
from ormcache.demo.source import FILES, open_file

from .models import SCHEMA, TABLES, Base

__all__ = ["load", "schema"]

_BATCH = 2000
"""Lines sent at once; small enough that a progress bar moves evenly."""


@contextmanager
def schema(engine: Engine) -> Iterator[None]:
    """
    Within the block there is an empty schema for the demonstration; after it there is none.

    Raises:
        InUseError: There is one already. Nothing in it has been touched.
    """
    with engine.begin() as connection:
        if engine.dialect.has_schema(connection, SCHEMA):
            raise InUseError(
                f"this database has a schema {SCHEMA} already: another demo is running, or one "
                f"was killed. If nothing in it is yours: DROP SCHEMA {SCHEMA} CASCADE"
            )
        connection.execute(CreateSchema(SCHEMA))
    try:
        yield
    finally:
        with engine.begin() as connection:
            Base.metadata.drop_all(connection)
            connection.execute(DropSchema(SCHEMA))


def load(engine: Engine, flights: int, loaded: Callable[[int], object]) -> None:
    """
    Create the tables and fill them; see `Database.load`.
    """
    with engine.begin() as connection:
        for name in FILES:
            table: Table = TABLES[name].__table__  # type: ignore[assignment]  # each model has one
            connection.execute(CreateTable(table))
            limit = flights if name == "flights" else None
            with open_file(name) as file:
                _copy(connection, table, file, limit, loaded)
            # An index is built much faster at once than row by row.
            for index in table.indexes:
                connection.execute(CreateIndex(index))
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f"ANALYZE {table.fullname}"))


def _copy(
    connection: Connection,
    table: Table,
    file: BinaryIO,
    limit: int | None,
    loaded: Callable[[int], object],
) -> None:
    columns = next(file).decode().strip().split(",")
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL 'NA')").format(
        sql.Identifier(SCHEMA, table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    lines = itertools.islice(file, limit)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        while batch := list(itertools.islice(lines, _BATCH)):
            copy.write(b"".join(batch))
            loaded(len(batch))
