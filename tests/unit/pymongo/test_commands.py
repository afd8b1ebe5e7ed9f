import pytest

from ormcache.pymongo.commands import in_transaction, scopes_changed, unacknowledged

WHOLE = "mongodb/shop.*"
EVERYTHING = "mongodb/*"
A = "mongodb/shop.a"
B = "mongodb/other.b"

CHANGES = [
    ("insert", {"insert": "a", "documents": []}, {A}),
    ("update", {"update": "a"}, {A}),
    ("delete", {"delete": "a"}, {A}),
    ("findAndModify", {"findAndModify": "a"}, {A}),
    ("findandmodify", {"findandmodify": "a"}, {A}),
    ("createIndexes", {"createIndexes": "a"}, {A}),
    ("dropIndexes", {"dropIndexes": "a"}, {A}),
    ("insert", {"insert": "system.buckets.a"}, {A}),
    ("insert", {"insert": "system.views"}, {WHOLE}),
    ("create", {"create": "a"}, {A, WHOLE}),
    ("collMod", {"collMod": "a"}, {A, WHOLE}),
    ("drop", {"drop": "a"}, {A, WHOLE}),
    ("dropDatabase", {"dropDatabase": 1}, {WHOLE}),
    (
        "renameCollection",
        {"renameCollection": "shop.a", "to": "other.b"},
        {A, B, WHOLE, "mongodb/other.*"},
    ),
    ("aggregate", {"aggregate": "x", "pipeline": [{"$match": {}}]}, set()),
    ("aggregate", {"aggregate": "x", "pipeline": [{"$out": "a"}]}, {A}),
    (
        "aggregate",
        {"aggregate": 1, "pipeline": [{"$merge": {"into": {"db": "other", "coll": "b"}}}]},
        {B},
    ),
    ("mapReduce", {"mapReduce": "x", "out": {"inline": 1}}, set()),
    ("mapReduce", {"mapReduce": "x", "out": "a"}, {A}),
    ("mapreduce", {"mapreduce": "x", "out": {"merge": "b", "db": "other"}}, {B}),
    ("mapReduce", {"mapReduce": "x"}, {WHOLE}),
    ("bulkWrite", {"bulkWrite": 1, "nsInfo": [{"ns": "shop.a"}, {"ns": "other.b"}]}, {A, B}),
    ("bulkWrite", {"bulkWrite": 1}, {EVERYTHING}),
    ("bulkWrite", {"bulkWrite": 1, "nsInfo": [{}]}, {EVERYTHING}),
    ("find", {"find": "a"}, set()),
    ("explain", {"explain": {"delete": "a"}}, set()),
    ("hello", {"hello": 1}, set()),
    ("saslStart", {}, set()),
    ("somethingNew", {"somethingNew": "a"}, {WHOLE}),
]


@pytest.mark.parametrize(("name", "command", "scopes"), CHANGES)
def test_a_command_changes_what_it_names(name, command, scopes):
    assert scopes_changed("shop", name, command) == scopes


@pytest.mark.parametrize("name", ["createUser", "applyOps", "somethingNew"])
def test_an_unknown_command_on_admin_may_change_everything(name):
    assert scopes_changed("admin", name, {}) == {EVERYTHING}


def test_a_transaction_is_told_by_autocommit_and_not_by_its_number():
    assert in_transaction({"insert": "a", "txnNumber": 1, "autocommit": False})
    assert not in_transaction({"insert": "a", "txnNumber": 1})


def test_only_a_write_concern_of_0_is_unacknowledged():
    assert unacknowledged({"insert": "a", "writeConcern": {"w": 0}})
    assert not unacknowledged({"insert": "a", "writeConcern": {"w": 1}})
    assert not unacknowledged({"insert": "a", "writeConcern": {"j": True}})
    assert not unacknowledged({"insert": "a"})
