"""
Are the drivers' own classes kept exactly, and no stranger's?
"""

import enum
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import psycopg2.extras as pg2
import pytest
from asyncpg.pgproto import pgproto
from pg8000 import types as pg8
from psycopg.types.multirange import Int4Multirange, Multirange
from psycopg.types.range import Int4Range, Range

from ormcache.codecs.rows import RowCodec
from ormcache.errors import Unstorable
from ormcache.model import Column, Rows
from ormcache.testing.codec_contract import identical

PARIS = ZoneInfo("Europe/Paris")


def column_of(*values):
    return Rows((Column("c", 23),), [(value,) for value in values])


def there_and_back(rows):
    return RowCodec().decode(RowCodec().encode(rows))


DRIVERS_VALUES = [
    Range(1, 10, "[)"),
    Range(None, Decimal("1.50"), "(]"),
    Range(datetime(2024, 1, 1, tzinfo=PARIS), None),
    Range(empty=True),
    Multirange([]),
    Multirange([Range(1, 2), Range(5, None)]),
    [Range(1, 2), None],
    pg2.NumericRange(1, 10, "[]"),
    pg2.NumericRange(None, None, "[]"),
    pg2.DateRange(empty=True),
    pg2.DateTimeRange(datetime(2024, 1, 1), datetime(2024, 1, 2), "(]"),
    pg2.DateTimeTZRange(datetime(2024, 1, 1, tzinfo=UTC), None),
    pgproto.UUID("12345678-1234-5678-1234-567812345678"),
    asyncpg.Range(1, 10),
    asyncpg.Range(None, Decimal("1.50"), lower_inc=False, upper_inc=True),
    asyncpg.Range(empty=True),
    [asyncpg.Range(1, 2), asyncpg.Range(5, None)],
    asyncpg.BitString("101"),
    asyncpg.BitString("10101010 01"),
    asyncpg.BitString(),
    asyncpg.Point(1, -0.0),
    asyncpg.Line(1.0, 2.0, 3.0),
    asyncpg.LineSegment((1, 2), (3, 4)),
    asyncpg.Box((3, 4), (1, 2)),
    asyncpg.Path((1, 2), (3, 4), is_closed=True),
    asyncpg.Path((1, 2)),
    asyncpg.Polygon((1, 2), (3, 4), (5, 6)),
    asyncpg.Circle((1.0, 2.0), 3.0),
    pg8.Range(1, 10),
    pg8.Range(None, Decimal("1.50"), "(]"),
    pg8.Range(is_empty=True),
    pg8.PGInterval(years=1, months=-2, days=3, seconds=0.5),
]


def without_address(value) -> str:
    return re.sub(r" object at 0x[0-9a-f]+", "", repr(value))


@pytest.mark.parametrize("value", DRIVERS_VALUES, ids=without_address)
def test_values_come_back_exactly(value):
    rows = column_of(value, None, value, 1)

    assert identical(there_and_back(rows), rows)
    if "object at" not in repr(value):
        assert repr(there_and_back(rows)) == repr(rows)


def impostor():
    """
    Return a stranger's value whose class claims to be a driver's.
    """
    return type("Range", (Range,), {"__module__": "psycopg.types.range"})(1, 2)


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Range(Level.LOW, None), "Level"),
        (Int4Range(1, 2), "Int4Range"),
        (Multirange([Int4Range(1, 2)]), "Int4Range"),
        (Int4Multirange(), "Int4Multirange"),
        (impostor(), "Range"),
        (type("Point", (asyncpg.Point,), {})(1, 2), "Point"),
        (asyncpg.Range(Level.LOW, None), "Level"),
        (pg8.Range(1, Level.LOW), "Level"),
    ],
    ids=[
        *("bound", "subclass", "inner subclass", "multirange subclass", "impostor"),
        *("point subclass", "bound of asyncpg's", "bound of pg8000's"),
    ],
)
def test_other_classes_are_refused(value, name):
    with pytest.raises(Unstorable) as refusal:
        RowCodec().encode(column_of(value))
    assert name in refusal.value.type_name


def test_drivers_are_imported_only_for_their_own_values():
    script = (
        "import sys\n"
        "from ormcache.codecs.rows import RowCodec\n"
        "from ormcache.model import Column, Rows\n"
        "codec = RowCodec()\n"
        "codec.decode(codec.encode(Rows((Column('c', 1),), [(1,), ('x',), (None,)])))\n"
        "drivers = {'asyncpg', 'pg8000', 'psycopg', 'psycopg2'}\n"
        "assert not drivers & set(sys.modules), 'a driver was imported'\n"
        "codec.decode(bytes.fromhex(sys.argv[1]))\n"
        "assert drivers & set(sys.modules) == {'psycopg'}, 'no driver, or the wrong one'\n"
    )
    payload = RowCodec().encode(column_of(Range(1, 2)))

    subprocess.run([sys.executable, "-c", script, payload.hex()], check=True)
