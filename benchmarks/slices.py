"""
What does it bring to tell changes of different rows apart, where many rows are written?

Run `python benchmarks/slices.py`. On PostgreSQL and Valkey, reads and writes of one row each, four
to one, among 10,000 rows that are wanted by Zipf's law; the same mix again with reads whose
statement declares its table, which therefore depend on the whole of it. Every read is compared with
what was committed last. Compare the figures of one run with each other.

Where the rows that are read most are written most, too, one read in five follows a write of its
own row: 80 % is then the most that a cache can reach that does not write rows into itself.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Select, create_engine, delete, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from ormcache import Cache, Outcome, Policy
from ormcache.testing import servers

KEYS = 10_000
OPERATIONS = 10_000
WRITES = 0.2
SEED = 6

Operation = tuple[int, bool]


class Base(DeclarativeBase):
    """
    The models of this benchmark.
    """


class Item(Base):
    """
    What is read and written.
    """

    __tablename__ = "items"
    __cache_policy__ = Policy(ttl=3600)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]


def mix(*, spread: bool) -> list[Operation]:
    """
    Return which rows are read or, where it says so, written; *spread*: every row as often.
    """
    chance = random.Random(SEED)  # noqa: S311 - the same in every run
    weights = list(itertools.accumulate(1 / rank for rank in range(1, KEYS + 1)))
    wanted = chance.choices(range(KEYS), cum_weights=weights, k=OPERATIONS)
    anywhere = chance.choices(range(KEYS), k=OPERATIONS)
    writes = [chance.random() < WRITES for _ in wanted]
    return [
        (other if write and spread else key, write)
        for key, other, write in zip(wanted, anywhere, writes, strict=True)
    ]


def by_slice(key: int) -> Select[tuple[int]]:
    """
    Return a read of one row, as usual.
    """
    return select(Item.version).where(Item.id == key)


def by_table(key: int) -> Select[tuple[int]]:
    """
    Return the same read, dependent on the whole table.
    """
    return by_slice(key).execution_options(ormcache_tables=["items"])


def run(
    maker: sessionmaker[Session],
    cache: Cache,
    operations: Sequence[Operation],
    read: Callable[[int], Select[tuple[int]]],
) -> str:
    """
    Return the hit rate, the stale reads and the time of a mix, after every row was read once.
    """
    versions = [0] * KEYS
    with maker() as session:
        session.execute(delete(Item))
        session.execute(insert(Item), [{"id": key, "version": 0} for key in range(KEYS)])
        session.commit()
    for key in range(KEYS):
        with maker() as session:
            session.scalar(read(key))
    before, stale, reads, begin = cache.counts[Outcome.HIT], 0, 0, time.perf_counter()
    for key, write in operations:
        with maker() as session:
            if write:
                versions[key] += 1
                change = update(Item).where(Item.id == key).values(version=versions[key])
                session.execute(change)
                session.commit()
            else:
                reads += 1
                stale += session.scalar(read(key)) != versions[key]
    hits = cache.counts[Outcome.HIT] - before
    seconds = time.perf_counter() - begin
    return f"{hits / reads:7.1%} hits  {stale} stale  {seconds:6.1f} s"


def main() -> None:
    """
    Run every mix with slices and without.
    """
    with servers.postgres() as database, servers.redis() as store:
        url = database.create_database("slices").replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        maker = sessionmaker(engine)
        cache = Cache.from_url(store.url, namespace="slices", timeout=1.0)
        cache.enable(maker)
        print(f"{OPERATIONS:,} operations, {WRITES:.0%} writes, {KEYS:,} rows by Zipf's law")
        for name, spread in (("writes where the reads are", False), ("writes everywhere", True)):
            operations = mix(spread=spread)
            for unit, read in (("slices", by_slice), ("tables", by_table)):
                print(f"{name:28}{unit:8}{run(maker, cache, operations, read)}")


if __name__ == "__main__":
    main()
