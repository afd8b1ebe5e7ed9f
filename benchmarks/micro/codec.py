"""
What do rows cost to write and to read, next to what one would write otherwise?

Run `python benchmarks/micro/codec.py`. Every contender is measured in the same rounds, one after
the other, so that a busy machine slows all of them; compare the ratios, not the microseconds.
"""

from __future__ import annotations

import pickle
import random
import statistics
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import orjson

from ormcache.codecs.rows import RowCodec
from ormcache.model import Column, Rows

ZONE = ZoneInfo("Europe/Paris")
WALL_CLOCK = (int, str, float, bool, Decimal, datetime, date, uuid.UUID, str | None)


class Contender(NamedTuple):
    """
    One way to turn rows into bytes and back.
    """

    name: str
    write: Callable[[Rows], bytes]
    read: Callable[[bytes], Any]


def mixed_rows(count: int) -> Rows:
    """
    Return rows of nine columns as psycopg returns them.
    """
    chance = random.Random(count)  # noqa: S311 (the same rows in each run)

    def row(number: int) -> tuple[Any, ...]:
        seconds = timedelta(seconds=chance.randrange(10**8), microseconds=chance.randrange(10**6))
        return (
            number,
            f"name é {chance.randrange(10**9)}",
            chance.random() * 1e6,
            chance.random() < 0.5,
            Decimal(chance.randrange(10**8)).scaleb(-2),
            datetime(2020, 1, 1, tzinfo=ZONE) + seconds,
            date(2000, 1, 1) + timedelta(days=chance.randrange(9000)),
            uuid.UUID(int=chance.getrandbits(128)),
            None if number % 3 == 0 else "x" * 20,
        )

    columns = tuple(Column(f"column_{place}", 1000 + place) for place in range(9))
    return Rows(columns, [row(number) for number in range(count)])


def orjson_write(rows: Rows) -> bytes:
    """
    Return rows as orjson writes them, with a text for what it does not know.
    """
    return orjson.dumps(([tuple(column) for column in rows.columns], rows.rows), default=str)


def orjson_read(payload: bytes) -> Rows:
    """
    Return rows converted by hand, value by value.
    """
    columns, rows = orjson.loads(payload)
    converted = [
        (
            *(number, text, real, flag),
            Decimal(amount),
            # `replace` takes the wall time over as it is; the offset in the text is of the zone.
            datetime.fromisoformat(moment).replace(tzinfo=ZONE),
            date.fromisoformat(day),
            uuid.UUID(key),
            note,
        )
        for number, text, real, flag, amount, moment, day, key, note in rows
    ]
    return Rows(tuple(Column(*column) for column in columns), converted)


def typed(module: Any, name: str) -> Contender:
    """
    Return msgspec with the types known beforehand, row by row: a wire format at its best.

    It leaves out what a codec needs besides: finding the types, and checking that values fit.
    """
    encoder = module.Encoder()
    decoder = module.Decoder(tuple[list[tuple[str, int]], list[tuple[WALL_CLOCK]]])  # type: ignore[valid-type]

    def write(rows: Rows) -> bytes:
        plain = [(*r[:5], datetime.combine(r[5], r[5].time()), *r[6:]) for r in rows.rows]
        return bytes(encoder.encode((rows.columns, plain)))

    def read(payload: bytes) -> Rows:
        columns, plain = decoder.decode(payload)
        rows = [(*r[:5], datetime.combine(r[5], r[5].time(), ZONE), *r[6:]) for r in plain]
        return Rows(tuple(Column(*column) for column in columns), rows)

    return Contender(name, write, read)


CODEC = RowCodec()
CONTENDERS = (
    Contender("ormcache RowCodec", CODEC.encode, CODEC.decode),
    Contender("pickle", lambda rows: pickle.dumps(rows, 5), pickle.loads),
    Contender("orjson, converted by hand", orjson_write, orjson_read),
    typed(msgspec.json, "msgspec JSON, types given"),
    typed(msgspec.msgpack, "msgspec MessagePack, types given"),
)


def seconds_of(action: Callable[[Any], Any], argument: Any, repeat: int) -> float:
    """
    Return the seconds that one call of *action* took, on average over *repeat* calls.
    """
    start = time.perf_counter()
    for _ in range(repeat):
        action(argument)
    return (time.perf_counter() - start) / repeat


def measure(rows: Rows, rounds: int, repeat: int) -> dict[str, tuple[float, float, int]]:
    """
    Return median seconds to write, median seconds to read and bytes, for each contender.
    """
    payloads = {contender.name: contender.write(rows) for contender in CONTENDERS}
    for contender in CONTENDERS:
        if contender.read(payloads[contender.name]) != rows:
            raise AssertionError(f"{contender.name} does not give the rows back")
    writes: dict[str, list[float]] = {name: [] for name in payloads}
    reads: dict[str, list[float]] = {name: [] for name in payloads}
    for _ in range(rounds):
        for name, write, read in CONTENDERS:
            writes[name].append(seconds_of(write, rows, repeat))
            reads[name].append(seconds_of(read, payloads[name], repeat))
    return {
        name: (statistics.median(writes[name]), statistics.median(reads[name]), len(payload))
        for name, payload in payloads.items()
    }


def report(title: str, results: dict[str, tuple[float, float, int]]) -> None:
    """
    Print one table; ratios are to the first contender, above 1 means slower than it.
    """
    own_write, own_read, _ = results[CONTENDERS[0].name]
    print(f"\n{title}\n{'':34}{'write µs':>10}{'ratio':>7}{'read µs':>10}{'ratio':>7}{'bytes':>9}")
    for name, (write, read, size) in results.items():
        ratios = (
            f"{write * 1e6:10.1f}{write / own_write:7.2f}{read * 1e6:10.1f}{read / own_read:7.2f}"
        )
        print(f"{name:34}{ratios}{size:9}")


if __name__ == "__main__":
    report("1,000 mixed rows of 9 columns", measure(mixed_rows(1000), rounds=60, repeat=1))
    report("1 row of 9 columns", measure(mixed_rows(1), rounds=60, repeat=100))
