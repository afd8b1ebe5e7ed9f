"""
What do the synchronous and the asynchronous faces have in common?

An overridden method takes PyMongo's signature, documentation and type as they are, in whatever
version is installed: `@as_in(Collection.find)`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ormcache.errors import ConfigurationError
from ormcache.policy import Policy

from .names import Namespace

if TYPE_CHECKING:
    from .plan import Said

__all__ = ["as_in", "copy_of", "namespace_of", "said_by"]

_F = TypeVar("_F")


def as_in(parents: _F) -> Callable[[Callable[..., Any]], _F]:
    """
    Return a decorator that gives a method everything of its parent's but the body.
    """

    def decorate(own: Callable[..., Any]) -> _F:
        return cast("_F", functools.wraps(cast("Callable[..., Any]", parents))(own))

    return decorate


def namespace_of(collection: Any) -> Namespace:
    """
    Return which collection an object of PyMongo's stands for.
    """
    return Namespace(collection.database.name, collection.name)


def copy_of(like: Any, made_by: Callable[..., Any], **options: Any) -> Any:
    """
    Return what *made_by* makes of *like*'s name and options, some of them replaced.
    """
    named = ("codec_options", "read_preference", "write_concern", "read_concern")
    return made_by(like.name, **{**{name: getattr(like, name) for name in named}, **options})


def said_by(policy: Policy | None, settings: Mapping[str, Any]) -> Said:
    """
    Return what `with_cache` was told.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    if policy is not None and settings:
        raise ConfigurationError("give either a Policy or its settings, not both")
    if policy is not None and not isinstance(policy, Policy):
        raise ConfigurationError(f"expected a Policy, got {policy!r}; settings go by name: ttl=60")
    if policy is None:
        Policy().override(settings)  # what is wrong is told now
    return settings if policy is None else policy
