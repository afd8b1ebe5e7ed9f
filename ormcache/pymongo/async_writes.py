"""
How does an asynchronous client announce before a command is sent, and settle before it returns?

A listener cannot wait, and the places where PyMongo sends commands are private, several, and
different from one release to the next. Its public methods that write are few and stay; each is
covered here as a whole: what it touches is announced and settled around the call, awaited, and how
its commands ended is learned from the listener, which is told of each attempt by PyMongo itself:
only it knows whether the server has refused or nobody heard the answer.

Inside a transaction nothing is announced but the commit. What is not covered, such as the `getMore`
of a `$merge` that was asked for in an empty first batch, is left to the listener.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from ormcache.model import Scope

from .commands import scopes_changed
from .faces import namespace_of
from .names import collection_scope
from .reads import bound_session
from .sent import COVERED, Covered, Unanswered

__all__ = ["aggregated", "covered", "covers", "writes"]

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


async def covered(client: Any, scopes: frozenset[Scope], call: Callable[[], Awaitable[_T]]) -> _T:
    """
    Return what *call* does, with *scopes* announced before and settled after it.
    """
    around = COVERED.get()
    if not scopes or (around is not None and scopes <= around.scopes):
        return await call()
    cover = Covered(scopes)
    answers: list[_T] = []

    async def send() -> None:
        token = COVERED.set(cover)
        try:
            answers.append(await call())
        finally:
            COVERED.reset(token)
        if cover.unanswered:  # unacknowledged
            raise Unanswered

    # Where it went unanswered the lease was renewed, and the caller did not ask to hear more.
    with contextlib.suppress(Unanswered):
        # Whatever the call raised: nothing of it can follow unless a command went unanswered.
        await client._ormcache.cache.acommit(scopes, send, refused=lambda _: not cover.unanswered)
    return answers[0]


def covers(scopes_of: Callable[..., frozenset[Scope]]) -> Callable[[_F], _F]:
    """
    Return what makes of a method of PyMongo's one that covers the scopes that *scopes_of* returns
    for its arguments.
    """

    def wrap(theirs: _F) -> _F:
        session_of = _session_argument(theirs)

        @functools.wraps(theirs)
        async def ours(self: Any, *args: Any, **kwargs: Any) -> Any:
            client = self._ormcache_client
            call = functools.partial(theirs, self, *args, **kwargs)
            session = session_of(args, kwargs) or bound_session(client)
            if session is not None and getattr(session, "in_transaction", False):
                return await call()
            return await covered(client, scopes_of(self, *args, **kwargs), call)

        return cast("_F", ours)

    return wrap


writes = covers(lambda self, *_, **__: frozenset({collection_scope(namespace_of(self))}))
"""
Makes of a method of a collection one that covers that collection.
"""


def aggregated(self: Any, pipeline: Any, *_: Any, **__: Any) -> frozenset[Scope]:
    """
    Return what an aggregation on a database, or on a collection of one, writes.
    """
    database = getattr(type(self), "database", None) and self.database
    name = self.name if database is None else database.name
    return scopes_changed(name, "aggregate", {"pipeline": pipeline})


def _session_argument(
    method: Callable[..., Any],
) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
    """
    Return what finds the session among a method's arguments, by position or by name.
    """
    names = list(inspect.signature(method).parameters)[1:]
    place = names.index("session") if "session" in names else len(names)

    def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[place] if place < len(args) else kwargs.get("session")

    return find
