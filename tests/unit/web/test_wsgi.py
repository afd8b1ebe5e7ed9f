"""
A report in the response of a WSGI application, call by call.

`wsgiref.validate` stands on both sides of the middleware: it must be a correct application to the
server and a correct server to the application.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from ormcache.web import WsgiCacheReport
from tests.unit.web.conftest import Hotel

PLAIN = [("Content-Type", "text/plain")]


class Response:
    """
    What a server does with an application.
    """

    def __init__(self, app: Callable, **environ: Any) -> None:
        environ = {"SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": ""} | environ
        setup_testing_defaults(environ)
        self.starts: list[tuple[str, dict[str, str]]] = []
        body = app(environ, self._start)
        try:
            self.body = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.starts.append((status, dict(headers)))
        return lambda data: None

    @property
    def status(self) -> str | None:
        return self.starts[-1][1].get("cache-status")


def reported(app: Callable, hotel: Hotel, **settings: Any) -> Callable:
    return validator(WsgiCacheReport(validator(app), hotel.cache, **settings))


def reading(hotel: Hotel, room: int = 1) -> Callable:
    def app(environ, start_response):
        hotel.read(room)
        start_response("200 OK", PLAIN)
        return [b"done"]

    return app


def test_the_second_request_shows_a_hit(hotel: Hotel):
    app = reported(reading(hotel), hotel)
    assert Response(app).status == 'ormcache; fwd=miss; stored; detail="miss=1"'
    second = Response(app)
    assert second.status == 'ormcache; hit; detail="hit=1"'
    assert second.body == b"done"
    assert second.starts[0][0] == "200 OK"
    assert second.starts[0][1]["Content-Type"] == "text/plain"
    assert "ormcache-hit" in second.starts[0][1]["server-timing"]


def test_the_body_of_a_response_that_has_started_is_the_applications(hotel: Hotel):
    body = [b"done"]

    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return body

    assert WsgiCacheReport(app, hotel.cache)({}, lambda *_: None) is body


class Generated:
    """
    An application that is a generator, so that it starts when its first part is asked for.
    """

    def __init__(self, hotel: Hotel, *, fails: bool = False) -> None:
        self._hotel = hotel
        self._fails = fails
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        try:
            self._hotel.read(1)
            if self._fails:
                raise Broken
            start_response("200 OK", PLAIN)
            yield b"one "
            self._hotel.read(2)
            yield b"two"
        finally:
            self.closed += 1


class Broken(Exception):
    pass


def test_a_generator_is_reported_up_to_its_first_part(hotel: Hotel):
    app = Generated(hotel)
    response = Response(reported(app, hotel))
    assert response.status == 'ormcache; fwd=miss; stored; detail="miss=1"'
    assert response.body == b"one two"
    assert app.closed == 1


def test_a_generator_that_nobody_iterates_over_is_closed(hotel: Hotel):
    app = Generated(hotel)
    body = WsgiCacheReport(app, hotel.cache)({}, lambda *_: None)
    body.close()
    assert app.closed == 1


def test_a_generator_that_fails_at_once_is_closed(hotel: Hotel):
    app = Generated(hotel, fails=True)
    with pytest.raises(Broken):
        WsgiCacheReport(app, hotel.cache)({}, lambda *_: None)
    assert app.closed == 1
    assert Response(reported(reading(hotel), hotel)).status == 'ormcache; hit; detail="hit=1"'


def test_a_generator_without_parts(hotel: Hotel):
    def app(environ, start_response):
        hotel.read(1)
        start_response("200 OK", PLAIN)
        yield from ()

    response = Response(reported(app, hotel))
    assert response.status == 'ormcache; fwd=miss; stored; detail="miss=1"'
    assert response.body == b""


def test_an_exception_passes_and_leaves_nothing_behind(hotel: Hotel):
    def app(environ, start_response):
        hotel.read(1)
        raise Broken

    with pytest.raises(Broken):
        Response(reported(app, hotel))
    assert Response(reported(reading(hotel), hotel)).status == 'ormcache; hit; detail="hit=1"'


def test_a_response_that_is_started_again_is_reported_again(hotel: Hotel):
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        hotel.read(1)
        failure = Broken()
        start_response("500 Oh", PLAIN, (Broken, failure, None))
        return [b"sorry"]

    (first, told), (second, told_again) = Response(reported(app, hotel)).starts
    assert first == "200 OK"
    assert told["cache-status"] == 'ormcache; detail="no reads"'
    assert second == "500 Oh"
    assert told_again["cache-status"] == 'ormcache; fwd=miss; stored; detail="miss=1"'


def test_requests_in_several_threads_have_their_own_reports(hotel: Hotel):
    all_have_read = threading.Barrier(4)

    def app(environ, start_response):
        reads = int(environ["QUERY_STRING"])
        for _ in range(reads):
            hotel.read(reads)
        all_have_read.wait(60)
        start_response("200 OK", PLAIN)
        return [b"done"]

    def ask(reads: int) -> str | None:
        return Response(reported(app, hotel), QUERY_STRING=str(reads)).status

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, (2, 3, 4, 5))) == [
            f'ormcache; fwd=miss; stored; detail="hit={n} miss=1"' for n in (1, 2, 3, 4)
        ]


def test_switched_off_it_is_not_there(hotel: Hotel):
    def app(environ, start_response):
        return environ, start_response

    environ, start_response = object(), object()
    seen = WsgiCacheReport(app, hotel.cache, enabled=False)(environ, start_response)
    assert seen == (environ, start_response)


def test_who_may_see_it_is_asked_after_the_application_knows_who_is_asking(hotel: Hotel):
    def app(environ, start_response):
        environ["user"] = "admin" if environ["PATH_INFO"] == "/admin" else "guest"
        start_response("200 OK", PLAIN)
        return [b""]

    app = reported(app, hotel, enabled=lambda environ: environ["user"] == "admin")
    assert Response(app, PATH_INFO="/admin").status
    assert Response(app, PATH_INFO="/").status is None


def test_a_failing_check_of_who_may_see_it_does_not_fail_the_request(hotel: Hotel):
    response = Response(reported(reading(hotel), hotel, enabled=lambda environ: environ["user"]))
    assert response.status is None
    assert response.body == b"done"
