"""
How does a client announce before a command is sent, and settle before its call returns, where its
listener cannot?

A listener cannot wait for an event loop, and it cannot refuse: what it raises, PyMongo drops. The
places where PyMongo sends commands are private, several, and different from one release to the
next. Its public methods that write are few and stay; each is covered here as a whole: what it
touches is announced and settled around the call, and how its commands ended is learned from the
listener, which is told of each attempt by PyMongo itself: only it knows whether the server has
refused or nobody heard the answer. An asynchronous client covers its calls always, a synchronous
one where the cache is to refuse what the store cannot be told of; otherwise its listener does it.

Inside a transaction nothing is announced but the commit. What is not covered, such as the `getMore`
of a `$merge` that was asked for in an empty first batch, is left to the listener.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ormcache.model import Scope

from .commands import scopes_changed
from .faces import namespace_of
from .names import collection_scope
from .reads import bound_session
from .sent import COVERED, Covered, Unanswered

if TYPE_CHECKING:
    from ormcache.cache import Cache

__all__ = [
    "acovered",
    "aggregated",
    "collection_dropped",
    "commanded",
    "covered",
    "covers",
    "created",
    "database_dropped",
    "dropped",
    "renamed",
    "writes",
    "written",
]

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


async def acovered(client: Any, scopes: frozenset[Scope], call: Callable[[], Awaitable[_T]]) -> _T:
    """
    Return what *call* does, with *scopes* announced before and settled after it.
    """
    if not scopes or _is_covered(scopes):
        return await call()
    cover = Covered(scopes)
    answers: list[_T] = []

    async def send() -> None:
        with _covering(cover):
            answers.append(await call())
        if cover.unanswered:  # unacknowledged
            raise Unanswered

    # Where it went unanswered the lease was renewed, and the caller did not ask to hear more.
    with contextlib.suppress(Unanswered):
        # Whatever the call raised: nothing of it can follow unless a command went unanswered.
        await client._ormcache.cache.acommit(scopes, send, refused=lambda _: not cover.unanswered)
    return answers[0]


def covered(client: Any, scopes: frozenset[Scope], call: Callable[[], _T]) -> _T:
    """
    As `acovered`, where the cache is to refuse what the store cannot be told of.
    """
    cache: Cache = client._ormcache.cache
    if not (scopes and cache.refuses) or _is_covered(scopes):
        return call()
    cover = Covered(scopes)
    answers: list[_T] = []

    def send() -> None:
        with _covering(cover):
            answers.append(call())
        if cover.unanswered:
            raise Unanswered

    with contextlib.suppress(Unanswered):
        cache.commit(scopes, send, refused=lambda _: not cover.unanswered, store=cache.store)
    return answers[0]


def _is_covered(scopes: frozenset[Scope]) -> bool:
    around = COVERED.get()
    return around is not None and scopes <= around.scopes


@contextlib.contextmanager
def _covering(cover: Covered) -> Iterator[None]:
    token = COVERED.set(cover)
    try:
        yield
    finally:
        COVERED.reset(token)


def covers(scopes_of: Callable[..., frozenset[Scope]]) -> Callable[[_F], _F]:
    """
    Return what makes of a method of PyMongo's one that covers the scopes that *scopes_of* returns
    for its arguments.
    """

    def wrap(theirs: _F) -> _F:
        session_of = _session_argument(theirs)

        def touched(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> frozenset[Scope]:
            session = session_of(args, kwargs) or bound_session(self._ormcache_client)
            if session is not None and getattr(session, "in_transaction", False):
                return frozenset()
            return scopes_of(self, *args, **kwargs)

        @functools.wraps(theirs)
        async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
            call = functools.partial(theirs, self, *args, **kwargs)
            return await acovered(self._ormcache_client, touched(self, args, kwargs), call)

        @functools.wraps(theirs)
        def ours(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._ormcache_client._ormcache.cache.refuses:
                return theirs(self, *args, **kwargs)
            call = functools.partial(theirs, self, *args, **kwargs)
            return covered(self._ormcache_client, touched(self, args, kwargs), call)

        return cast("_F", awaited if inspect.iscoroutinefunction(theirs) else ours)

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


def dropped(self: Any, *_: Any, **__: Any) -> frozenset[Scope]:
    """
    Return what dropping a collection changes.
    """
    return scopes_changed(self.database.name, "drop", {"drop": self.name})


def renamed(self: Any, new_name: Any, *_: Any, **__: Any) -> frozenset[Scope]:
    """
    Return what renaming a collection changes.
    """
    names = {"renameCollection": self.full_name, "to": f"{self.database.name}.{new_name}"}
    return scopes_changed("admin", "renameCollection", names)


def commanded(self: Any, command: Any, value: Any = 1, *_: Any, **kw: Any) -> frozenset[Scope]:
    """
    Return what a command on a database changes.
    """
    said = {command: value, **kw} if isinstance(command, str) else command
    if not isinstance(said, Mapping) or not said:
        return frozenset()  # PyMongo has an error for that
    return scopes_changed(self.name, next(iter(said)), said)


def created(self: Any, name: Any, *_: Any, **__: Any) -> frozenset[Scope]:
    """
    Return what creating a collection, or a view, changes.
    """
    return scopes_changed(self.name, "create", {"create": name})


def collection_dropped(self: Any, name_or_collection: Any, *_: Any, **__: Any) -> frozenset[Scope]:
    """
    Return what dropping a collection of a database changes.
    """
    name = getattr(name_or_collection, "name", name_or_collection)
    return scopes_changed(self.name, "drop", {"drop": name})


def database_dropped(_: Any, name_or_database: Any, *__: Any, **___: Any) -> frozenset[Scope]:
    """
    Return what dropping a database changes.
    """
    name = getattr(name_or_database, "name", name_or_database)
    return scopes_changed(str(name), "dropDatabase", {})


def written(_: Any, models: Any, *__: Any, **___: Any) -> frozenset[Scope]:
    """
    Return what a bulk write of a client changes.
    """
    names = [{"ns": getattr(model, "_namespace", None)} for model in models]
    return scopes_changed("admin", "bulkWrite", {"nsInfo": names})


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
