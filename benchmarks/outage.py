"""
What does an outage of the store cost a read, and what is left of it afterwards?

    python benchmarks/outage.py

The same read by primary key, in a session of its own, on an engine without a cache and, by turns,
on one with it, while the store is up, stopped, and frozen; then, after the store has come back with
its old data, reads of two applications of which one committed during the outage. The figures are
medians; the last column is what a read spent on asking the store. The targets: at most one deadline
for the first read, at most 50 µs for those after the breaker has opened, no stale read.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from sqlalchemy import create_engine, make_url, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from ormcache import Cache, CommitEvent, Outcome, Policy, ReadEvent, ShadowDifference
from ormcache.testing import servers

DEADLINE = 0.05
ROUNDS = 400
OUTAGES = 10


class Base(DeclarativeBase):
    """
    What there is.
    """


class Product(Base):
    """
    What is read.
    """

    __tablename__ = "products"
    __cache_policy__ = Policy(ttl=3600)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]


class Asked:
    """
    An observer that adds up what reads spent on asking the store.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_read(self, event: ReadEvent) -> None:
        """
        A read ended.
        """
        self.seconds.append(event.store_seconds)

    def on_commit(self, event: CommitEvent) -> None:
        """
        Not looked at.
        """

    def on_difference(self, event: ShadowDifference) -> None:
        """
        Not looked at.
        """

    def median(self) -> float:
        """
        Return the median since this was last asked.
        """
        seconds, self.seconds = self.seconds, []
        return statistics.median(seconds)


class App:
    """
    One process's worth; without a *store* it has no cache.
    """

    def __init__(self, database: str, store: str | None) -> None:
        self.engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
        self.Session: Callable[[], Session] = sessionmaker(self.engine)
        self.cache: Cache | None = None
        self.asked = Asked()
        if store is not None:
            self.cache = Cache.from_url(
                store, namespace="bench", timeout=DEADLINE, observers=[self.asked]
            )
            self.cache.enable(self.Session)

    def read(self) -> str:
        """
        Read one row.
        """
        with self.Session() as session:
            return session.scalars(select(Product.name).where(Product.id == 1)).one()

    def write(self, name: str) -> None:
        """
        Change it and commit.
        """
        with self.Session() as session:
            session.execute(update(Product).values(name=name))
            session.commit()

    def close(self) -> None:
        """
        Let go of everything.
        """
        if self.cache is not None:
            self.cache.close()
        self.engine.dispose()


def main() -> None:
    """
    Print a table.
    """
    with servers.postgres() as database, servers.redis(persist=True) as store:
        plain = App(database.create_database("outage"), None)
        where = plain.engine.url.render_as_string(hide_password=False)
        reader, writer = App(where, store.url), App(where, store.url)
        Base.metadata.create_all(plain.engine)
        with plain.Session() as session:
            session.add(Product(id=1, name="0"))
            session.commit()
        for line in lines(store, plain, reader, writer):
            print(line)
        for app in (plain, reader, writer):
            app.close()


def lines(store: servers.Server, plain: App, reader: App, writer: App) -> Iterator[str]:
    """
    Return the lines of the table as they are measured.
    """
    yield f"{'store':28} {'no cache µs':>12} {'cache µs':>10} {'asking the store µs':>20}"
    until_hit(reader, "0")
    reader.asked.median()
    yield row("up (hits)", *by_turns(plain.read, reader.read), reader.asked.median())
    for kind, begin, end in (
        ("stopped", store.stop, store.start),
        ("frozen", store.pause, store.resume),
    ):
        reader.read()
        begin()
        reader.asked.median()
        first = timed(reader.read)
        without, _ = by_turns(plain.read, plain.read)
        yield row(f"{kind}: the first read", without, first, reader.asked.median())
        until_open(reader)
        reader.asked.median()
        took = by_turns(plain.read, reader.read, open_in=reader)
        yield row(f"{kind}: breaker open", *took, reader.asked.median())
        end()
        until_hit(reader, "0")
    reads = stale = 0
    for number in range(1, OUTAGES + 1):
        more, bad = after_an_outage(store, reader, writer, str(number))
        reads, stale = reads + more, stale + bad
    yield f"{OUTAGES} outages, back with old data: {reads} reads, {stale} stale"


def row(what: str, without: float, with_cache: float, asking: float) -> str:
    """
    Return one line.
    """
    return f"{what:28} {without * 1e6:12.0f} {with_cache * 1e6:10.0f} {asking * 1e6:20.0f}"


def by_turns(
    one: Callable[[], object], other: Callable[[], object], *, open_in: App | None = None
) -> tuple[float, float]:
    """
    Return the medians of both; *open_in*: of the reads while its breaker was open.
    """
    first, second = [], []
    while len(second) < ROUNDS:
        first.append(timed(one))
        took = timed(other)
        if open_in is None or state(open_in) == "open":
            second.append(took)
    return statistics.median(first), statistics.median(second)


def timed(call: Callable[[], object]) -> float:
    """
    Return the seconds that a call takes.
    """
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def state(app: App) -> str:
    """
    Return the state of the application's breaker; asks nothing of the store.
    """
    return repr(app.cache and app.cache.store).split()[1].rstrip(",")


def until_open(app: App) -> None:
    """
    Read until the breaker is open.
    """
    while state(app) != "open":
        app.read()


def until_hit(app: App, expected: str) -> tuple[int, int]:
    """
    Read until the cache answers; return how many reads that took, and how many were stale.
    """
    assert app.cache is not None
    reads = stale = 0
    hits = app.cache.counts[Outcome.HIT]
    while app.cache.counts[Outcome.HIT] == hits:
        reads += 1
        stale += app.read() != expected
    return reads, stale


def after_an_outage(store: servers.Server, reader: App, writer: App, name: str) -> tuple[int, int]:
    """
    Return how many reads there were after one that the writer committed in, and how many stale.
    """
    begin, end = (store.stop, store.start) if int(name) % 2 else (store.pause, store.resume)
    begin()
    reader.read()
    writer.write(name)
    end()
    counted = [until_hit(app, name) for app in (reader, writer)]
    return sum(reads for reads, _ in counted), sum(stale for _, stale in counted)


if __name__ == "__main__":
    main()
