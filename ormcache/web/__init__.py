"""
What did the cache do for one web request? Middleware that tells in the response's headers.

    app = AsgiCacheReport(app, cache)                        # any ASGI application
    app.add_middleware(AsgiCacheReport, cache=cache)         # FastAPI, Starlette
    DefineMiddleware(AsgiCacheReport, cache=cache)           # Litestar
    app.wsgi_app = WsgiCacheReport(app.wsgi_app, cache)      # Flask; any WSGI application

A response then carries, without any value, statement or table name:

    Cache-Status: ormcache; fwd=miss; stored; detail="hit=2 miss=1"
    Server-Timing: ormcache-hit;dur=0.412;desc="ormcache hit=2", ormcache-miss;dur=1.870;…

Nothing is reported where the middleware is not installed, and it should not be for everyone: a hit
tells that somebody has asked before. `enabled` says who may see it.
"""

from __future__ import annotations

from .asgi import AsgiCacheReport
from .wsgi import WsgiCacheReport

__all__ = ["AsgiCacheReport", "WsgiCacheReport"]
