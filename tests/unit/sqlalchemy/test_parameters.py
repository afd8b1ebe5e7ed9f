"""
Are parameters told apart by value and type, those of the drivers' own classes too?
"""

import json
import uuid
from datetime import date
from decimal import Decimal

import asyncpg
import pg8000.dbapi
import psycopg2.extensions
import psycopg2.extras
import pytest
from asyncpg.pgproto import pgproto
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Int4Range, Range

from ormcache.fingerprint import NoIdentityError
from ormcache.sqlalchemy.parameters import canonical_parameters

KEY = "12345678-1234-5678-1234-567812345678"
MAKERS = {
    "psycopg range": lambda: Range(1, 2),
    "psycopg range, other bounds": lambda: Range(1, 2, "[]"),
    "psycopg range, other ends": lambda: Range(Decimal(1), Decimal(2)),
    "psycopg empty range": lambda: Range(empty=True),
    "psycopg range of a type": lambda: Int4Range(1, 2),
    "psycopg multirange": lambda: Multirange([Range(1, 2)]),
    "psycopg jsonb": lambda: Jsonb({"a": 1}),
    "psycopg2 range": lambda: psycopg2.extras.NumericRange(1, 2),
    "psycopg2 bytes": lambda: psycopg2.extensions.Binary(b"a"),
    "asyncpg range": lambda: asyncpg.Range(1, 2),
    "asyncpg range, other bounds": lambda: asyncpg.Range(1, 2, upper_inc=True),
    "asyncpg empty range": lambda: asyncpg.Range(empty=True),
    "asyncpg bits": lambda: asyncpg.BitString("1"),
    "asyncpg point": lambda: asyncpg.Point(1, 2),
    "asyncpg multirange": lambda: [asyncpg.Range(1, 2), asyncpg.Range(4, None)],
    "pg8000 range": lambda: pg8000.dbapi.Range(1, 2),
    "pg8000 range, other bounds": lambda: pg8000.dbapi.Range(1, 2, "[]"),
    "pg8000 range of dates": lambda: pg8000.dbapi.Range(date(2024, 1, 1), None),
    "pg8000 interval": lambda: pg8000.dbapi.PGInterval(months=1),
    "uuid": lambda: uuid.UUID(KEY),
    "uuid as text": lambda: KEY,
    "json as text": lambda: json.dumps({"a": 1}),
    "list": lambda: [1, 2],
    "tuple": lambda: (1, 2),
}


@pytest.mark.parametrize("shape", [tuple, lambda each: {"p": each[0]}], ids=["tuple", "dict"])
def test_equal_values_agree_and_different_ones_do_not(shape):
    def texts():
        return {name: canonical_parameters(shape([make()])) for name, make in MAKERS.items()}

    assert texts() == texts()
    assert len(set(texts().values())) == len(MAKERS)


@pytest.mark.parametrize("shape", [tuple, lambda each: {"p": each[0]}], ids=["tuple", "dict"])
def test_a_key_that_asyncpg_returned_is_the_same_key(shape):
    returned, given = (shape([cls(KEY)]) for cls in (pgproto.UUID, uuid.UUID))
    assert canonical_parameters(returned) == canonical_parameters(given)


@pytest.mark.parametrize(
    "value", [object(), asyncpg.Range(object(), None), type("UUID", (uuid.UUID,), {})(KEY)]
)
def test_a_value_without_an_exact_representation_has_no_identity(value):
    with pytest.raises(NoIdentityError):
        canonical_parameters((value,))
