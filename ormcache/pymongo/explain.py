"""
Would this read of a collection be cached, and why?

    cache.explain(products.find({"category": 7}).sort("price"))
    cache.explain(products.aggregate, [{"$count": "n"}])
    await cache.aexplain(products.count_documents, {})

A cursor asks nothing before it is iterated, so it can be explained as it is; any other method is
given with its arguments instead of being called. What comes of it, `outline` finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pymongo.asynchronous import (
    collection as async_collection,
    command_cursor as async_command_cursor,
    cursor as async_cursor,
)
from pymongo.synchronous import collection, command_cursor, cursor

from ormcache.errors import ConfigurationError
from ormcache.explanation import Explanation

from . import asked
from .asked import Asked
from .asking import aanswer, answer
from .async_collection import AsyncCollection
from .collection import Collection
from .faces import namespace_of
from .outline import Outline
from .queries import asked_by

if TYPE_CHECKING:
    from ormcache.cache import Cache

__all__ = ["aexplain", "explain", "is_of_pymongo"]

_CURSORS = (cursor.Cursor, async_cursor.AsyncCursor)
_COLLECTIONS = (collection.Collection, async_collection.AsyncCollection)
_GIVEN_OUT = (command_cursor.CommandCursor, async_command_cursor.AsyncCommandCursor)
_ASYNCHRONOUS = (
    async_cursor.AsyncCursor,
    async_collection.AsyncCollection,
    async_command_cursor.AsyncCommandCursor,
)

_HOW = (
    "explain() takes a cursor of find(), or a method that reads with its arguments: "
    "explain(products.find({...})), explain(products.aggregate, [...])"
)


def is_of_pymongo(target: object) -> bool:
    """
    Return whether *target* is a cursor or a collection, or a method of one.
    """
    owner = getattr(target, "__self__", target)
    return isinstance(owner, (*_CURSORS, *_COLLECTIONS, *_GIVEN_OUT))


def explain(
    cache: Cache, target: Any, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Explanation:
    """
    Return what the cache would do with a read; see `Cache.explain`.
    """
    if isinstance(getattr(target, "__self__", target), _ASYNCHRONOUS):
        raise ConfigurationError("this is asynchronous: await cache.aexplain(...)")
    outline = _outline(cache, target, arguments, options)
    answer(outline.client, outline, _never)
    return outline.explanation()


async def aexplain(
    cache: Cache, target: Any, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Explanation:
    """
    As `explain`, of an asynchronous collection.
    """
    if not isinstance(getattr(target, "__self__", target), _ASYNCHRONOUS):
        raise ConfigurationError("this is not asynchronous: cache.explain(...)")
    outline = _outline(cache, target, arguments, options)
    await aanswer(outline.client, outline, _never)
    return outline.explanation()


def _never() -> Any:
    raise AssertionError("explaining sends nothing")


# -- what it would ask for -----------------------------------------------------------------------


def _outline(
    cache: Cache, target: Any, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Outline:
    if isinstance(target, _GIVEN_OUT):
        msg = "an aggregation has been sent by now: explain(products.aggregate, [...])"
        raise ConfigurationError(msg)
    if not isinstance(target, _CURSORS):
        named = getattr(target, "__name__", "")
        owner = getattr(target, "__self__", None)
        if not isinstance(owner, _COLLECTIONS) or named not in _READS:
            raise ConfigurationError(f"{_HOW}; got {named or type(target).__name__}")
        _check(cache, owner)
        try:
            what, session = _READS[named](owner, *arguments, **options)
        except TypeError as exc:
            raise ConfigurationError(f"{named}() cannot be called like this: {exc}") from exc
        return Outline(owner, what, session)
    if arguments or options:
        raise ConfigurationError(f"a cursor has all its arguments already; {_HOW}")
    _check(cache, target._collection)
    return Outline(target._collection, asked_by(target), target._session)


def _check(cache: Cache, owner: Any) -> None:
    if not isinstance(owner, Collection | AsyncCollection):
        msg = (
            "no cache knows this collection's client: make it an ormcache.pymongo.MongoClient or "
            "AsyncMongoClient, with cache="
        )
        raise ConfigurationError(msg)
    client: Any = owner.database.client
    if client._ormcache.cache is not cache:
        raise ConfigurationError("this collection's client has another cache: ask that one")


def _find(of: Any, *args: Any, **kwargs: Any) -> tuple[Asked, Any]:
    found = of.find(*args, **kwargs)
    return asked_by(found), found._session


def _find_one(of: Any, filter: Any = None, *args: Any, **kwargs: Any) -> tuple[Asked, Any]:
    by_id = filter is not None and not isinstance(filter, Mapping)
    found = of.find({"_id": filter} if by_id else filter, *args, **kwargs).limit(-1)
    return asked_by(found), found._session


def _aggregate(
    of: Any,
    pipeline: Any,
    session: Any = None,
    let: Any = None,
    _comment: Any = None,
    **kwargs: Any,
) -> tuple[Asked, Any]:
    return asked.aggregate(namespace_of(of), pipeline, {**kwargs, "let": let}), session


def _count(
    of: Any, filter: Any, session: Any = None, _comment: Any = None, **kwargs: Any
) -> tuple[Asked, Any]:
    return asked.count(namespace_of(of), filter, kwargs), session


def _estimated(of: Any, _comment: Any = None, **kwargs: Any) -> tuple[Asked, Any]:
    return asked.estimated_count(namespace_of(of), kwargs), None


def _distinct(
    of: Any,
    key: Any,
    filter: Any = None,
    session: Any = None,
    _comment: Any = None,
    hint: Any = None,
    **kwargs: Any,
) -> tuple[Asked, Any]:
    return asked.distinct(namespace_of(of), key, filter, hint, kwargs), session


_READS: dict[str, Callable[..., tuple[Asked, Any]]] = {
    "find": _find,
    "find_one": _find_one,
    "aggregate": _aggregate,
    "count_documents": _count,
    "estimated_document_count": _estimated,
    "distinct": _distinct,
}
"""
What each method asks for, and in which session; the arguments are those of the method.
"""
