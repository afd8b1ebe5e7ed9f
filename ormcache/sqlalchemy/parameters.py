"""
What are a statement's parameters, exactly, as one text?
"""

from __future__ import annotations

import uuid
from typing import Any

from ormcache.codecs.foreign import FOREIGN, foreign_class
from ormcache.fingerprint import NoIdentityError, canonical

__all__ = ["canonical_parameters"]

_JSON = ("psycopg.types.json", "psycopg2._json")
_RANGES = ("psycopg.types.range", "psycopg2._range")


def canonical_parameters(parameters: Any) -> str:
    """
    Return a text that is equal for two parameter sets exactly when value and type of all are.

    Raises:
        NoIdentityError: One has a type without an exact representation.
    """
    try:
        return canonical(parameters if type(parameters) in (dict, tuple) else tuple(parameters))
    except NoIdentityError:
        if isinstance(parameters, dict):
            return "{" + ", ".join(f"{k!r}: {_one(v)}" for k, v in parameters.items()) + "}"
        return f"tuple({','.join(_one(v) for v in parameters)})"


def _one(value: Any) -> str:
    """
    Return the text for one parameter, which may be of a class of the driver's.
    """
    kind = type(value)
    if kind is list:
        return f"[{','.join(_one(v) for v in value)}]"
    if kind.__module__.startswith(_JSON) or (
        kind.__name__ == "Binary" and kind.__module__.startswith("psycopg")
    ):
        content = value.obj if hasattr(value, "obj") else value.adapted
        return f"{kind.__name__}({canonical(content)})"
    if kind.__module__.startswith(_RANGES) and hasattr(value, "upper_inc"):
        ends = canonical((value.lower, value.upper))
        marks = (value.lower_inc, value.upper_inc, getattr(value, "isempty", None))
        return f"{kind.__module__}.{kind.__qualname__}({ends},{marks})"
    code = foreign_class(kind)
    if code is None:
        return canonical(value)
    if isinstance(value, uuid.UUID):
        # What asyncpg returned as a key, and its next statement asks for: the same to the server.
        return canonical(uuid.UUID(bytes=value.bytes))
    return f"driver {code}{_one(list(FOREIGN[code].dump(value)))}"
