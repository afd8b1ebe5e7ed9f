"""
Rows that the server hands out piece by piece: the application gets all of them, from the server.
"""

import pytest
from sqlalchemy import select

from ormcache import Outcome, Reason
from tests.fixtures.apps import MakeApp
from tests.shop import Customer


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_an_engine_with_server_side_cursors_returns_every_row(make_app: MakeApp):
    with pytest.warns(match="server_side_cursors"):
        app = make_app(engine={"server_side_cursors": True})
    with app.Session() as session:
        session.add_all(Customer(id=i, name=f"customer {i}") for i in (1, 2, 3))
        session.commit()

    for _ in range(2):
        with app.Session() as session:
            assert list(session.scalars(select(Customer.id).order_by(Customer.id))) == [1, 2, 3]

    assert app.log.outcomes() == [Outcome.BYPASS, Outcome.BYPASS]
    assert app.cache.reasons[Reason.ASKED] == 2
