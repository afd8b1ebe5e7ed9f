"""
`cache.explain()` hears the application's listeners, and understands legacy queries.
"""

import pytest
from sqlalchemy import bindparam, event, select, text
from sqlalchemy.orm import with_loader_criteria

from ormcache import ConfigurationError, Reason
from tests.fixtures.apps import App
from tests.integration.explain.agreement import Keys, check, stock
from tests.shop import AuditLog, Product


def test_listeners_that_change_the_statement(app: App):
    stock(app)

    def only_the_first(state) -> None:
        criteria = with_loader_criteria(Product, Product.id == 1)
        state.statement = state.statement.options(criteria)

    event.listen(app.Session, "do_orm_execute", only_the_first)
    explained = check(app, select(Product))
    assert "WHERE products.id = " in explained.statement
    assert explained.cached
    event.remove(app.Session, "do_orm_execute", only_the_first)


def test_a_listener_that_may_rewrite_the_sql(app: App):
    stock(app)

    def same(_conn, _cursor, statement, parameters, _context, _many):
        return statement, parameters

    event.listen(app.engine, "before_cursor_execute", same, retval=True)
    explained = check(app, select(Product))
    assert explained.reason is Reason.SESSION_STATE
    assert explained.advice.endswith("Cache(..., trust_listeners=True)")
    app.cache.trust_listeners = True
    assert check(app, select(Product)).cached


def test_a_listener_that_answers_itself(app: App):
    def answer(state):
        return state.session.connection().execute(text("SELECT 1"))

    event.listen(app.Session, "do_orm_execute", answer)
    with pytest.raises(ConfigurationError, match="do_orm_execute"):
        app.cache.explain(select(Product))
    event.remove(app.Session, "do_orm_execute", answer)


def test_a_listener_to_new_connections_hears_of_none(app: App):
    stock(app)
    with app.Session() as session:
        session.scalars(select(Product)).all()
        heard = []
        event.listen(app.engine, "engine_connect", heard.append)
        assert app.cache.explain(select(Product), bind=session).cached
        assert heard == []


def test_legacy_queries(app: App):
    stock(app)
    with app.Session() as session:
        query = session.query(Product).filter(Product.id == 2)
        explained = app.cache.explain(query)
        assert explained.cached
        assert not session.in_transaction()
        keys = Keys(app.cache.store)
        app.cache.store = keys
        assert query.one().id == 2
        assert explained.key in keys.asked
        app.cache.store = keys._store
        assert app.cache.explain(query.populate_existing()).detail == "populate_existing"
        assert app.cache.explain(query.yield_per(2)).detail == "streamed rows"
        named = session.query(Product).filter(Product.name == bindparam("n"))
        assert app.cache.explain(named, {"n": "tea 1"}).cached
        assert app.cache.explain(session.query(AuditLog)).reason is Reason.NO_POLICY
