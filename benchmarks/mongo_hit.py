"""
How long does a hit of a MongoDB client take, against the least that it could?

    python benchmarks/mongo_hit.py

The least is one round trip to the store that brings the same bytes, and `bson.decode_all` of the
same documents, by the plain client library. Both are measured in one run, by turns, on servers of
our own; the figures are medians. The target is a ratio of at most 1.3.
"""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable

import bson
import redis

from ormcache import Cache
from ormcache.pymongo import Collection, MongoClient
from ormcache.testing import servers

ROUNDS = 2000
SIZES = (1, 10, 100, 1000)
TARGET = 1.3


def main() -> None:
    """
    Print one line per size of result.
    """
    with servers.mongodb() as mongodb, servers.redis() as store:
        cache = Cache.from_url(store.url, namespace="bench", timeout=1.0)
        cache.policy("bench.*", ttl=3600, max_rows=10_000, max_bytes=2**24)
        with MongoClient(mongodb.url, cache=cache) as client:
            flights = client.bench.flights
            flights.drop()
            flights.insert_many([flight(number) for number in range(max(SIZES))])
            print("documents  entry bytes  hit µs  least µs  ratio  p95 hit µs  database µs")
            for size in SIZES:
                with redis.Redis.from_url(store.url) as bare:
                    print(line(flights, bare, size))
        cache.close()


def flight(number: int) -> dict[str, object]:
    """
    Return a document of nine fields, as a flight has.
    """
    return {
        "_id": number,
        "carrier": "UA",
        "origin": "EWR",
        "destination": f"D{number % 90:02}",
        "departure": dt.datetime(2013, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=number),
        "delay": number * 0.5,
        "distance": 1000 + number,
        "tail": f"N{number:05}",
        "cancelled": number % 7 == 0,
    }


def line(flights: Collection[dict[str, object]], bare: redis.Redis, size: int) -> str:
    """
    Return the figures for results of *size* documents.
    """

    def hit() -> object:
        return flights.find({"_id": {"$lt": size}}).to_list()

    uncached = flights.uncached()
    expected = hit()
    payload = b"".join(map(bson.encode, uncached.find({"_id": {"$lt": size}})))
    (entry,) = [key for key in bare.scan_iter("ormcache:bench:e:*") if fits(bare, key, payload)]

    def least() -> object:
        found: bytes = bare.get(entry)  # type: ignore[assignment]  # the client is synchronous
        return bson.decode_all(found[-len(payload) :])

    assert hit() == least() == expected
    ours, theirs = by_turns(hit, least)
    asked = timed(lambda: uncached.find({"_id": {"$lt": size}}).to_list(), 200)
    ratio = statistics.median(ours) / statistics.median(theirs)
    figures = [statistics.median(ours), statistics.median(theirs)]
    p95 = statistics.quantiles(ours, n=20)[-1]
    return (
        f"{size:9}  {bare.strlen(entry):11}  {figures[0]:6.0f}  {figures[1]:8.0f}  {ratio:5.2f}  "
        f"{p95:10.0f}  {statistics.median(asked):11.0f}" + ("" if ratio <= TARGET else "  above")
    )


def fits(bare: redis.Redis, key: bytes, payload: bytes) -> bool:
    """
    Return whether the entry under *key* holds *payload*.
    """
    return bool(bare.get(key).endswith(payload))  # type: ignore[union-attr]


def by_turns(
    first: Callable[[], object], second: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """
    Return microseconds of both, measured alternately so that both meet the same machine.
    """
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours += timed(first, 1)
        theirs += timed(second, 1)
    return ours, theirs


def timed(work: Callable[[], object], times: int) -> list[float]:
    """
    Return the microseconds that each of several runs took.
    """
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begin) * 1e6)
    return taken


if __name__ == "__main__":
    main()
