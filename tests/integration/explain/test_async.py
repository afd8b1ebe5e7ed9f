"""
Explaining in an asynchronous application.
"""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)

from ormcache import Cache, ConfigurationError, Outcome, Reason
from tests.integration.test_async_targets import shop
from tests.shop import Product

STATEMENT = select(Product.name).where(Product.id == 1)


def kinds(engine: AsyncEngine, maker: async_sessionmaker[AsyncSession]) -> list[object]:
    return [maker, maker(), engine, async_scoped_session(maker, asyncio.current_task), None]


def test_where_the_catalog_is_known_nothing_is_awaited(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            maker = async_sessionmaker(engine)
            cache.enable(maker)
            cache.enable(engine)
            async with maker() as session:
                await session.scalars(STATEMENT)
            for bind in kinds(engine, maker):
                if bind is not None:
                    explained = cache.explain(STATEMENT, bind=bind)
                    assert (explained.cached, explained.tables) == (True, ("products",)), bind
            assert not cache.explain(update(Product).values(name="x"), bind=maker).cached

    asyncio.run(scenario())


def test_it_agrees_with_the_read_and_sees_what_the_session_has_written(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            maker = async_sessionmaker(engine)
            cache.enable(maker)
            async with maker() as session:
                assert (await explained(cache, session)).cached
                await session.execute(update(Product).values(name="new"))
                assert (await explained(cache, session)).reason is Reason.OWN_WRITES
                with cache.record() as log:
                    await session.scalars(STATEMENT)
                assert [(e.outcome, e.reason) for e in log.reads] == [
                    (Outcome.BYPASS, Reason.OWN_WRITES)
                ]

    asyncio.run(scenario())


async def explained(cache: Cache, session: AsyncSession):
    return await session.run_sync(lambda s: cache.explain(STATEMENT, bind=s))


def test_where_the_database_must_be_asked_the_error_says_how(tmp_path: Path):
    async def scenario() -> None:
        async with shop(tmp_path) as (engine, cache):
            maker = async_sessionmaker(engine)
            cache.enable(maker)
            with pytest.raises(ConfigurationError, match="run_sync"):
                cache.explain(STATEMENT)
            async with maker() as session:
                assert (await explained(cache, session)).cached
            assert cache.explain(STATEMENT).cached

    asyncio.run(scenario())
