"""
Does a codec give back exactly what it was given?

Subclass `CodecContract` in a test module of yours, return your codec from `make_codec`, and pytest
runs the whole suite against it:

    class TestZstdRows(CodecContract):
        def make_codec(self):
            return Zstd(RowCodec())
"""

from __future__ import annotations

import math
import random
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Network
from typing import Any
from zoneinfo import ZoneInfo

from ormcache.errors import Undecodable, Unstorable
from ormcache.model import Column, Rows
from ormcache.protocols import Codec

__all__ = ["CodecContract", "identical"]

_PARIS = ZoneInfo("Europe/Paris")

_ESSENTIAL: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -(2**31), 2**63 - 1, -(2**63)),
    *(0.0, -0.0, 0.1, 1e300, 5e-324),
    *("", "text", "naïve 🗺", "\0"),
    *(b"", b"\x00\xff"),
)
"""
A codec that refuses one of these is of little use.
"""

_FURTHER: tuple[Any, ...] = (
    *(math.nan, math.inf, -math.inf, 2**63, 2**64, -(2**63) - 1, 10**400),
    *(Decimal(text) for text in ("1.00", "-0", "1E+30", "0E-9", "NaN", "sNaN12", "-Infinity")),
    *(bytearray(b"\x00\xff"), memoryview(b"\x00\xff"), memoryview(b"ab").cast("c")),
    *(date.min, date(2024, 2, 29), date.max),
    datetime.combine(date.min, time.min),
    datetime.combine(date(2024, 2, 29), time(1, 2, 3, 4)),
    datetime.combine(date.max, time.max),
    datetime(2024, 7, 1, 12, tzinfo=UTC),
    datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    datetime(1900, 1, 1, 12, tzinfo=timezone(timedelta(minutes=9, seconds=21), "LMT")),
    datetime(2024, 7, 1, 12, tzinfo=_PARIS),
    datetime(2024, 10, 27, 2, 30, tzinfo=_PARIS),
    datetime(2024, 10, 27, 2, 30, tzinfo=_PARIS, fold=1),
    *(time.min, time.max, time(2, 30, fold=1), time(1, tzinfo=timezone(timedelta(hours=2)))),
    *(timedelta.min, timedelta(microseconds=-1), timedelta(hours=838), timedelta.max),
    uuid.UUID(int=2**127 + 1),
    *(IPv4Address("192.0.2.1"), IPv4Interface("192.0.2.1/24")),
    *(IPv6Address("fe80::1%eth0"), IPv6Network("2001:db8::/32")),
    *([], [[1, None], [2.0, "x"]], [Decimal("1.0"), b""], (), (1, "a")),
    *({}, {"b": [1, {"c": None}], "a": 1.0, "": True}, {1, 2}, frozenset({"x"})),
)
"""
Each of these comes back as it was, or is refused.
"""


class _Text(str):
    __slots__ = ()


class _Number(int):
    pass


class _Zone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> None:
        return None


_DECEPTIVE: tuple[Any, ...] = (
    *(_Text("x"), _Number(1), object(), [_Number(1)], {"a": _Text("x")}),
    *({1: "int key"}, {_Text("x"): 1}, {None: 1}, {(): 1}),
    *(datetime(2024, 1, 1, tzinfo=_Zone()), time(1, tzinfo=_Zone())),
    *("\ud800", ["\ud800"], {"\ud800": 1}),
)
"""
Close to a value that can be stored, and not it.
"""


def identical(left: Any, right: Any) -> bool:
    """
    Return whether two values of a driver are the same value of the same type, all the way down.

    Stricter than `==`: tells `1`, `True` and `1.0` apart, `0.0` from `-0.0`, `Decimal("1.0")` from
    `Decimal("1.00")`, the two passes through a repeated hour and time zones of equal offset; and
    more useful: not-a-number is the same as itself.
    """
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(identical, left, right))
    if isinstance(left, dict):
        return identical(list(left.items()), list(right.items()))
    if isinstance(left, (set, frozenset)):
        return _features(left) == _features(right)
    return bool(_feature(left) == _feature(right))


def _features(values: Any) -> dict[tuple[type, Any], int]:
    return {(type(value), _feature(value)): 1 for value in values}


def _feature(value: Any) -> Any:
    """
    Return something that is equal for values of one type only if they are the same.
    """
    if isinstance(value, (float, Decimal, timezone)):
        return repr(value)
    if isinstance(value, memoryview):
        return value.format, value.tobytes()
    if isinstance(value, ZoneInfo):
        return value.key
    if isinstance(value, (datetime, time)):
        zone = value.tzinfo
        return value.replace(tzinfo=None), value.fold, type(zone), _feature(zone)
    if type(value).__module__.partition(".")[0] not in sys.stdlib_module_names:
        return tuple((name, *_typed(part)) for name, part in sorted(_attributes(value).items()))
    return value


def _typed(value: Any) -> tuple[type, Any]:
    if isinstance(value, (list, tuple)):
        return type(value), tuple(_typed(item) for item in value)
    return type(value), _feature(value)


def _attributes(value: Any) -> dict[str, Any]:
    """
    Return all that an object of a driver's holds: some of these classes compare by less.
    """
    slots = [getattr(cls, "__slots__", ()) for cls in type(value).__mro__]
    names = {name for each in slots for name in ([each] if isinstance(each, str) else each)}
    names |= set(getattr(value, "__dict__", ()))
    return {name: getattr(value, name, None) for name in names if not name.startswith("__")}


class CodecContract:
    """
    The tests that every codec passes.
    """

    def make_codec(self) -> Codec:
        """
        Return the codec under test; you write this.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a make_codec method")

    def test_id_is_one_byte(self) -> None:
        assert type(self.make_codec().id) is int
        assert 0 <= self.make_codec().id <= 255

    def test_values_come_back_exactly_or_are_refused(self) -> None:
        for value in _ESSENTIAL:
            assert self._keeps(value), f"{value!r} is refused"
        for value in _FURTHER:
            self._keeps(value)

    def _keeps(self, value: Any) -> bool:
        """
        Return whether *value* can be stored, alone and among others, having seen it come back.
        """
        codec = self.make_codec()
        for column in ([value], [value, None], [value, "x", value], [1, value]):
            rows = Rows((Column("c", 23),), [(item,) for item in column])
            try:
                payload = codec.encode(rows)
            except Unstorable:
                return False
            assert identical(codec.decode(payload), rows), f"{column!r} came back different"
        return True

    def test_what_only_looks_storable_is_not_approximated(self) -> None:
        for value in _DECEPTIVE:
            for disguise in (value, [value], {"a": value}, (value,)):
                self._keeps(disguise)

    def test_shapes_are_kept(self) -> None:
        codec = self.make_codec()
        twice = (Column("same", 23), Column("same", None))
        wide = tuple(Column(f"c{place}", place) for place in range(1600))
        for rows in (
            Rows((), []),
            Rows((), [(), (), ()]),
            Rows(twice, []),
            Rows(twice, [(1, "a"), (True, None)]),
            Rows(wide, [tuple(range(1600)), ("x",) * 1600]),
            Rows((Column("", -1),), [("x" * 3_000_000,), (b"\x00" * 3_000_000,)]),
        ):
            assert identical(codec.decode(codec.encode(rows)), rows)

    def test_readers_share_nothing_that_can_change(self) -> None:
        codec = self.make_codec()
        payload = codec.encode(Rows((Column("c", None),), [([1, {"a": [2]}],)]))
        first = codec.decode(payload)
        first.rows[0][0][1]["a"].append("mine")
        first.rows.clear()
        assert codec.decode(payload).rows == [([1, {"a": [2]}],)]

    def test_damaged_bytes_are_undecodable_or_rows(self) -> None:
        codec = self.make_codec()
        columns = tuple(Column(f"c{place}", place) for place in range(4))
        values = [1, None, "x", 2.5, b"y", date(2024, 2, 29), datetime(2024, 7, 1, tzinfo=_PARIS)]
        storable = [value for value in values if self._keeps(value)]
        payload = codec.encode(Rows(columns, [(value, 7, "x", 0.5) for value in storable]))
        for damaged in _damaged(payload):
            try:
                decoded = codec.decode(damaged)
            except Undecodable:
                continue
            assert type(decoded) is Rows
            widths = {len(row) for row in decoded.rows}
            assert widths <= {len(decoded.columns)}, f"{damaged!r} decodes to ragged rows"


def _damaged(payload: bytes) -> Iterator[bytes]:
    """
    Give *payload* truncated at every place, with every bit flipped, lengthened, and noise.
    """
    for end in range(len(payload)):
        yield payload[:end]
    for place in range(len(payload) * 8):
        altered = bytearray(payload)
        altered[place // 8] ^= 1 << place % 8
        yield bytes(altered)
    yield payload + b"\x00"
    yield payload * 2
    noise = random.Random(payload)  # noqa: S311 (the same noise for the same bytes, not a secret)
    for length in range(200):
        yield noise.randbytes(length)
