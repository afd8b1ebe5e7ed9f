"""
An application on gevent, driven by lines on its standard input; see `test_gevent`.
"""

# ruff: noqa: E402, T201 - gevent replaces what the others import; a line printed is an answer
from gevent import monkey

monkey.patch_all()

import sys

import gevent
from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import sessionmaker

from ormcache import Cache, Outcome
from tests.shop import Product

TASKS, TICKS, COMMITS = 20, 50, 60


def main() -> None:
    database, store, namespace = sys.argv[1:]
    engine = create_engine(database, pool_size=TASKS + 1)
    sessions = sessionmaker(engine)
    cache = Cache.from_url(store, namespace=namespace, timeout=5.0)
    cache.enable(sessions)

    def stock() -> int:
        with sessions() as session:
            return session.scalar(select(Product.stock).where(Product.id == 1))

    stock()
    assert stock() == 0
    print("freeze the store", flush=True)
    input()
    before = cache.counts
    readers = [gevent.spawn(stock) for _ in range(TASKS)]
    for _ in range(TICKS):
        gevent.sleep(0.001)
    print("thaw the store", flush=True)
    assert [reader.get() for reader in readers] == [0] * TASKS
    assert cache.counts - before == {Outcome.HIT: TASKS}
    print("read on", flush=True)

    committed = 0
    old = []

    def read() -> None:
        while committed < COMMITS:
            before = committed
            if (seen := stock()) < before:
                old.append((before, seen))

    readers = [gevent.spawn(read) for _ in range(TASKS)]
    for number in range(1, COMMITS + 1):
        with sessions() as session:
            session.execute(update(Product).values(stock=number))
            session.commit()
        committed = number
        gevent.sleep(0)
    gevent.joinall(readers, raise_error=True)
    assert old == []
    cache.close()
    engine.dispose()
    print("done", flush=True)


main()
