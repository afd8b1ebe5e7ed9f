"""
How does a report get into the response of an ASGI application?
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from .report import Audience, checked, headers, may_see

if TYPE_CHECKING:
    from ormcache.cache import Cache

__all__ = ["AsgiCacheReport"]

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class AsgiCacheReport:
    """
    ASGI middleware that reports in each response's headers what *cache* did for the request.

    The headers leave when the response starts: what a streaming response reads after that, or a
    background task, is not in them. An exception that no inner layer turns into a response leaves
    through this one, and what answers it outside carries no report.

    Args:
        app: The application.
        cache: The cache that is enabled on its sessions or engines.
        enabled: Who may see it: yes or no, or a function of the ASGI scope. The function is called
            when the response starts, after the application has seen who is asking; where it raises
            nothing is reported.

    Raises:
        ConfigurationError: `enabled` is neither.
    """

    def __init__(
        self,
        app: _App,
        cache: Cache,
        *,
        enabled: Audience[_Scope] = True,
    ) -> None:
        self._app = app
        self._cache = cache
        self._enabled = checked(enabled)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """
        Answer one request.
        """
        if scope["type"] != "http" or self._enabled is False:
            await self._app(scope, receive, send)
            return
        # The log belongs to this request's context: tasks and threads that the application starts
        # for it take the context along, and requests that run meanwhile have their own.
        with self._cache.record() as log:

            async def send_reported(message: _Message) -> None:
                if message["type"] == "http.response.start" and may_see(self._enabled, scope):
                    # A copy: the application may keep its message, or send it twice.
                    told = [(n.encode(), v.encode()) for n, v in headers(log.reads)]
                    message = {**message, "headers": [*message.get("headers", ()), *told]}
                await send(message)

            await self._app(scope, receive, send_reported)
