"""
How is a command shown to an observer? By its shape, without any value.

    find shop.products {category: ?, price: {$gt: ?}} sort {price: ?}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["shape_of"]

_DEEPEST = 8
_LONGEST = 12


def shape_of(namespace: str, command: Mapping[str, Any]) -> str:
    """
    Return the text for *command*, whose first field is its name, on *namespace*.
    """
    (name, _), *fields = command.items()
    parts = [name, namespace]
    for field, value in fields:
        shown = _shown(value, _DEEPEST)
        parts.append(shown if field in ("filter", "pipeline") else f"{field} {shown}")
    return " ".join(parts)


def _shown(value: Any, depth: int) -> str:
    if isinstance(value, Mapping):
        if depth == 0:
            return "{…}"
        return "{" + ", ".join(f"{key}: {_shown(v, depth - 1)}" for key, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        if depth == 0:
            return "[…]"
        shown = [_shown(v, depth - 1) for v in value[:_LONGEST]]
        if not any(text.startswith(("{", "[")) for text in shown):
            return "[?]" if shown else "[]"
        return "[" + ", ".join((*shown, *(["…"] if len(value) > _LONGEST else []))) + "]"
    return "?"
