"""
What are a statement's parameters, exactly, as one text?
"""

from __future__ import annotations

from typing import Any

from ormcache.fingerprint import NoIdentityError, canonical

__all__ = ["canonical_parameters"]


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
            return "{" + ",".join(f"{k!r}:{_one(v)}" for k, v in parameters.items()) + "}"
        return f"({','.join(_one(v) for v in parameters)})"


def _one(value: Any) -> str:
    """
    Return the text for one parameter, with the wrappers that drivers give JSON and ranges.
    """
    kind = type(value)
    module = kind.__module__
    if module.startswith(("psycopg.types.json", "psycopg2._json")):
        content = value.obj if hasattr(value, "obj") else value.adapted
        return f"{kind.__name__}({canonical(content)})"
    if module.startswith(
        ("psycopg.types.range", "psycopg2._range", "sqlalchemy.dialects.postgresql")
    ) and hasattr(value, "lower"):
        bounds = getattr(value, "bounds", None) or getattr(value, "_bounds", None)
        return f"{module}.{kind.__name__}({canonical(value.lower)},{canonical(value.upper)},{bounds},{value.isempty if hasattr(value, 'isempty') else value.is_empty})"
    if kind is list:
        return f"[{','.join(_one(v) for v in value)}]"
    return canonical(value)
