from ormcache.model import Scope
from ormcache.stores.debt import Debt, Due

A, B, C = (Scope(name) for name in "abc")


def test_nothing_is_owed_at_first():
    debt = Debt(10)
    assert not debt
    assert debt.due() == Due(0, frozenset(), everything=False)


def test_what_is_paid_is_owed_no_more():
    debt = Debt(10)
    debt.add((A, B))
    debt.add((B, C))
    due = debt.due()
    assert due == Due(2, frozenset((A, B, C)), everything=False)
    debt.paid(due._replace(scopes=frozenset((A,))))
    assert debt.due().scopes == {B, C}
    debt.paid(due)
    assert not debt


def test_what_is_added_during_a_payment_stays():
    debt = Debt(10)
    debt.add((A, B))
    due = debt.due()
    debt.add((A,))
    debt.paid(due)
    assert debt.due().scopes == {A}


def test_too_many_scopes_are_everything():
    debt = Debt(2)
    debt.add((A, B))
    assert str(debt) == "2 scopes"
    debt.add((C,))
    assert debt.due() == Due(2, frozenset(), everything=True)
    assert str(debt) == "everything"


def test_everything_that_is_added_during_a_payment_stays():
    debt = Debt(1)
    debt.add((A, B))
    due = debt.due()
    debt.add((C,))
    debt.paid(due)
    assert debt.due().everything
    debt.paid(debt.due())
    assert not debt


def test_paying_scopes_does_not_pay_everything():
    debt = Debt(1)
    debt.add((A, B))
    debt.paid(Due(debt.number, frozenset((A, B)), everything=False))
    assert debt.due().everything
