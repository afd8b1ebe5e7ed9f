"""
What one is told to change.
"""

import pytest

from ormcache import Policy, Reason
from ormcache.policy import Found, Origin
from ormcache.pymongo.advice import advice

NEVER = Policy.never


def of(reason, detail="", *, found=None, said=None, vary=None) -> str:
    return advice(reason, detail, found or {}, said, vary or {})


@pytest.mark.parametrize(
    ("reason", "detail", "told"),
    [
        (Reason.OFF, "", "cache.mode = 'on'"),
        (Reason.ASKED, "", "refresh() block"),
        (Reason.ASKED, "bypass()", "bypass() block"),
        (Reason.STATEMENT, "$$NOW", "compute the time"),
        (Reason.STATEMENT, "$where", "$expr"),
        (Reason.STATEMENT, "the option foo", "leave it out"),
        (Reason.STATEMENT, "a view: $rand", "what the view is made of"),
        (Reason.STATEMENT, "$rand", ""),
        (Reason.STATEMENT, "automatic encryption", ""),
        (Reason.ISOLATION, "a snapshot session", "no snapshot"),
        (Reason.ISOLATION, "read concern majority", "ReadConcern('local')"),
        (Reason.ISOLATION, "the deployment's default read concern", "ReadConcern('local')"),
        (Reason.DATABASE, "no server that takes writes has told who it is", "primary"),
        (Reason.PARAMETERS, "InvalidDocument", "codec options"),
        (Reason.STORE, "it does not answer", ""),
    ],
)
def test_each_reason_has_its_advice(reason, detail, told):
    said = of(reason, detail)
    assert told in said
    assert bool(said) is bool(told)


def test_every_collection_without_a_policy_is_named():
    said = of(Reason.NO_POLICY, "shop.a, shop.b")
    assert said == (
        "give shop.a and shop.b a policy: "
        "cache.policy('shop.a', ttl=60), cache.policy('shop.b', ttl=60)"
    )


def test_what_forbids_is_named_where_it_is_set():
    allowed = {"shop.a": Found(Policy(), Origin.NAME, "shop.*"), "shop.c": None}
    by_file = {**allowed, "shop.b": Found(NEVER, Origin.FILE, "shop.b")}
    by_name = {**allowed, "shop.b": Found(NEVER, Origin.NAME, "shop.*")}
    assert of(Reason.NEVER, found=by_file) == (
        "set enabled = true for tables.shop.b in the policy file"
    )
    assert "cache.policy('shop.b', ttl=60)" in of(Reason.NEVER, found=by_name)
    assert of(Reason.NEVER, found=allowed, said=False) == "leave out uncached()"
    assert "with_cache()" in of(Reason.NEVER, found=allowed, said=NEVER)


def test_what_varies_must_have_a_value():
    vary = {"role": True, "tenant": False}
    assert "cache.vary('tenant', " in of(Reason.PARAMETERS, "vary 'tenant': register", vary=vary)
    assert "repair" in of(Reason.PARAMETERS, "vary 'tenant' raised KeyError", vary=vary)
