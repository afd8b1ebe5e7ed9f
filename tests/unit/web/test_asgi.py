"""
A report in the response of an ASGI application, event by event.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from ormcache.web import AsgiCacheReport
from tests.unit.web.conftest import Hotel

HTTP = {"type": "http", "method": "GET", "path": "/"}
BODY = {"type": "http.response.body", "body": b"done"}


def start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def answer(app: Callable, scope: dict[str, Any] = HTTP) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(dict(scope), receive, send)
    return sent


def status(sent: list[dict[str, Any]]) -> str | None:
    found = dict(sent[0]["headers"]).get(b"cache-status")
    return found and found.decode()


def reading(hotel: Hotel, room: int = 1) -> Callable:
    async def app(scope, receive, send):
        hotel.read(room)
        await send(start())
        await send(BODY)

    return app


def test_the_second_request_shows_a_hit(hotel: Hotel):
    app = AsgiCacheReport(reading(hotel), hotel.cache)
    assert status(asyncio.run(answer(app))) == 'ormcache; fwd=miss; stored; detail="miss=1"'
    assert status(asyncio.run(answer(app))) == 'ormcache; hit; detail="hit=1"'


def test_the_rest_of_the_response_is_the_applications(hotel: Hotel):
    message = start((b"content-type", b"text/plain"), (b"cache-status", b"inner; hit"))

    async def app(scope, receive, send):
        await send(message)
        await send(BODY)

    sent = asyncio.run(answer(AsgiCacheReport(app, hotel.cache)))
    assert sent[0]["headers"] == [
        (b"content-type", b"text/plain"),
        (b"cache-status", b"inner; hit"),
        (b"cache-status", b'ormcache; detail="no reads"'),
    ]
    assert sent[0]["status"] == 200
    assert sent[1] is BODY
    assert message == start((b"content-type", b"text/plain"), (b"cache-status", b"inner; hit"))


def test_a_response_without_headers_gets_some(hotel: Hotel):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})

    sent = asyncio.run(answer(AsgiCacheReport(app, hotel.cache)))
    assert status(sent) == 'ormcache; detail="no reads"'


def test_reads_in_threads_and_tasks_of_the_request_count(hotel: Hotel):
    async def app(scope, receive, send):
        await asyncio.to_thread(hotel.read, 1)
        await asyncio.create_task(reading(hotel)(scope, receive, send))

    sent = asyncio.run(answer(AsgiCacheReport(app, hotel.cache)))
    assert status(sent) == 'ormcache; fwd=miss; stored; detail="hit=1 miss=1"'


def test_requests_that_run_at_the_same_time_have_their_own_reports(hotel: Hotel):
    async def both() -> list[Any]:
        all_have_read = asyncio.Barrier(2)

        async def app(scope, receive, send):
            for _ in range(scope["reads"]):
                await asyncio.to_thread(hotel.read, scope["reads"])
            await all_have_read.wait()
            await send(start())

        reported = AsgiCacheReport(app, hotel.cache)
        return await asyncio.gather(*(answer(reported, {**HTTP, "reads": n}) for n in (2, 5)))

    two, five = asyncio.run(both())
    assert status(two) == 'ormcache; fwd=miss; stored; detail="hit=1 miss=1"'
    assert status(five) == 'ormcache; fwd=miss; stored; detail="hit=4 miss=1"'


def test_what_a_stream_reads_later_is_not_in_its_headers(hotel: Hotel):
    async def app(scope, receive, send):
        hotel.read(1)
        await send(start())
        hotel.read(2)
        await send(BODY)

    sent = asyncio.run(answer(AsgiCacheReport(app, hotel.cache)))
    assert status(sent) == 'ormcache; fwd=miss; stored; detail="miss=1"'
    assert sent[1:] == [BODY]


class Broken(Exception):
    pass


async def requests_after_a_failure(hotel: Hotel) -> str | None:
    async def app(scope, receive, send):
        hotel.read(1)
        raise Broken

    with pytest.raises(Broken):
        await answer(AsgiCacheReport(app, hotel.cache))
    return status(await answer(AsgiCacheReport(reading(hotel), hotel.cache)))


def test_an_exception_passes_and_leaves_nothing_behind(hotel: Hotel):
    assert asyncio.run(requests_after_a_failure(hotel)) == 'ormcache; hit; detail="hit=1"'


async def requests_after_a_cancellation(hotel: Hotel) -> str | None:
    has_read = asyncio.Event()

    async def app(scope, receive, send):
        hotel.read(1)
        has_read.set()
        await asyncio.Event().wait()

    request = asyncio.create_task(answer(AsgiCacheReport(app, hotel.cache)))
    await has_read.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    return status(await answer(AsgiCacheReport(reading(hotel), hotel.cache)))


def test_a_cancelled_request_leaves_nothing_behind(hotel: Hotel):
    assert asyncio.run(requests_after_a_cancellation(hotel)) == 'ormcache; hit; detail="hit=1"'


def test_a_handler_that_turns_the_exception_into_a_response_is_reported(hotel: Hotel):
    async def failing(scope, receive, send):
        hotel.read(1)
        raise Broken

    async def app(scope, receive, send):
        with contextlib.suppress(Broken):
            await failing(scope, receive, send)
        await send({**start(), "status": 500})

    sent = asyncio.run(answer(AsgiCacheReport(app, hotel.cache)))
    assert sent[0]["status"] == 500
    assert status(sent) == 'ormcache; fwd=miss; stored; detail="miss=1"'


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_passes_untouched(hotel: Hotel, kind: str):
    seen = []

    async def app(*arguments):
        seen.append(arguments)

    scope: dict[str, Any] = {"type": kind}
    arguments = (scope, object(), object())
    asyncio.run(AsgiCacheReport(app, hotel.cache)(*arguments))
    assert seen == [arguments]


def test_switched_off_it_is_not_there(hotel: Hotel):
    seen = []

    async def app(*arguments):
        seen.append(arguments)

    arguments = (HTTP, object(), object())
    asyncio.run(AsgiCacheReport(app, hotel.cache, enabled=False)(*arguments))
    assert seen == [arguments]


def test_who_may_see_it_is_asked_after_the_application_knows_who_is_asking(hotel: Hotel):
    async def app(scope, receive, send):
        scope["user"] = "admin" if scope["path"] == "/admin" else "guest"
        await send(start())

    reported = AsgiCacheReport(app, hotel.cache, enabled=lambda scope: scope["user"] == "admin")
    assert status(asyncio.run(answer(reported, {**HTTP, "path": "/admin"})))
    assert status(asyncio.run(answer(reported))) is None


def test_a_failing_check_of_who_may_see_it_does_not_fail_the_request(hotel: Hotel):
    reported = AsgiCacheReport(reading(hotel), hotel.cache, enabled=lambda scope: scope["user"])
    sent = asyncio.run(answer(reported))
    assert status(sent) is None
    assert sent[1] is BODY
