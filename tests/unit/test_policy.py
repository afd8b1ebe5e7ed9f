"""
What did the user ask for, which request wins, and what is refused?
"""

import pytest

from ormcache.errors import ConfigurationError
from ormcache.policy import Policies, Policy


def test_a_policy_without_settings_has_the_documented_ones():
    assert Policy().settings() == {
        "ttl": 300.0,
        "depends_on": (),
        "vary": (),
        "slices": (),
        "max_rows": 10_000,
        "max_bytes": 1_048_576,
        "collapse": 1.0,
        "across_processes": False,
        "enabled": True,
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tll": 3}, "unknown policy setting 'tll'; did you mean 'ttl'"),
        ({"zzzzzz": 3}, "valid: across_processes, .*, depends_on, .*, max_rows, slices, ttl, vary"),
        ({"ttl": 0}, "'ttl' must be a number of seconds above 0, got 0"),
        ({"ttl": -1.5}, "'ttl' must be a number of seconds above 0, got -1.5"),
        ({"ttl": True}, "'ttl'"),
        ({"ttl": "60"}, "'ttl' .* got '60'"),
        ({"ttl": None}, "'ttl'"),
        ({"ttl": float("nan")}, "'ttl'"),
        ({"ttl": float("inf")}, "'ttl'"),
        ({"max_rows": 0}, "'max_rows' must be a whole number of rows above 0, got 0"),
        ({"max_rows": 1.0}, "'max_rows'"),
        ({"max_rows": True}, "'max_rows'"),
        ({"max_bytes": -1}, "'max_bytes' must be a whole number of bytes above 0, got -1"),
        ({"collapse": -0.1}, "'collapse' must be a number of seconds from 0 to 60, got -0.1"),
        ({"collapse": True}, "'collapse'"),
        ({"collapse": float("nan")}, "'collapse'"),
        ({"across_processes": 1}, "'across_processes' must be True or False, got 1"),
        ({"enabled": 1}, "'enabled' must be True or False, got 1"),
        ({"depends_on": "orders"}, r"sequence of names such as \('orders',\), got 'orders'"),
        ({"depends_on": [1]}, "'depends_on'"),
        ({"slices": "tenant_id"}, r"sequence of names such as \('tenant_id',\)"),
        ({"slices": "abcd"}, "'slices'"),
        ({"slices": list("abcd")}, "at most 3 columns, got 4"),
        ({"depends_on": [""]}, "'depends_on'"),
        ({"depends_on": 3}, "'depends_on'"),
        ({"vary": "role"}, r"'vary' must be a sequence of names such as \('tenant',\)"),
        ({"vary": [None]}, "'vary'"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: dict, message: str):
    with pytest.raises(ConfigurationError, match=message):
        Policy(**settings)


def test_any_sequence_of_names_will_do():
    assert Policy(vary=["a", "b"]) == Policy(vary=(name for name in "ab"))


def test_a_policy_cannot_be_changed():
    policy = Policy(ttl=5)
    with pytest.raises(AttributeError, match="make a new one with ttl=6"):
        policy.ttl = 6
    assert policy.ttl == 5.0


def test_equality_is_by_settings():
    assert Policy(ttl=5) == Policy(ttl=5.0)
    assert hash(Policy(ttl=5)) == hash(Policy(ttl=5.0))
    assert Policy(ttl=5) != Policy(ttl=6)
    assert Policy(ttl=5) != {"ttl": 5}


def test_its_representation_makes_it_again():
    policy = Policy(ttl=5, vary=("role",), enabled=False)
    assert eval(repr(policy)) == policy


def test_override_replaces_some_settings():
    policy = Policy(ttl=5, max_rows=7)
    assert policy.override({"ttl": 9}) == Policy(ttl=9, max_rows=7)
    with pytest.raises(ConfigurationError, match="did you mean 'max_rows'"):
        policy.override({"max_row": 1})


def test_never_is_a_policy_that_is_not_enabled():
    assert Policy.never == Policy(enabled=False)


class TestStrictest:
    def test_of_none_is_none_and_of_one_is_that_one(self):
        policy = Policy(ttl=5)
        assert Policy.strictest([]) is None
        assert Policy.strictest(iter([policy])) is policy

    def test_honours_every_one(self):
        one = Policy(
            ttl=5, vary=["b"], depends_on=["x", "y"], max_rows=9, max_bytes=1, collapse=0.2
        )
        other = Policy(
            ttl=7, vary=["a", "b"], depends_on=["z"], max_rows=2, max_bytes=3, across_processes=True
        )
        expected = Policy(
            ttl=5,
            vary=("a", "b"),
            depends_on=("x", "y", "z"),
            max_rows=2,
            max_bytes=1,
            collapse=0.2,
            across_processes=True,
        )
        assert Policy.strictest([one, other]) == expected
        assert Policy.strictest([other, one]) == expected

    def test_one_never_is_never(self):
        assert not Policy.strictest([Policy(), Policy.never, Policy()]).enabled


class TestPolicies:
    def test_a_table_without_a_policy_has_the_default(self):
        assert Policies().for_table(None, "a") is None
        default = Policy(ttl=1)
        assert Policies(default).for_table("s", "a") is default

    def test_the_file_beats_the_name_beats_the_model_beats_the_default(self):
        policies = Policies(Policy(ttl=1))
        for ttl, layer in ((2, policies.by_model), (3, policies.by_name), (4, policies.from_file)):
            assert policies.for_table(None, "a").ttl == ttl - 1
            policies.set(layer, "a", Policy(ttl=ttl))
        assert policies.for_table(None, "a").ttl == 4
        assert policies.for_table(None, "b").ttl == 1

    def test_layers_are_listed_from_the_most_specific_source(self):
        policies = Policies()
        layers = (policies.from_file, policies.by_name, policies.by_model)
        assert all(one is other for one, other in zip(policies.layers, layers, strict=True))

    def test_a_name_with_its_schema_is_more_specific_within_one_source(self):
        policies = Policies()
        policies.set(policies.by_name, "a", Policy(ttl=1))
        policies.set(policies.by_name, "s.a", Policy(ttl=2))
        assert policies.for_table("s", "a").ttl == 2
        assert policies.for_table("t", "a").ttl == 1
        assert policies.for_table(None, "a").ttl == 1

    def test_the_source_counts_more_than_the_schema(self):
        policies = Policies()
        policies.set(policies.by_model, "s.a", Policy(ttl=1))
        policies.set(policies.by_name, "a", Policy(ttl=2))
        assert policies.for_table("s", "a").ttl == 2

    def test_names_are_found_whatever_their_case(self):
        policies = Policies()
        policies.set(policies.by_name, "Shop.Orders", Policy(ttl=1))
        assert policies.for_table("shop", "orders").ttl == 1

    def test_the_generation_changes_when_an_answer_may_have(self):
        policies = Policies()
        policies.set(policies.by_name, "a", Policy(ttl=1))
        first = policies.generation
        policies.set(policies.by_name, "A", Policy(ttl=1))
        assert policies.generation == first
        policies.set(policies.by_name, "a", Policy(ttl=2))
        assert policies.generation != first
        second = policies.generation
        policies.replace(policies.by_name, {})
        assert policies.generation not in (first, second)

    def test_replacing_a_layer_leaves_nothing_of_it(self):
        policies = Policies()
        policies.set(policies.by_model, "a", Policy(ttl=1))
        policies.replace(policies.by_model, {"B": Policy(ttl=2)})
        assert policies.for_table(None, "a") is None
        assert policies.for_table(None, "b").ttl == 2


def test_a_name_is_more_specific_than_a_pattern_and_a_long_pattern_than_a_short_one():
    policies = Policies(Policy(ttl=1))
    for name, ttl in {"*": 2, "shop.*": 3, "shop.audit_*": 4, "shop.audit_log": 5}.items():
        policies.set(policies.by_name, name, Policy(ttl=ttl))

    def ttl(schema: str | None, table: str) -> float:
        found = policies.for_table(schema, table)
        assert found is not None
        return found.ttl

    assert ttl("shop", "audit_log") == 5
    assert ttl("shop", "audit_trail") == 4
    assert ttl("shop", "products") == 3
    assert ttl("other", "products") == 2
    assert ttl(None, "products") == 2


def test_a_pattern_of_a_more_specific_source_wins_over_a_name():
    policies = Policies()
    policies.set(policies.by_name, "shop.products", Policy(ttl=10))
    policies.replace(policies.from_file, {"Shop.*": Policy(ttl=20)})
    found = policies.find("shop", "products")
    assert found is not None
    assert (found.policy.ttl, found.name) == (20, "shop.*")
