"""
A cache can be enabled on whatever an asynchronous application holds, and disabled again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session

from ormcache import Cache, ConfigurationError, Outcome, Reason
from ormcache.stores.memory import MemoryStore
from tests.shop import Base, Product

NAMES = select(Product.name)


class Marked(Session):
    """
    An ordinary session class of the application's own.
    """


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[tuple[AsyncEngine, Cache]]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'shop.db'}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(insert(Product).values(id=1, name="old", price=1))
    cache = Cache.from_url("memory://")
    try:
        yield engine, cache
    finally:
        await cache.aclose()
        await engine.dispose()


Read = Callable[[], Awaitable[list[str]]]


def by_engine(engine: AsyncEngine, cache: Cache) -> Read:
    cache.enable(engine)

    async def read() -> list[str]:
        async with engine.connect() as connection:
            return list(await connection.scalars(NAMES))

    return read


def reading_with(make: Callable[[], AsyncSession]) -> Read:
    async def read() -> list[str]:
        async with make() as session:
            return list(await session.scalars(NAMES))

    return read


def by_maker(engine: AsyncEngine, cache: Cache) -> Read:
    maker = async_sessionmaker(engine)
    cache.enable(maker)
    return reading_with(maker)


def by_maker_of_a_class(engine: AsyncEngine, cache: Cache) -> Read:
    maker = async_sessionmaker(engine, sync_session_class=Marked)
    cache.enable(maker)
    assert isinstance(maker().sync_session, Marked)
    return reading_with(maker)


def by_scoped_session(engine: AsyncEngine, cache: Cache) -> Read:
    scoped = async_scoped_session(async_sessionmaker(engine), asyncio.current_task)
    cache.enable(scoped)

    async def read() -> list[str]:
        try:
            return list(await scoped.scalars(NAMES))
        finally:
            await scoped.remove()

    return read


def by_class(engine: AsyncEngine, cache: Cache) -> Read:
    class Ours(AsyncSession):
        sync_session_class = Marked

    cache.enable(Ours)
    return reading_with(lambda: Ours(engine))


def by_object(engine: AsyncEngine, cache: Cache) -> Read:
    session = AsyncSession(engine)
    cache.enable(session)

    async def read() -> list[str]:
        found = list(await session.scalars(NAMES))
        await session.close()
        return found

    return read


WAYS = (by_engine, by_maker, by_maker_of_a_class, by_scoped_session, by_class, by_object)


@pytest.mark.parametrize("way", WAYS)
def test_each_target_is_cached_and_invalidated(tmp_path: Path, way):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            read = way(engine, cache)
            await read()  # where an engine is met for the first time, its writes are seen from now
            await read()
            with cache.record() as log:
                assert await read() == ["old"]
            assert [event.outcome for event in log.reads] == [Outcome.HIT]
            async with engine.begin() as connection:
                await connection.execute(update(Product).values(name="new"))
            assert await read() == ["new"]

    asyncio.run(scenario())


@pytest.mark.parametrize("way", WAYS)
def test_closing_the_cache_restores_the_target(tmp_path: Path, way):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            read = way(engine, cache)
            await read()
            await cache.aclose()
            before = cache.counts
            await read()
            assert cache.counts == before
            assert type(AsyncSession(engine).sync_session) is Session
            assert "_connection_cls" not in vars(engine.sync_engine)
            assert "do_commit" not in vars(engine.dialect)

    asyncio.run(scenario())


def test_a_maker_gets_its_own_class_back(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            plain, special = async_sessionmaker(engine), async_sessionmaker(engine)
            special.configure(sync_session_class=Marked)
            before = dict(plain.kw), dict(special.kw)
            for maker in (plain, special):
                cache.enable(maker)
                cache.disable(maker)
            assert (plain.kw, special.kw) == before

    asyncio.run(scenario())


def test_a_stream_is_left_to_the_database_and_says_so(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            maker = async_sessionmaker(engine)
            cache.enable(maker)
            for _ in range(2):
                async with maker() as session:
                    with cache.record() as log:
                        names = [row.name async for row in await session.stream(NAMES)]
                    assert names == ["old"]
                    assert [event.outcome for event in log.reads] == [Outcome.BYPASS]

    asyncio.run(scenario())


def test_run_sync_and_awaitable_attributes_are_cached_too(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            maker = async_sessionmaker(engine)
            cache.enable(maker)
            for _ in range(2):
                async with maker() as session:
                    with cache.record() as log:
                        found = await session.run_sync(lambda s: s.get(Product, 1).name)
                        assert found == "old"
                        await session.scalar(text("SELECT name FROM products"))
            assert [event.outcome for event in log.reads] == [Outcome.HIT] * 2
            assert engine.pool.checkedout() == 0

    asyncio.run(scenario())


def test_tasks_of_one_loop_and_loops_of_one_process_share_a_cache(tmp_path: Path):
    # Each event loop needs connections of its own, to the database and to the store.
    cache = Cache.from_url("memory://")

    async def scenario() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")
        maker = async_sessionmaker(engine)
        cache.enable(maker)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        read = reading_with(maker)
        assert await asyncio.gather(*(read() for _ in range(10))) == [[]] * 10
        cache.disable(maker)
        await engine.dispose()

    for _ in range(2):
        asyncio.run(scenario())
    assert cache.counts[Outcome.HIT] >= 9


class OnlySync:
    """
    A store somebody wrote before there were event loops.
    """

    def __init__(self) -> None:
        self._store = MemoryStore()

    def __getattr__(self, name: str):
        if name == "asynchronous":
            raise AttributeError(name)
        return getattr(self._store, name)


def test_a_store_without_an_asynchronous_kind_is_told_at_once(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, _):
            cache = Cache(OnlySync())
            with pytest.raises(ConfigurationError, match="async_store="):
                cache.enable(async_sessionmaker(engine))
            with pytest.raises(ConfigurationError, match="async_store="):
                cache.enable(engine)
            given = Cache(OnlySync(), async_store=MemoryStore().asynchronous())
            given.enable(engine)
            given.close()

    asyncio.run(scenario())


def test_reads_outside_of_the_policy_say_why(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            maker = async_sessionmaker(engine)
            cache.enable(maker)
            async with maker() as session:
                with cache.record() as log, cache.bypass():
                    await session.scalars(NAMES)
            assert [event.reason for event in log.reads] == [Reason.ASKED]

    asyncio.run(scenario())
