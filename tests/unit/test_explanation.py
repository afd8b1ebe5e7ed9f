"""
An explanation says where each setting was made, and reads as a few aligned lines.
"""

import pytest

from ormcache import Explanation, Policy, Reason
from ormcache.explanation import origins_of
from ormcache.model import Scope
from ormcache.policy import Found, Origin

PRODUCTS = Found(Policy(ttl=60, vary=["tenant"]), Origin.NAME, "products")
ORDERS = Found(Policy(ttl=300, max_rows=5), Origin.MODEL, "shop.orders")


def explanation(**fields) -> Explanation:
    settings = {
        "statement": "SELECT id\nFROM products",
        "kind": "read",
        "served": True,
        "stored": True,
        "reason": None,
        "detail": "",
        "advice": "",
        "tables": ("products",),
        "scopes": (Scope("db/*"), Scope("db/main.products")),
        "invalidates": (),
        "policy": Policy(ttl=60),
        "origins": {"ttl": "cache.policy('products')"},
        "vary": {},
        "key": "0123",
        "engine": "Engine(sqlite://)",
    }
    return Explanation(**{**settings, **fields})


def test_of_several_policies_the_one_that_decides_is_named():
    policy = Policy.strictest((PRODUCTS.policy, ORDERS.policy))
    assert origins_of(policy, {"products": PRODUCTS, "orders": ORDERS}, ("max_bytes",)) == {
        "ttl": "cache.policy('products')",
        "vary": "cache.policy('products')",
        "max_rows": "the model of shop.orders",
        "max_bytes": "the statement's own option",
        "collapse": "cache.policy('products') and the model of shop.orders",
        "across_processes": "cache.policy('products') and the model of shop.orders",
        "enabled": "cache.policy('products') and the model of shop.orders",
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found(Policy(), Origin.FILE, "orders"), "the policy file, tables.orders"),
        (Found(Policy(), Origin.DEFAULT, ""), "the default policy"),
    ],
)
def test_every_source_has_a_name(found: Found, said: str):
    assert origins_of(found.policy, {"orders": found}, ())["ttl"] == said


def test_a_setting_that_nobody_made_is_the_default():
    assert origins_of(Policy(ttl=5), {}, ("ttl",)) == {
        "ttl": "the statement's own option",
        "max_rows": "default",
        "max_bytes": "default",
        "collapse": "default",
        "across_processes": "default",
        "enabled": "default",
    }


def test_what_is_cached_reads_as_a_few_aligned_lines():
    assert str(explanation(vary={"tenant": True})).splitlines() == [
        "cached     yes",
        "statement  SELECT id FROM products",
        "tables     products",
        "policy     ttl=60.0 by cache.policy('products')",
        "varies by  tenant, which has a value now",
        "ended by   a commit that changes main.products",
        "key        0123",
        "engine     Engine(sqlite://)",
    ]


@pytest.mark.parametrize(
    ("served", "stored", "verdict"),
    [
        (False, False, "no, a policy says never"),
        (True, False, "served but not stored, a policy says never"),
        (False, True, "stored but not served, a policy says never"),
    ],
)
def test_what_is_not_says_why_and_what_to_do(served: bool, stored: bool, verdict: str):
    said = explanation(served=served, stored=stored, reason=Reason.NEVER, advice="do this")
    assert not said.cached
    assert str(said).splitlines()[:2] == [f"cached        {verdict}", "to change it  do this"]
    plain = explanation(served=served, stored=stored, reason=Reason.NEVER)
    assert "to change it  no setting does" in str(plain)


def test_a_change_says_what_it_invalidates():
    change = explanation(
        kind="write",
        served=False,
        stored=False,
        scopes=(),
        policy=None,
        origins={},
        key=None,
        invalidates=(Scope("db/main.orders"), Scope("db/main.products")),
    )
    assert str(change).splitlines()[0] == "cached       no, it is a write statement"
    assert "invalidates  main.orders, main.products" in str(change)
    anything = explanation(kind="ddl", served=False, stored=False, invalidates=(Scope("db/*"),))
    assert "invalidates  anything in the database" in str(anything)
