"""
On what of SQLAlchemy's can a cache be enabled, and what does that come down to?
"""

import asyncio
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from ormcache import Cache, Outcome, Policy


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "targeted_things"
    __cache_policy__ = Policy()
    id: Mapped[int] = mapped_column(primary_key=True)


async def outcomes(make_session: async_sessionmaker, cache: Cache) -> list[Outcome]:
    """
    Of the same read in two sessions.
    """
    with cache.record() as log:
        for _ in range(2):
            async with make_session() as session:
                await session.scalars(select(Thing))
    return [read.outcome for read in log.reads]


def test_async_sessions_whose_ordinary_ones_come_from_a_maker(tmp_path: Path):
    ordinary = sessionmaker(class_=Session)

    async def run() -> tuple[list[Outcome], list[Outcome]]:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'things.db'}")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        make_session = async_sessionmaker(engine, sync_session_class=ordinary)
        cache = Cache.from_url("memory://")
        cache.enable(make_session)
        enabled = await outcomes(make_session, cache)
        cache.disable(make_session)
        disabled = await outcomes(make_session, cache)
        assert make_session.kw["sync_session_class"] is ordinary
        await engine.dispose()
        return enabled, disabled

    assert asyncio.run(run()) == ([Outcome.MISS, Outcome.HIT], [])
