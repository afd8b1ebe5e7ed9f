import re

import bson
import pytest
from bson import SON, Code, ObjectId, Regex
from bson.raw_bson import RawBSONDocument

from ormcache.pymongo.operators import volatile_part

CONSTANT = [
    {},
    {"a": 1, "b": {"$gt": 1, "$lt": ObjectId("6b05e93b71e28fb1fd73265b")}},
    {"$or": [{"a": None}, {"b": {"$elemMatch": {"c": {"$in": (1, 2)}}}}]},
    {"$expr": {"$eq": ["$a", "$$ROOT.b"]}},
    {"x": {"$map": {"input": "$a", "as": "item", "in": "$$item.b"}}},
    {"$text": {"$search": "tea"}},
    {"a": re.compile("^x"), "b": Regex("y")},
    {"ref": SON([("$ref", "other"), ("$id", 1), ("$db", "shop")])},
    {"price": "$", "dollar": "$$", "name": "$$lower"},
    RawBSONDocument(bson.encode({"a": {"$gt": 1}})),
]
VOLATILE = {
    "$rand": {"$expr": {"$lt": [{"$rand": {}}, 0.5]}},
    "$where": {"$where": Code("true")},
    "$function": {"x": {"$function": {"body": "", "args": [], "lang": "js"}}},
    "$$NOW": {"at": {"$lt": "$$NOW"}},
    "$$CLUSTER_TIME": {"a": [{"b": ["$$CLUSTER_TIME.x"]}]},
    "$$USER_ROLES": {"$expr": {"$in": ["admin", "$$USER_ROLES.role"]}},
    "$notYetInvented": RawBSONDocument(bson.encode({"a": {"$notYetInvented": 1}})),
    "$query": {"$query": {}, "$orderby": {"a": 1}},
}


@pytest.mark.parametrize("value", CONSTANT, ids=repr)
def test_what_depends_on_documents_only_is_constant(value):
    assert volatile_part(value) is None


@pytest.mark.parametrize(("part", "value"), VOLATILE.items(), ids=VOLATILE.keys())
def test_what_is_not_known_to_be_constant_is_named(part, value):
    assert volatile_part(value) == part
    assert volatile_part([{"nested": value}]) == part
