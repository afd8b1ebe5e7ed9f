"""
What does a database see when 200 requests want the same entry at once, and it is not there?

Run `python benchmarks/stampede.py`. The query takes PostgreSQL some 50 ms of work. Each round
begins with a commit that ends the entry; then all requests begin together, as threads of one
process or of four. Shown is the median of the rounds: statements that reached the database, and
seconds until the last request was answered. Compare the figures of one run with each other.
"""

from __future__ import annotations

import multiprocessing
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from sqlalchemy import create_engine, event, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column, sessionmaker

from ormcache import Cache, Policy
from ormcache.testing import servers

REQUESTS = 200
ROUNDS = 5
CONNECTIONS = 60
ROWS = 700

spawn = multiprocessing.get_context("spawn")


class Base(DeclarativeBase):
    """
    The models of this benchmark.
    """


class Product(Base):
    """
    What the requests read.
    """

    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]


class Way(NamedTuple):
    """
    One line of the table.
    """

    title: str
    policy: dict[str, Any]
    processes: int


WAYS = [
    Way("each loads", {"collapse": 0}, 1),
    Way("collapse", {"collapse": 60}, 1),
    Way("each loads", {"collapse": 0}, 4),
    Way("collapse", {"collapse": 60}, 4),
    Way("collapse, across processes", {"collapse": 60, "across_processes": True}, 4),
]


def slow_query() -> Any:
    """
    A join that nothing but work can answer.
    """
    other = aliased(Product)
    return select(func.count()).select_from(Product).join(other, Product.price < other.price)


def serve(pipe: Connection, database: str, store: str, policy: dict[str, Any], share: int) -> None:
    """
    Be one process: answer a round of requests whenever told to, and tell the statements sent.
    """
    size = CONNECTIONS * share // REQUESTS
    engine = create_engine(database, pool_size=size, max_overflow=0, pool_timeout=300)
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    session = sessionmaker(engine)
    cache = Cache.from_url(store, namespace="stampede", timeout=30.0)
    cache.policy("products", Policy(ttl=300, **policy))
    cache.enable(session)

    def request() -> None:
        together.wait()
        with session() as opened:
            opened.scalar(slow_query())

    with ThreadPoolExecutor(share) as pool:
        while pipe.recv():
            together = threading.Barrier(share)
            sent.clear()
            for answered in [pool.submit(request) for _ in range(share)]:
                answered.result()
            pipe.send(len(sent))
    cache.close()
    engine.dispose()


def measure(way: Way, database: str, store: str, invalidate: Any) -> tuple[float, float]:
    """
    Return the statements and the seconds that a round took.
    """
    share = REQUESTS // way.processes
    pipes = []
    for _ in range(way.processes):
        ours, theirs = spawn.Pipe()
        arguments = (theirs, database, store, way.policy, share)
        spawn.Process(target=serve, args=arguments, daemon=True).start()
        pipes.append(ours)
    rounds = []
    for _ in range(ROUNDS + 1):
        invalidate()
        begun = time.perf_counter()
        for pipe in pipes:
            pipe.send("a round")
        statements = sum(pipe.recv() for pipe in pipes)
        rounds.append((statements, time.perf_counter() - begun))
    for pipe in pipes:
        pipe.send("")
    # The first round imported, connected and learned what the database is.
    statements_of, seconds_of = zip(*rounds[1:], strict=True)
    return statistics.median(statements_of), statistics.median(seconds_of)


def main() -> None:
    """
    Measure every way and print the table.
    """
    with servers.postgres() as database, servers.redis() as store:
        url = f"postgresql+psycopg://{database.create_database('stampede').partition('://')[2]}"
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(insert(Product), [{"id": i, "price": i} for i in range(ROWS)])
        session = sessionmaker(engine)
        cache = Cache.from_url(store.url, namespace="stampede", timeout=30.0)
        cache.enable(session)

        def invalidate() -> None:
            with session() as opened:
                opened.execute(update(Product).where(Product.id == 0).values(price=0))
                opened.commit()

        print(f"{REQUESTS} requests\n\n| processes | | statements | seconds |\n|---|---|---|---|")
        for way in WAYS:
            statements, seconds = measure(way, url, store.url, invalidate)
            print(f"| {way.processes} | {way.title} | {statements:g} | {seconds:.2f} |", flush=True)
        cache.close()
        engine.dispose()


if __name__ == "__main__":
    main()
