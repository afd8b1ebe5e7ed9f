import pytest

from ormcache.pymongo.shape import shape_of

SHAPES = {
    "find shop.products {category: ?, price: {$gt: ?}} sort {price: ?}": {
        "find": "products",
        "filter": {"category": "secret", "price": {"$gt": 5}},
        "sort": {"price": -1},
    },
    "find shop.products {$or: [{a: ?}, {b: [?]}]}": {
        "find": "products",
        "filter": {"$or": [{"a": 1}, {"b": ["secret", 2]}]},
    },
    "aggregate shop.products [{$match: {a: ?}}, {$count: ?}]": {
        "aggregate": "products",
        "pipeline": [{"$match": {"a": 1}}, {"$count": "n"}],
    },
    "distinct shop.products key ? {}": {"distinct": "products", "key": "a", "filter": {}},
}


@pytest.mark.parametrize(("text", "command"), SHAPES.items())
def test_a_command_is_shown_by_its_shape(text, command):
    assert shape_of("shop.products", command) == text


def test_no_value_is_shown_however_deep_or_long_the_command():
    deep: object = "secret"
    for _ in range(50):
        deep = {"a": [deep]}
    text = shape_of("shop.products", {"find": "products", "filter": {"x": deep}})
    assert "secret" not in text
    many = shape_of("shop.products", {"find": "products", "filter": {"$or": [{"a": 1}] * 1000}})
    assert len(many) < 200
