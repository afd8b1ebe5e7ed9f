"""
What does one read ask for, and may its answer be kept at all?

An `Asked` holds the command without what cannot change the answer: `comment`, `maxTimeMS`,
`allowDiskUse`, the size of batches. An option that is not known here could, so it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .names import Namespace
from .operators import volatile_part
from .pipeline import NOTHING, PipelineFacts, analyze

__all__ = ["Asked", "aggregate", "count", "distinct", "estimated_count", "find"]

_NEUTRAL = frozenset("allowDiskUse batchSize comment cursor maxAwaitTimeMS maxTimeMS".split())

_OPTIONS: dict[str, frozenset[str]] = {
    "aggregate": frozenset("collation hint let".split()),
    "count": frozenset("collation hint limit skip".split()),
    "distinct": frozenset("collation".split()),
    "estimatedCount": frozenset(),
}


class Asked(NamedTuple):
    """
    One read: what it reads first, its command, and what is known of it.
    """

    namespace: Namespace
    command: Mapping[str, Any]
    facts: PipelineFacts

    @property
    def ordered(self) -> bool:
        """
        Whether the order of the documents is part of the answer.
        """
        return bool(self.command.get("sort"))


def find(namespace: Namespace, parts: Mapping[str, Any], refusal: str | None = None) -> Asked:
    """
    Return what a `find` of these *parts* asks for.
    """
    return _made(namespace, {"find": namespace.collection, **parts}, refusal)


def aggregate(namespace: Namespace, pipeline: object, options: Mapping[str, Any]) -> Asked:
    """
    Return what an aggregation asks for.
    """
    said, refusal = _said("aggregate", options)
    facts = analyze(namespace.database, pipeline) + PipelineFacts(refusal=refusal)
    facts += PipelineFacts(refusal=volatile_part(said))
    command = {"aggregate": namespace.collection, "pipeline": pipeline, **said}
    return Asked(namespace, command, facts)


def count(namespace: Namespace, filter_: object, options: Mapping[str, Any]) -> Asked:
    """
    Return what `count_documents` asks for.
    """
    said, refusal = _said("count", options)
    command = {"countDocuments": namespace.collection, "filter": filter_, **said}
    return _made(namespace, command, refusal)


def estimated_count(namespace: Namespace, options: Mapping[str, Any]) -> Asked:
    """
    Return what `estimated_document_count` asks for.
    """
    said, refusal = _said("estimatedCount", options)
    command = {"count": namespace.collection, **said}
    return _made(namespace, command, refusal)


def distinct(
    namespace: Namespace, key: object, filter_: object, hint: object, options: Mapping[str, Any]
) -> Asked:
    """
    Return what `distinct` asks for.
    """
    said, refusal = _said("distinct", options)
    named = {"key": key, "filter": filter_, "hint": hint}
    said = {**{name: value for name, value in named.items() if value is not None}, **said}
    command = {"distinct": namespace.collection, **said}
    return _made(namespace, command, refusal)


def _made(namespace: Namespace, command: Mapping[str, Any], refusal: str | None) -> Asked:
    refusal = refusal or volatile_part(command)
    return Asked(namespace, command, PipelineFacts(refusal=refusal) if refusal else NOTHING)


def _said(kind: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """
    Return the options that may change the answer, and the first that is unknown.
    """
    known = _OPTIONS[kind]
    said = {
        # A `Collation` object stands for its document.
        name: getattr(value, "document", value) if name == "collation" else value
        for name, value in options.items()
        if name not in _NEUTRAL and value is not None
    }
    unknown = next((name for name in said if name not in known), None)
    return said, unknown and f"the option {unknown}"
