import pytest

from ormcache.pymongo.names import Namespace
from ormcache.pymongo.pipeline import PipelineFacts, analyze


def reads(*names: str) -> PipelineFacts:
    return PipelineFacts(frozenset(Namespace("shop", name) for name in names))


READS = [
    ([], reads()),
    ([{"$match": {"a": 1}}, {"$sort": {"a": 1}}, {"$limit": 3}], reads()),
    ([{"$lookup": {"from": "a", "localField": "x", "foreignField": "y", "as": "z"}}], reads("a")),
    (
        [{"$lookup": {"from": "a", "let": {"v": "$x"}, "pipeline": [{"$unionWith": "b"}]}}],
        reads("a", "b"),
    ),
    ([{"$graphLookup": {"from": "a", "startWith": "$x", "as": "z"}}], reads("a")),
    ([{"$unionWith": "a"}], reads("a")),
    ([{"$unionWith": {"coll": "a", "pipeline": [{"$unionWith": "b"}]}}], reads("a", "b")),
    ([{"$facet": {"x": [{"$unionWith": "a"}], "y": [{"$unionWith": "b"}]}}], reads("a", "b")),
]


@pytest.mark.parametrize(("pipeline", "facts"), READS)
def test_a_pipeline_reads_what_its_stages_name(pipeline, facts):
    assert analyze("shop", pipeline) == facts


WRITES = {
    "out": ({"$out": "a"}, ("shop", "a")),
    "out elsewhere": ({"$out": {"db": "other", "coll": "a"}}, ("other", "a")),
    "merge": ({"$merge": "a"}, ("shop", "a")),
    "merge into": ({"$merge": {"into": "a", "on": "_id"}}, ("shop", "a")),
    "merge into elsewhere": ({"$merge": {"into": {"db": "other", "coll": "a"}}}, ("other", "a")),
}


@pytest.mark.parametrize(("stage", "target"), WRITES.values(), ids=WRITES.keys())
def test_a_pipeline_writes_where_its_last_stage_says(stage, target):
    facts = analyze("shop", [{"$match": {}}, stage])
    assert facts.writes == {Namespace(*target)}
    assert facts.refusal is not None


REFUSED = {
    "$sample": [{"$sample": {"size": 1}}],
    "$currentOp": [{"$currentOp": {}}],
    "$changeStream": [{"$changeStream": {}}],
    "$search": [{"$search": {}}],
    "$rand": [{"$set": {"x": {"$rand": {}}}}],
    "$$NOW": [{"$facet": {"x": [{"$match": {"at": "$$NOW"}}]}}],
    "$sampleRate": [{"$unionWith": {"coll": "a", "pipeline": [{"$match": {"$sampleRate": 0.5}}]}}],
    "$collStats": [{"$lookup": {"from": "a", "pipeline": [{"$collStats": {}}], "as": "x"}}],
    "$where": [{"$lookup": {"from": "a", "let": {"x": {"$where": 1}}, "as": "x"}}],
    "a 'from' that is not a name": [{"$lookup": {"from": {"db": "other", "coll": "a"}}}],
    "a pipeline that is not a list": "no list",
    "a stage that is not a document with one field": [{"$match": {}, "$limit": 1}],
    "a stage that is not a document": [{"$lookup": 1}],
}


@pytest.mark.parametrize(("why", "pipeline"), REFUSED.items(), ids=REFUSED.keys())
def test_what_is_not_the_same_each_time_or_not_understood_is_refused(why, pipeline):
    assert analyze("shop", pipeline).refusal == why
