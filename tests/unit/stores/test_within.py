"""
A deadline ends waits, not work: whoever comes too late finds the answer that has arrived.
"""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from ormcache.stores.link import _BoundedSocket, _Deadline
from ormcache.stores.within import Within


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def long_ago() -> _Deadline:
    return _Deadline(time.monotonic() - 60)


def test_an_answer_that_is_there_is_taken_after_the_deadline(ends):
    here, there = ends
    there.sendall(b"+OK\r\n")
    assert _BoundedSocket(here, long_ago()).recv(100) == b"+OK\r\n"


def test_a_request_and_its_answer_still_go_through_when_their_thread_came_late(ends):
    here, there = ends
    bounded = _BoundedSocket(here, long_ago())
    bounded.sendall(b"PING\r\n")
    assert there.recv(100) == b"PING\r\n"
    there.sendall(b"+PONG\r\n")
    assert bounded.recv(100) == b"+PONG\r\n"


def test_nobody_who_does_not_answer_is_waited_for(ends):
    here, _ = ends
    with pytest.raises(TimeoutError):
        _BoundedSocket(here, long_ago()).recv(100)


def test_a_trickle_ends(ends):
    here, there = ends
    bounded = _BoundedSocket(here, long_ago())
    there.sendall(b"x" * 100)

    def read_on() -> None:
        for _ in range(100):
            bounded.recv(1)

    with pytest.raises(TimeoutError):
        read_on()


def test_another_operation_has_all_its_time(ends):
    here, there = ends
    deadline = long_ago()

    def wait_on() -> None:
        for _ in range(100):
            deadline.left()

    with pytest.raises(TimeoutError):
        wait_on()
    deadline.begin(time.monotonic() + 60)
    there.sendall(b"+OK\r\n")
    assert _BoundedSocket(here, deadline).recv(100) == b"+OK\r\n"


def be_busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_a_loop_that_was_busy_gives_several_turns(ends):
    here, there = ends

    async def scenario() -> bytes:
        reader, writer = await asyncio.open_connection(sock=here)

        async def answer() -> None:
            for _ in range(3):
                be_busy(0.03)  # longer than all the time there is
                await asyncio.sleep(0)
            there.sendall(b"+OK\r\n")

        answering = asyncio.create_task(answer())
        try:
            async with Within(0.02):
                return await reader.readline()
        finally:
            await answering
            writer.close()

    assert asyncio.run(scenario()) == b"+OK\r\n"


def test_a_loop_that_is_idle_ends_the_wait():
    async def scenario() -> None:
        async with Within(0.02):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())


def test_a_block_that_ends_in_time_leaves_no_timer():
    async def scenario() -> None:
        async with Within(0.005):
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)

    asyncio.run(scenario())


def test_a_cancelled_task_is_cancelled_and_not_timed_out():
    async def wait() -> None:
        async with Within(60):
            await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
