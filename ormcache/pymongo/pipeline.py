"""
What does an aggregation read, what does it write, and is it the same each time?

Pure: views are resolved elsewhere, see `catalog`. A stage that is not known here makes the
aggregation uncacheable; one that is malformed does, too, and the server says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .names import Namespace
from .operators import volatile_part

__all__ = ["NOTHING", "PipelineFacts", "analyze"]

_PLAIN = frozenset(
    """
    $addFields $bucket $bucketAuto $count $densify $fill $geoNear $group $limit $match $project
    $redact $replaceRoot $replaceWith $set $setWindowFields $skip $sort $sortByCount $unset
    $unwind
    """.split()
)


class PipelineFacts(NamedTuple):
    """
    What is known of a pipeline. `refusal` says why its result must not be cached.
    """

    reads: frozenset[Namespace] = frozenset()
    writes: frozenset[Namespace] = frozenset()
    refusal: str | None = None

    def __add__(self, other: object) -> PipelineFacts:
        assert isinstance(other, PipelineFacts)
        return PipelineFacts(
            self.reads | other.reads, self.writes | other.writes, self.refusal or other.refusal
        )


NOTHING = PipelineFacts()
"""
What a read is that names one collection and always means the same.
"""


def analyze(database: str, pipeline: object) -> PipelineFacts:
    """
    Return what *pipeline*, run in *database*, does beside reading what it is run on.
    """
    if not isinstance(pipeline, list | tuple):
        return PipelineFacts(refusal="a pipeline that is not a list")
    return _together(_stage(database, stage) for stage in pipeline)


def _together(several: Iterable[PipelineFacts]) -> PipelineFacts:
    whole = NOTHING
    for facts in several:
        whole += facts
    return whole


def _stage(database: str, stage: object) -> PipelineFacts:
    if not isinstance(stage, Mapping) or len(stage) != 1:
        return PipelineFacts(refusal="a stage that is not a document with one field")
    ((name, said),) = stage.items()
    match name:
        case "$lookup" | "$graphLookup":
            return _joined(database, said, "from")
        case "$unionWith":
            return _joined(database, {"coll": said} if isinstance(said, str) else said, "coll")
        case "$facet" if isinstance(said, Mapping):
            return _together(analyze(database, nested) for nested in said.values())
        case "$out":
            return PipelineFacts(writes=_target(database, said), refusal=name)
        case "$merge":
            into = said.get("into") if isinstance(said, Mapping) else said
            return PipelineFacts(writes=_target(database, into), refusal=name)
    if name not in _PLAIN:
        return PipelineFacts(refusal=str(name))
    return PipelineFacts(refusal=volatile_part(said))


def _joined(database: str, said: object, field: str) -> PipelineFacts:
    """
    Return the facts of a stage that reads another collection, perhaps through a pipeline.
    """
    if not isinstance(said, Mapping):
        return PipelineFacts(refusal="a stage that is not a document")
    other = said.get(field)
    if not isinstance(other, str):
        return PipelineFacts(refusal=f"a {field!r} that is not a name")
    rest = {key: value for key, value in said.items() if key not in ("pipeline", field)}
    own = PipelineFacts(frozenset({Namespace(database, other)}), refusal=volatile_part(rest))
    return own + (analyze(database, said["pipeline"]) if "pipeline" in said else NOTHING)


def _target(database: str, said: object) -> frozenset[Namespace]:
    if isinstance(said, str):
        return frozenset({Namespace(database, said)})
    if isinstance(said, Mapping) and isinstance(said.get("coll"), str):
        return frozenset({Namespace(str(said.get("db", database)), said["coll"])})
    return frozenset()
