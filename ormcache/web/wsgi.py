"""
How does a report get into the response of a WSGI application?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .report import Audience, checked, headers, may_see

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from ormcache.cache import Cache

__all__ = ["WsgiCacheReport"]

_Fields = list[tuple[str, str]]


class WsgiCacheReport:
    """
    WSGI middleware that reports in each response's headers what *cache* did for the request.

    The headers leave when the response starts: what a streaming response reads after that is not
    in them. An exception that no inner layer turns into a response leaves through this one, and
    what answers it outside carries no report.

    Args:
        app: The application.
        cache: The cache that is enabled on its sessions or engines.
        enabled: Who may see it: yes or no, or a function of the WSGI environ. The function is
            called when the response starts, after the application has seen who is asking; where it
            raises nothing is reported.
    """

    def __init__(
        self,
        app: WSGIApplication,
        cache: Cache,
        *,
        enabled: Audience[WSGIEnvironment] = True,
    ) -> None:
        self._app = app
        self._cache = cache
        self._enabled = checked(enabled)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """
        Answer one request.
        """
        if self._enabled is False:
            return self._app(environ, start_response)
        started = False
        # Not longer than this call: the server iterates over the body in whatever thread and
        # context it likes, and by then the response has started.
        with self._cache.record() as log:

            def start_reported(status: str, fields: _Fields, *exc_info: Any) -> Any:
                nonlocal started
                started = True
                told = headers(log.reads) if may_see(self._enabled, environ) else []
                return start_response(status, [*fields, *told], *exc_info)

            body = self._app(environ, start_reported)
            # An application that is a generator starts when its first part is asked for.
            return body if started else _Begun(body)


class _Begun:
    """
    A body whose first part has been asked for already.
    """

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        self._rest = iter(body)
        try:
            self._first = next(self._rest, b"")
        except BaseException:
            self.close()  # nobody else knows it yet
            raise

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._rest

    def close(self) -> None:
        closing = getattr(self._body, "close", None)
        if closing is not None:
            closing()
