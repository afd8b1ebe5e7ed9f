"""
How do the flights become documents?

A row is a document, and its key the `_id`. A flight carries the wind and the sight of its hour with
it, for the question that wants them of thousands of flights at once.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.synchronous.database import Database

from ormcache.demo.database import InUseError
from ormcache.demo.source import FILES, open_file

__all__ = ["NAME", "Document", "emptied", "load"]

Document = dict[str, Any]

NAME = "ormcache_demo"

_BATCH = 5000
"""Documents sent at once; small enough that a progress bar moves evenly."""

_KEYS = {"airlines": "carrier", "airports": "faa", "planes": "tailnum"}
_TEXTS = "name faa dst tzone tailnum type manufacturer model engine origin carrier dest".split()
_FRACTIONS = "lat lon temp dewp humid wind_speed wind_gust precip pressure visib".split()
_INDEXES = (("origin", "month", "day"), ("tailnum",), ("month",))

_EXISTS = 48


@contextmanager
def emptied(client: MongoClient[Document]) -> Iterator[Database[Document]]:
    """
    Within the block there is an empty database for the demonstration; after it there is none.

    Raises:
        InUseError: There is one already. Nothing in it has been touched.
    """
    database = client[NAME]
    if NAME in client.list_database_names() or not _created(database):
        raise InUseError(
            f"this server has a database {NAME} already: another demo is running, or one was "
            f"killed. If nothing in it is yours, in mongosh: use {NAME}, then db.dropDatabase()"
        )
    try:
        yield database
    finally:
        client.drop_database(NAME)


def load(database: Database[Document], flights: int, loaded: Callable[[int], object]) -> None:
    """
    Fill the collections; see `ormcache.demo.database.Database.load`.
    """
    skies: dict[tuple[str, datetime], Document] = {}
    for name in FILES:
        rows = itertools.islice(_rows(name), flights if name == "flights" else None)
        documents = _documents(name, rows, skies)
        while batch := list(itertools.islice(documents, _BATCH)):
            database[name].insert_many(batch, ordered=False)
            loaded(len(batch))
    # An index is built much faster at once than document by document.
    for fields in _INDEXES:
        database.flights.create_index(list(fields))


def _created(database: Database[Document]) -> bool:
    """
    Return whether it was us who made the database: of two demos, only one can.
    """
    try:
        database.create_collection("airlines", check_exists=False)
    except OperationFailure as exc:
        if exc.code != _EXISTS:
            raise
        return False
    return True


def _documents(
    name: str, rows: Iterable[Document], skies: dict[tuple[str, datetime], Document]
) -> Iterator[Document]:
    """
    Give each row its key; weather is added to *skies*, from which a flight takes its own.
    """
    for number, row in enumerate(rows, 1):
        if name == "flights":
            yield {"_id": number, **row, "sky": skies.get((row["origin"], row["time_hour"]))}
        elif name == "weather":
            origin, hour = row.pop("origin"), row.pop("time_hour")
            skies[origin, hour] = {"wind_speed": row["wind_speed"], "visib": row["visib"]}
            yield {"_id": {"origin": origin, "time_hour": hour}, **row}
        else:
            yield {"_id": row.pop(_KEYS[name]), **row}


def _rows(name: str) -> Iterator[Document]:
    with open_file(name) as file:
        lines = csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
        columns = next(lines)
        converters = [_converter(column) for column in columns]
        for line in lines:
            yield {
                column: converter(text)
                for column, converter, text in zip(columns, converters, line, strict=True)
            }


def _converter(column: str) -> Callable[[str], Any]:
    make: Callable[[str], Any] = int
    if column in _TEXTS:
        make = str
    elif column in _FRACTIONS:
        make = float
    elif column == "time_hour":
        make = datetime.fromisoformat

    # Half a million values are few different ones.
    @functools.cache
    def convert(text: str) -> Any:
        return None if text == "NA" else make(text)

    return convert
