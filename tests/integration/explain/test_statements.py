"""
`cache.explain()` answers as the read path then does, statement by statement, on every database.
"""

import datetime as dt

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import joinedload

from tests.fixtures.apps import App
from tests.integration.explain.agreement import check, stock
from tests.shop import AuditLog, Category, Product

CACHED = {
    "entities": select(Product),
    "columns": select(Product.id, Product.name).where(Product.id == 1),
    "in": select(Product).where(Product.id.in_([1, 2])),
    "join": select(Product, Category).join(Product.category),
    "joinedload": select(Product).options(joinedload(Product.category)),
    "table": select(Product.__table__.c.name),
    "aggregate": select(func.count(Product.id)),
    "union": select(Product.name).union(select(Category.name)),
    "cte": select(select(Product.id).cte("some")),
    "text": text("SELECT name FROM products"),
    "string": "SELECT name FROM products",
    "from_statement": select(Product).from_statement(text("SELECT * FROM products")),
    "bindparam": select(Product).where(Product.name == bindparam("n", "tea 1")),
    "a ttl of its own": select(AuditLog).execution_options(ormcache=30),
    "settings of its own": select(Product).execution_options(ormcache={"max_rows": 5}),
    "tables declared": text("SELECT 1").execution_options(ormcache_tables=["products"]),
}
LEFT = {
    "no policy": (select(AuditLog), "cache.policy('audit_log', ttl=60)"),
    "one without policy": (
        select(Product).join(AuditLog, AuditLog.id == Product.id),
        "cache.policy('audit_log', ttl=60)",
    ),
    "no table": (text("SELECT 1"), "ormcache_tables"),
    "option": (select(Product).execution_options(ormcache=False), "option 'ormcache'"),
    "volatile": (select(Product.id, func.current_timestamp()), "pass the result as a parameter"),
    "for update": (select(Product).with_for_update(), "locks rows"),
    "streamed": (select(Product).execution_options(yield_per=2), "yield_per"),
    "stream_results": (text("SELECT id FROM products").execution_options(stream_results=True), ""),
    "fresh": (select(Product).execution_options(populate_existing=True), "populate_existing"),
}
LEFT_HERE = {
    "postgresql": {
        "unknown function": ("SELECT pg_jit_available() FROM products", "ormcache_tables"),
        "catalog": ("SELECT relname FROM pg_class", ""),
        "locks": ("SELECT id FROM products FOR SHARE", "locks rows"),
        "not parsable": ("SELECT id FROM products ORDER BY id USING <", "ormcache_tables"),
        "now": ("SELECT id FROM products WHERE added < 'now'", "compute the time"),
        "plan": ("EXPLAIN SELECT id FROM products", ""),
        "session": ("SELECT set_config('app.x', '1', true)", ""),
    },
    "mariadb": {
        "unknown function": ("SELECT charset(name) FROM products", "ormcache_tables"),
        "catalog": ("SELECT table_name FROM information_schema.tables", ""),
        "locks": ("SELECT id FROM products LOCK IN SHARE MODE", "locks rows"),
        "not parsable": ("SELECT id FROM products LIMIT ROWS EXAMINED 100", "ormcache_tables"),
        "variable": ("SELECT @x, id FROM products", ""),
        "plan": ("EXPLAIN SELECT id FROM products", ""),
        "show": ("SHOW TABLES", ""),
    },
    "sqlite": {
        "unknown function": ("SELECT sqlite_version() FROM products", "ormcache_tables"),
        "catalog": ("SELECT name FROM sqlite_master", ""),
        "plan": ("EXPLAIN QUERY PLAN SELECT id FROM products", ""),
        "pragma": ("PRAGMA user_version", ""),
    },
}


def test_what_is_cached(app: App):
    stock(app)
    for name, statement in CACHED.items():
        app.cache.clear()
        explained = check(app, statement)
        assert explained.cached, name
        assert (explained.kind, explained.advice, explained.invalidates) == ("read", "", ()), name
        assert explained.scopes[0].endswith("/*"), name
        assert len(explained.scopes) > 1, name
        assert str(explained).startswith("cached     yes\n"), name


def test_what_is_left_to_the_database(app: App, database):
    stock(app)
    cases = {**LEFT, **LEFT_HERE[database.name]}
    for name, (statement, advised) in cases.items():
        explained = check(app, statement)
        assert not explained.served, name
        assert not explained.stored, name
        assert explained.reason is not None, name
        assert advised in explained.advice, name
        assert bool(advised) == bool(explained.advice) or name == "stream_results", name
        assert explained.advice or "no setting does" in str(explained), name


def test_following_the_advice_helps(app: App, database):
    stock(app)
    explain = app.cache.explain
    assert "cache.policy('audit_log', ttl=60)" in explain(select(AuditLog)).advice
    app.cache.policy("audit_log", ttl=60)
    assert explain(select(AuditLog)).cached
    for name in ("unknown function", "not parsable"):
        if name in LEFT_HERE[database.name]:
            statement = text(LEFT_HERE[database.name][name][0])
            assert "ormcache_tables" in explain(statement).advice
            declared = statement.execution_options(ormcache_tables=["products"])
            assert check(app, declared).cached
    added = "SELECT id FROM products WHERE added < :moment"
    assert explain(added, {"moment": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}).cached


def test_a_table_that_is_not_in_the_catalog(app: App):
    stock(app)
    statement = text("SELECT * FROM fresh").execution_options(ormcache=60)
    assert app.cache.explain(statement).advice.startswith("if it was created outside of ormcache")
    plain = app.database.plain_engine()
    with plain.begin() as connection:
        connection.execute(text("CREATE TABLE fresh (id int)"))
    plain.dispose()
    app.cache.clear()
    for _ in range(2):
        with app.Session() as session:
            session.execute(select(Product)).all()
    assert check(app, statement).cached
