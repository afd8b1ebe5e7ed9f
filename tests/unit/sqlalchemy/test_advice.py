"""
Every reason that a user can do something about comes with what to do.
"""

import pytest

from ormcache import Policy, Reason
from ormcache.policy import Found, Origin
from ormcache.sqlalchemy.advice import Circumstances, advice
from ormcache.sqlalchemy.connectionstate import ConnectionState

MADE_WHILE_READING = {
    Reason.IN_DOUBT,
    Reason.STORE,
    Reason.RECOVERING,
    Reason.UNDECODABLE,
    Reason.TAMPERED,
    Reason.FOREIGN_SEAL,
    Reason.UNSTORABLE,
    Reason.TOO_LARGE,
}
NOTHING_TO_SET = {Reason.DATABASE}


def circumstances(**given) -> Circumstances:
    settings = {
        "plan": None,
        "found": {"orders": None},
        "origins": {},
        "vary": {},
        "state": ConnectionState(),
        "listener": None,
    }
    return Circumstances(**{**settings, **given})


@pytest.mark.parametrize("reason", set(Reason) - MADE_WHILE_READING - NOTHING_TO_SET)
def test_every_other_reason_has_its_advice(reason: Reason):
    detail = "not parsable" if reason is Reason.STATEMENT else ""
    found = {"orders": Found(Policy.never, Origin.NAME, "orders")} if reason is Reason.NEVER else {}
    assert advice(reason, detail, circumstances(found=found))


@pytest.mark.parametrize("reason", MADE_WHILE_READING | NOTHING_TO_SET)
def test_no_advice_is_made_up(reason: Reason):
    assert advice(reason, "", circumstances()) == ""


def test_every_table_that_lacks_a_policy_is_named():
    found = {"orders": None, "products": Found(Policy(), Origin.MODEL, "products"), "lines": None}
    assert advice(Reason.NO_POLICY, "lines, orders", circumstances(found=found)) == (
        "give lines and orders a policy: "
        "cache.policy('lines', ttl=60), cache.policy('orders', ttl=60)"
    )


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("unknown function f()", "ormcache_tables"),
        ("volatile function now()", "as a parameter"),
        ("relative time", "as a parameter"),
        ("several statements", "one by one"),
        ("a table may be in any schema", "schema"),
        ("table x is not in the catalog", "cache.clear()"),
        ("system catalog", ""),
        ("row-level security on orders", ""),
    ],
)
def test_what_to_change_about_a_statement(detail: str, said: str):
    found = advice(Reason.STATEMENT, detail, circumstances())
    assert said in found
    assert bool(said) == bool(found)


def test_what_to_change_about_a_session():
    state = ConnectionState()
    state.session.said("SET app.tenant = '3'", None)
    given = circumstances(state=state, listener="a listener")
    assert "vary=['app.tenant']" in advice(Reason.SESSION_STATE, "app.tenant", given)
    assert "trust_listeners" in advice(Reason.SESSION_STATE, "a listener", given)
    state.failed = True
    assert "roll" in advice(Reason.SESSION_STATE, "a statement failed", given)
