"""
What does a cursor ask for?

A cursor's options are settled when its first batch is fetched, so that is when they are looked at.
They are kept under private names; a test compares the answer with the command that PyMongo sends.
"""

from __future__ import annotations

from typing import Any

from .asked import Asked, find
from .names import Namespace

__all__ = ["asked_by"]

_HARMLESS_FLAGS = 4 | 16
"""
"Secondary allowed", which the read preference decides, and "no timeout".
"""


def asked_by(cursor: Any) -> Asked:
    """
    Return what a cursor of PyMongo's, of either kind, asks for.
    """
    collection = cursor._collection
    collation = cursor._collation
    limit = cursor._limit
    parts = (
        ("filter", cursor._spec),
        ("projection", cursor._projection),
        ("sort", cursor._ordering),
        ("skip", cursor._skip),
        ("limit", limit),
        # One batch and no more: its size decides what is in it.
        ("batchSize", cursor._batch_size if limit < 0 else 0),
        ("hint", cursor._hint),
        ("min", cursor._min),
        ("max", cursor._max),
        ("collation", getattr(collation, "document", collation)),
        ("let", cursor._let),
        ("returnKey", cursor._return_key),
        ("showRecordId", cursor._show_record_id),
    )
    # What is not said and what says nothing, such as a limit of 0, are the same to the server.
    said = {name: value for name, value in parts if value}
    return find(Namespace(collection.database.name, collection.name), said, _refusal(cursor))


def _refusal(cursor: Any) -> str | None:
    if cursor._explain:
        return "explain"
    if cursor._query_flags & ~_HARMLESS_FLAGS:
        return "a tailable, exhaust or partial cursor"
    if cursor._max_scan or cursor._snapshot is not None:
        return "an option that servers no longer have"
    return None
