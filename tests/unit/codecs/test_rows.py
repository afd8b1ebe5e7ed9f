"""
Are rows exact, refused cleanly, and harmless when somebody altered them?
"""

import enum
import tracemalloc
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ormcache.codecs.rows import RowCodec
from ormcache.errors import Undecodable, Unstorable
from ormcache.model import Column, Rows
from ormcache.testing.codec_contract import identical

PARIS = ZoneInfo("Europe/Paris")
SHIP_TIME = timezone(timedelta(hours=5, minutes=30), "ship")


class Name(enum.StrEnum):
    NAME = "name"


def column_of(*values):
    return Rows((Column("c", 23),), [(value,) for value in values])


def there_and_back(rows):
    return RowCodec().decode(RowCodec().encode(rows))


def payload_of(letters, columns, names=None, codes=None):
    """
    Write bytes in the codec's format without the codec's care.
    """
    names = ["c"] * len(letters) if names is None else names
    codes = [None] * len(letters) if codes is None else codes
    layout = msgspec.msgpack.encode((names, codes, letters))
    return len(layout).to_bytes(4, "big") + layout + msgspec.msgpack.encode(columns)


def extension(code, parts):
    return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(parts))


def extensions_in_extensions(depth):
    heads = []
    size = 1
    for _ in range(depth):
        heads.append(b"\x91\xc9" + size.to_bytes(4, "big") + b"\x0c")
        size += 7
    return b"".join(reversed(heads)) + b"\xc0"


@pytest.mark.parametrize(
    "values",
    [
        [datetime(2024, 7, 1, tzinfo=PARIS), datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), None],
        [datetime(2024, 7, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=ZoneInfo("UTC"))],
        [datetime(2024, 7, 1, tzinfo=SHIP_TIME), datetime(2024, 7, 1, tzinfo=PARIS)],
        [
            datetime(2024, 7, 1, tzinfo=SHIP_TIME),
            datetime(2024, 7, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        ],
        [datetime(2024, 7, 1), datetime(2024, 7, 1, tzinfo=PARIS)],
        [datetime(2024, 10, 27, 2, 30, tzinfo=PARIS, fold=fold) for fold in (0, 1)],
        [datetime(2024, 10, 27, 2, 30, fold=1)],
        [datetime.min.replace(tzinfo=PARIS), None, datetime.max.replace(tzinfo=PARIS)],
        [time(1), time(1, tzinfo=SHIP_TIME)],
        [True, 1, 1.0, Decimal(1), "1", b"1"],
        [1, 2**63, 2**64, -(10**5000)],
    ],
)
def test_columns_that_fit_no_single_kind_come_back_exactly(values):
    rows = column_of(*values)

    assert identical(there_and_back(rows), rows)


def test_json_keeps_the_order_of_keys():
    value = {"b": 1, "a": {"d": None, "c": [1.0, True, "x"]}}

    assert list(there_and_back(column_of(value)).rows[0][0]) == ["b", "a"]
    assert identical(there_and_back(column_of(value)).rows, [(value,)])


def test_descriptions_keep_names_and_integer_type_codes():
    columns = (Column("a", 1043), Column("a", None), Column("", True), Column("d", "NUMBER"))
    rows = Rows(columns, [(1, 2, 3, 4)])

    stored = (Column("a", 1043), Column("a", None), Column("", None), Column("d", None))
    assert there_and_back(rows).columns == stored


@pytest.mark.parametrize(
    "rows",
    [
        Rows((Column("a", None),), [[1]]),
        Rows((Column("a", None),), [(1,), (1, 2)]),
        Rows((Column("a", None),), [()]),
        Rows((), [(1,)]),
        Rows((Column(Name.NAME, None),), [(1,)]),
        Rows((Column("\ud800", None),), [(1,)]),
        Rows((Column("a", 2**70),), [(1,)]),
        Rows((Column("a", None),) * 40_000, []),
    ],
    ids=[
        "a list as a row",
        "ragged",
        "too short",
        "no description",
        "an enum as a name",
        "a surrogate in a name",
        "a huge type code",
        "too many columns",
    ],
)
def test_results_that_are_not_rows_are_refused(rows):
    with pytest.raises(Unstorable):
        RowCodec().encode(rows)


def test_the_format_has_not_changed():
    """
    A different outcome here needs a different id: entries of the old format are still stored.
    """
    rows = Rows(
        (Column("id", 23), Column("at", 1184), Column("mixed", None)),
        [(1, datetime(2024, 7, 1, 12, tzinfo=PARIS), Decimal("1.50")), (None, None, "x")],
    )
    layout = "9393a26964a26174a56d697865649317cd04a0c0a3697a61"
    numbers = "9201c0"
    zone = "91c70d0bac4575726f70652f5061726973"
    moments = "93" + zone + "920000" + "92b3323032342d30372d30315431323a30303a3030c0"
    mixed = "92c70502a4312e3530a178"

    payload = RowCodec().encode(rows)

    assert payload.hex() == "00000018" + layout + "93" + numbers + moments + mixed
    assert RowCodec().id == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff" * 20,
        payload_of("?", [[1]]),
        payload_of("ii", [[1], [1, 2]]),
        payload_of("i", [[1]], names=["a", "b"]),
        payload_of("ii", [[1]]),
        payload_of("i", [[1]], names=["a", "b"], codes=[1, 2]),
        payload_of("i", [["text"]]),
        payload_of("i" * 40_000, [[]] * 40_000),
        payload_of("", [[1]]),
        payload_of("z", [[[], [], [datetime(2024, 1, 1)]]]),
        payload_of("z", [[[1], [], [datetime(2024, 1, 1)]]]),
        payload_of("z", [[[None], [9], [datetime(2024, 1, 1)]]]),
        payload_of("z", [[[None], [0, 0], [datetime(2024, 1, 1)]]]),
        payload_of("a", [[extension(99, 1)]]),
        payload_of("a", [[msgspec.msgpack.Ext(1, b"")]]),
        payload_of("a", [[extension(2, 10)]]),
        payload_of("a", [[extension(3, 10**12)]]),
        payload_of("a", [[extension(6, [2024, 13, 1, 0, 0, 0, 0, None, 0])]]),
        payload_of("a", [[extension(13, [[]])]]),
        payload_of("a", [[extension(64, [1, 2, "{}"])]]),
        payload_of("a", [[extension(65, [1])]]),
        payload_of("i", [[1]]) + b"\x00",
    ],
)
def test_nonsense_is_undecodable(payload):
    with pytest.raises(Undecodable):
        RowCodec().decode(payload)


@pytest.mark.parametrize(
    "value",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xdd\x00\x00\xff\xff" * 900,
        b"\x91" * 100_000,
        msgspec.msgpack.encode(extension(3, 10**8)),
        extensions_in_extensions(20_000),
    ],
    ids=[
        "array",
        "map",
        "bytes",
        "str",
        "extension",
        "arrays in arrays",
        "deep",
        "bytearray of a number",
        "extensions in extensions",
    ],
)
def test_a_claimed_size_allocates_nothing(value):
    payload = payload_of("a", [])[:-1] + b"\x91\x91" + value

    tracemalloc.start()
    try:
        with pytest.raises(Undecodable):
            RowCodec().decode(payload)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000


def test_repr_names_the_codec():
    assert repr(RowCodec()) == "RowCodec(id=1)"
