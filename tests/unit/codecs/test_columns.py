"""
Which columns are decoded in one pass, and which value by value?
"""

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ormcache.codecs.columns import KINDS, pack

PARIS = ZoneInfo("Europe/Paris")
REPEATED = datetime(2024, 10, 27, 2, 30, tzinfo=PARIS, fold=1)


@pytest.mark.parametrize(
    ("letter", "value"),
    [
        ("b", True),
        ("i", -(2**63) + 1),
        ("f", float("nan")),
        ("s", ""),
        ("y", b""),
        ("Y", bytearray()),
        ("v", memoryview(b"")),
        ("V", memoryview(b"ab").cast("c")),
        ("d", Decimal("NaN")),
        ("u", uuid.UUID(int=0)),
        ("D", date.max),
        ("t", time.max),
        ("l", timedelta.min),
        ("T", datetime.max),
        ("z", datetime(2024, 1, 1, tzinfo=UTC)),
        ("z", datetime(2024, 1, 1, tzinfo=PARIS)),
    ],
)
def test_a_column_of_one_type_has_a_kind_of_its_own(letter, value):
    assert pack([value])[0] == letter
    assert pack([None, value, None])[0] == letter


@pytest.mark.parametrize(
    "column",
    [
        [True, 1],
        [1, 1.0],
        [1, 2**63],
        [time(1, fold=1)],
        [time(1, tzinfo=UTC)],
        [REPEATED],
        [datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)],
        [date(2024, 1, 1), datetime(2024, 1, 1)],
        [memoryview(b"a"), memoryview(b"a").cast("c")],
        [[1]],
        [{}],
    ],
)
def test_other_columns_are_of_any_kind(column):
    assert pack(column)[0] == "a"


def test_a_column_of_nothing_but_null_has_a_kind():
    assert pack([None, None])[0] == "n"
    assert pack([])[0] == "n"


def test_one_zone_is_written_once_for_the_whole_column():
    _, (zones, which, wall) = pack([datetime(2024, 1, day, tzinfo=PARIS) for day in range(1, 9)])

    assert len(zones) == 1
    assert which == []
    assert len(wall) == 8


def test_zones_that_differ_in_name_only_are_both_written():
    offset = timedelta(hours=1)
    one, other = timezone(offset), timezone(offset, "CET")

    _, (zones, which, _) = pack([datetime(2024, 1, 1, tzinfo=zone) for zone in (one, other, one)])

    assert len(zones) == 2
    assert which == [0, 1, 0]


def test_equal_zones_in_many_objects_are_written_once():
    offset = timedelta(hours=2)

    _, (zones, which, _) = pack([datetime(2024, 1, 1, tzinfo=timezone(offset)) for _ in range(9)])

    assert len(zones) == 1
    assert which == []


def test_every_kind_is_one_letter():
    assert {len(letter) for letter in KINDS} == {1}
