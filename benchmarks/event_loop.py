"""
How long does the cache hold up an event loop whose store is slow?

Run `python benchmarks/event_loop.py`. Between the application and Valkey stands a proxy that keeps
every answer back for 200 ms. A hundred tasks read through the cache, five times each, and a ticker
of the same loop notes the longest time between two of its turns: beside it the same with no reads
at all, and the same reads without a cache. Compare the figures of one run with each other.

A full garbage collection of a process with an ORM in it stops any loop for tens of milliseconds, a
cache or none. So a first round is not counted, and what exists after it is frozen (`gc.freeze`), as
a server with such limits does; how long one full collection took before is printed, too.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ormcache import Cache, Policy
from ormcache.testing import servers

DELAY = 0.2
TASKS = 100
READS = 5
ROUNDS = 5

spawn = multiprocessing.get_context("spawn")


class Base(DeclarativeBase):
    """
    The models of this benchmark.
    """


class Product(Base):
    """
    What the tasks read.
    """

    __tablename__ = "products"
    __cache_policy__ = Policy(ttl=300)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


async def slow_proxy(url: str, port: Connection) -> None:
    """
    Carry bytes between clients and a server, keep answers back, and tell the port to connect to.
    """
    target = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(_carry(reader, requests, 0), _carry(answers, writer, DELAY))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run_slow_proxy(url: str, port: Connection) -> None:
    """
    Be the proxy's process: on a thread of the application's it would hold up its event loop.
    """
    asyncio.run(slow_proxy(url, port))


async def _carry(
    source: asyncio.StreamReader, destination: asyncio.StreamWriter, delay: float
) -> None:
    while data := await source.read(65536):
        await asyncio.sleep(delay)
        destination.write(data)
    destination.close()


async def longest_stall(work: Callable[[], Awaitable[object]], tasks: int) -> float:
    """
    Return the longest time, in seconds, for which *tasks* times *work* kept a ticker waiting.
    """
    running = True
    stalls = [0.0]

    async def tick() -> None:
        last = time.perf_counter()
        while running:
            await asyncio.sleep(0)
            now = time.perf_counter()
            stalls.append(now - last)
            last = now

    ticker = asyncio.create_task(tick())
    working = [asyncio.create_task(asyncio.sleep(DELAY))]
    for _ in range(tasks):
        # As requests come: each is read from a socket of its own.
        await asyncio.sleep(0)
        working.append(asyncio.create_task(work()))
    await asyncio.gather(*working)
    running = False
    await ticker
    return max(stalls)


async def measure(store_url: str, folder: Path) -> None:
    """
    Print the longest stalls of each setting.
    """
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'shop.db'}")
    plain, cached = async_sessionmaker(engine), async_sessionmaker(engine)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    cache = Cache.from_url(store_url, namespace="event-loop", timeout=5.0)
    async with plain() as session:
        session.add_all(Product(id=number, name=f"product {number}") for number in range(TASKS))
        await session.commit()
    settings = {
        "no reads": lambda: longest_stall(asyncio.Event().wait, 0),
        "reads, no cache": lambda: longest_stall(lambda: _read(plain), TASKS),
        "reads, cached": lambda: longest_stall(lambda: _read(cached), TASKS),
    }
    found: dict[str, list[float]] = {name: [] for name in settings}
    for counted in range(ROUNDS + 1):
        if counted == 1:
            print(f"a full garbage collection takes {_collected() * 1000:.1f} ms")
        for name, run in settings.items():
            if name == "reads, cached":
                cache.enable(cached)
                await _read(cached)  # from here on it is a hit
            stall = await run()
            if counted:
                found[name].append(stall)
            if name == "reads, cached":
                cache.disable(cached)
    for name, stalls in found.items():
        milliseconds = [stall * 1000 for stall in stalls]
        print(
            f"{name:<16} longest stall {statistics.median(milliseconds):6.1f} ms (median of "
            f"{ROUNDS}), {max(milliseconds):6.1f} ms at worst"
        )
    print({outcome.value: count for outcome, count in cache.counts.items()})
    await cache.aclose()
    await engine.dispose()


def _collected() -> float:
    begin = time.perf_counter()
    gc.collect()
    seconds = time.perf_counter() - begin
    gc.freeze()
    return seconds


async def _read(make: async_sessionmaker[AsyncSession]) -> None:
    for number in range(READS):
        async with make() as session:
            await session.scalars(select(Product).where(Product.id == number))


def main() -> int:
    """
    Start what is needed and measure.
    """
    with servers.redis() as store, tempfile.TemporaryDirectory() as folder:
        here, there = spawn.Pipe()
        proxy = spawn.Process(target=run_slow_proxy, args=(store.url, there), daemon=True)
        proxy.start()
        print(f"{TASKS} tasks, the store's answers are kept back for {DELAY * 1000:.0f} ms")
        asyncio.run(measure(f"redis://127.0.0.1:{here.recv()}/0", Path(folder)))
        proxy.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
