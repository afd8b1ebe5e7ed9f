"""
`cache.record()` lists what its own block did, on every database: each read and each commit.
"""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from ormcache import Outcome, Reason, Recording
from tests.fixtures.apps import App
from tests.shop import AuditLog, Category, Product

HIT, MISS, BYPASS, STALE = Outcome.HIT, Outcome.MISS, Outcome.BYPASS, Outcome.STALE


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.add_all(Product(id=i, name=f"tea {i}", price=Decimal(i)) for i in (1, 2, 3))
        session.commit()


def read(app: App) -> None:
    with app.Session() as session:
        assert len(session.scalars(select(Product.name)).all()) == 3


def write(app: App) -> None:
    with app.Session() as session:
        session.get(Product, 1).stock += 1
        session.commit()


def outcomes(log: Recording) -> list[Outcome]:
    return [read.outcome for read in log.reads]


def test_every_read_and_commit_of_the_block_is_listed(app: App):
    stock(app)
    with app.cache.record() as log:
        read(app)
        read(app)
        write(app)
        read(app)
        with app.Session() as session:
            session.scalars(select(AuditLog)).all()
    assert outcomes(log) == [MISS, HIT, MISS, STALE, BYPASS]
    assert (log.hits, log.misses, log.bypasses) == (1, 3, 1)
    (commit,) = log.commits
    assert [table.rpartition(".")[2] for table in commit.tables] == ["products"]
    assert commit.committed
    last = log.reads[-1]
    assert (last.reason, last.detail) == (Reason.NO_POLICY, "audit_log")
    assert last.database_seconds > 0
    assert "FROM audit_log" in last.statement
    assert log.events[:3] == log.reads[:3]
    assert log.events[3:] == [commit, *log.reads[3:]]


def test_no_value_is_recorded(app: App):
    stock(app)
    with app.cache.record() as log, app.Session() as session:
        session.scalars(select(Product).where(Product.name == "secret")).all()
        session.scalars(text("SELECT id FROM products WHERE name = 'secret'")).all()
    assert len(log.reads) == 2
    assert "secret" not in f"{log} {log.events}"


def test_nothing_outside_of_the_block_is_recorded(app: App):
    stock(app)
    read(app)
    with app.cache.record() as log:
        pass
    read(app)
    assert log.events == []


def test_nested_blocks_both_record(app: App):
    stock(app)
    with app.cache.record() as outer:
        read(app)
        with app.cache.record() as inner:
            read(app)
        read(app)
    assert outcomes(outer) == [MISS, HIT, HIT]
    assert outcomes(inner) == [HIT]


def test_a_block_that_raises_ends_too(app: App):
    stock(app)
    block = app.cache.record()

    def fail() -> None:
        with block:
            read(app)
            raise LookupError

    app.cache.unobserve(app.log)
    with pytest.raises(LookupError):
        fail()
    assert not app.cache.audience


def test_two_caches_record_apart(app: App, other: App):
    stock(app)
    with app.cache.record() as log, other.cache.record() as others:
        read(app)
        read(other)
        read(other)
    assert outcomes(log) == [MISS]
    assert outcomes(others) == [HIT, HIT]


def test_other_threads_are_not_recorded_unless_they_inherit_the_context(app: App):
    stock(app)
    with app.cache.record() as log, ThreadPoolExecutor(1) as pool:
        pool.submit(read, app).result()
        assert log.events == []
        pool.submit(contextvars.copy_context().run, read, app).result()
    assert outcomes(log) == [HIT]


def test_threads_that_record_at_once_see_their_own_reads(app: App):
    stock(app)
    read(app)
    barrier = threading.Barrier(4)

    def work(reads: int) -> int:
        with app.cache.record() as log:
            barrier.wait()
            for _ in range(reads):
                read(app)
            barrier.wait()
        return log.hits

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, (1, 2, 3, 4))) == [1, 2, 3, 4]


def test_only_tasks_started_inside_the_block_are_recorded(app: App):
    stock(app)
    read(app)

    async def both() -> tuple[Recording, Recording]:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def outside() -> None:
            begun.set()
            await go_on.wait()
            await asyncio.to_thread(read, app)

        async def late() -> None:
            await over.wait()
            await asyncio.to_thread(read, app)

        over = asyncio.Event()
        before = asyncio.create_task(outside())
        await begun.wait()
        with app.cache.record() as log:
            go_on.set()
            await before
            seen_of_others = list(log.events)
            await asyncio.create_task(asyncio.to_thread(read, app))
            lingering = asyncio.create_task(late())
        over.set()
        await lingering
        return seen_of_others, log

    others, log = asyncio.run(both())
    assert others == []
    assert outcomes(log) == [HIT]


def test_nobody_else_builds_events_for_a_recording(app: App):
    app.cache.unobserve(app.log)
    assert not app.cache.audience
    with app.cache.record():
        assert app.cache.audience
        assert not contextvars.Context().run(lambda: bool(app.cache.audience))
    assert not app.cache.audience


def test_the_block_may_end_in_a_copy_of_its_context(app: App):
    stock(app)
    block = app.cache.record()
    log = block.__enter__()
    read(app)
    contextvars.copy_context().run(block.__exit__, None, None, None)
    read(app)
    assert outcomes(log) == [MISS]


def test_shadow_mode_tells_the_block_what_differs(app: App):
    stock(app)
    app.cache.mode = "on"
    read(app)
    plain = app.database.plain_engine()
    with plain.begin() as connection:
        connection.execute(text("UPDATE products SET name = 'behind' WHERE id = 1"))
    plain.dispose()
    app.cache.mode = "shadow"
    with app.cache.record() as log:
        read(app)
    assert log.reads[0].reason is Reason.SHADOW
    assert log.differences[0].differing_rows == 1
    assert "differs" in str(log)
