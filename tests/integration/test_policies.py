"""
What the user asks for is what happens: policies, options, blocks, modes.
"""

import os
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ormcache import Cache, ConfigurationError, Outcome, Policy, Reason
from tests.fixtures.apps import App, MakeApp
from tests.shop import AuditLog, Category, Product

HIT, MISS, BYPASS, STALE = Outcome.HIT, Outcome.MISS, Outcome.BYPASS, Outcome.STALE

# What a policy means does not depend on the database.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def stock(app: App) -> None:
    with app.Session() as session:
        session.add(Category(id=1, name="tea"))
        session.add_all(Product(id=i, name=f"tea {i}", price=Decimal(i)) for i in (1, 2, 3))
        session.add(AuditLog(id=1, text="x"))
        session.commit()
    app.log.outcomes()


def names(app: App, *, twice: bool = True, **options) -> list[Outcome]:
    statement = select(Product.name).execution_options(**options)
    for _ in range(2 if twice else 1):
        with app.Session() as session:
            assert len(session.scalars(statement).all()) == 3
    return app.log.outcomes()


def test_a_table_without_policy_is_not_cached(app: App):
    stock(app)
    both = select(AuditLog).join(Product, AuditLog.id == Product.id)
    for statement in (select(AuditLog), both):
        with app.Session() as session:
            session.execute(statement).all()
        assert app.log.last().reason is Reason.NO_POLICY
        assert app.log.last().detail == "audit_log"


def test_the_default_policy_turns_it_around(make_app: MakeApp):
    app = make_app(default=Policy(ttl=60))
    stock(app)
    for _ in range(2):
        with app.Session() as session:
            session.execute(select(AuditLog)).all()
    assert app.log.outcomes() == [MISS, HIT]
    app.cache.policy("audit_log", Policy.never)
    with app.Session() as session:
        session.execute(select(AuditLog)).all()
    assert app.log.last().reason is Reason.NEVER


def test_policy_by_name_overrides_the_model(app: App):
    stock(app)
    assert names(app) == [MISS, HIT]
    app.cache.policy("products", Policy.never)
    assert names(app) == [BYPASS, BYPASS]
    app.cache.policy(Product, ttl=60)
    assert names(app)[-1] is HIT


def test_the_policy_file_overrides_both_and_is_read_again(
    make_app: MakeApp, tmp_path: Path, monkeypatch
):
    path = tmp_path / "ormcache.toml"
    path.write_text("[tables.products]\nenabled = false\n")
    app = make_app(policy_file=path)
    stock(app)
    assert names(app) == [BYPASS, BYPASS]
    path.write_text("[tables.products]\nttl = 30\n")
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr("ormcache.settings._CHECK_SECONDS", -1.0)
    assert names(app) == [MISS, HIT]
    path.write_text("[tables.products]\nttl = nonsense\n")
    assert names(app) == [HIT, HIT]


def test_options_of_one_statement(app: App):
    stock(app)
    assert names(app, ormcache=False) == [BYPASS, BYPASS]
    assert names(app, ormcache=True) == [MISS, HIT]
    assert names(app, ormcache={"max_rows": 2}) == [HIT, HIT]
    with app.Session() as session:
        statement = select(AuditLog).execution_options(ormcache=30)
        assert [len(session.scalars(statement).all()) for _ in range(2)] == [1, 1]
    assert app.log.outcomes() == [MISS, HIT]


def test_results_above_the_limits_are_not_stored(app: App):
    stock(app)
    app.cache.policy("products", max_rows=2)
    assert names(app) == [MISS, MISS]
    app.cache.policy("products", max_bytes=10)
    with app.Session() as session:
        session.scalars(select(Product.name)).all()
    assert app.log.last().reason is Reason.TOO_LARGE
    app.log.outcomes()
    app.cache.policy("products", max_rows=3)
    assert names(app) == [MISS, HIT]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ormcach": False}, None),
        ({"ormcache_table": ["x"]}, "did you mean 'ormcache_tables'"),
        ({"ormcache": "yes"}, "takes True, False, seconds"),
        ({"ormcache": {"tll": 3}}, "did you mean 'ttl'"),
        ({"ormcache": -1}, "'ttl' must be a number of seconds above 0, got -1"),
        ({"ormcache_tables": "products"}, "must be a sequence of names"),
    ],
)
def test_a_wrong_option_is_an_error_that_says_so(app: App, options: dict, message: str | None):
    stock(app)
    if message is None:
        names(app, **options)  # another library's option, for all we know
        return
    with pytest.raises(ConfigurationError, match=message):
        names(app, **options)


def test_blocks(app: App):
    stock(app)
    assert names(app) == [MISS, HIT]
    with app.cache.bypass():
        assert names(app) == [BYPASS, BYPASS]
        assert app.cache.bypassing
    with app.cache.refresh():
        assert names(app) == [BYPASS, BYPASS]
    assert not app.cache.bypassing
    assert names(app) == [HIT, HIT]


def test_refresh_replaces_what_was_changed_behind_our_back(app: App):
    stock(app)
    names(app)
    plain = app.database.plain_engine()
    with plain.begin() as connection:
        connection.execute(text("UPDATE products SET name = 'behind'"))
    plain.dispose()
    with app.cache.refresh(), app.Session() as session:
        assert set(session.scalars(select(Product.name))) == {"behind"}
    with app.Session() as session:
        assert set(session.scalars(select(Product.name))) == {"behind"}
    assert app.log.last().outcome is HIT


def test_modes(app: App):
    stock(app)
    assert names(app) == [MISS, HIT]
    app.cache.mode = "off"
    assert names(app) == [BYPASS, BYPASS]
    with app.Session() as session:
        session.get(Product, 1).name = "written while off"
        session.commit()
    app.log.outcomes()
    app.cache.mode = "on"
    assert names(app) == [STALE, HIT]
    app.cache.mode = "shadow"
    app.sent_since()
    assert names(app) == [BYPASS, BYPASS]
    assert len(app.sent_since()) == 2
    assert app.log.differences == []
    with pytest.raises(ConfigurationError, match="did you mean 'shadow'"):
        app.cache.mode = "shado"


def test_clear_empties_one_namespace(app: App, make_app: MakeApp, namespace: str):
    other = make_app(namespace=namespace + "2")
    stock(app)
    assert names(app) == [MISS, HIT]
    assert names(other) == [MISS, HIT]
    app.cache.clear()
    assert names(app) == [MISS, HIT]
    assert names(other) == [HIT, HIT]


def test_vary_keeps_tenants_apart(app: App):
    stock(app)
    tenant = "a"
    app.cache.vary("tenant", lambda: tenant)
    app.cache.policy("products", vary=["tenant"])
    assert names(app) == [MISS, HIT]
    tenant = "b"
    assert names(app) == [MISS, HIT]
    tenant = "a"
    assert names(app) == [HIT, HIT]


def test_a_vary_without_a_value_is_not_cached(app: App):
    stock(app)
    app.cache.policy("products", vary=["tenent"])
    app.cache.vary("tenant", lambda: 1)
    assert names(app) == [BYPASS, BYPASS]
    app.cache.vary("tenent", {}.popitem)
    with app.Session() as session:
        assert len(session.scalars(select(Product.name)).all()) == 3
    assert app.log.last().reason is Reason.PARAMETERS
    assert app.log.last().detail == "vary 'tenent' raised KeyError"


def test_never_cached_reads(app: App):
    stock(app)
    with app.Session() as session:
        product = session.get(Product, 1)
        app.log.outcomes()
        session.refresh(product)
        session.scalars(select(Product).execution_options(populate_existing=True)).all()
        session.scalars(select(Product).with_for_update()).all()
        session.scalars(select(Product).execution_options(yield_per=2)).all()
        session.scalar(select(func.random()))
        session.scalar(select(func.count(Product.id)).where(func.random() != 1))
    assert app.log.outcomes() == [BYPASS] * 6


def test_own_uncommitted_writes_are_read(app: App):
    stock(app)
    names(app)
    with app.Session() as session:
        session.add(Product(id=50, name="mine", price=1))
        assert len(session.scalars(select(Product.name)).all()) == 4
        assert app.log.last().reason is Reason.OWN_WRITES
        session.rollback()
    app.log.outcomes()
    assert names(app) == [HIT, HIT]


@pytest.mark.parametrize("kind", ["engine", "sessionmaker", "scoped_session", "class", "instance"])
def test_every_target_can_be_enabled_and_restored(
    app: App, namespace: str, redis_server, kind: str
):
    stock(app)
    engine = create_engine(app.database.url)
    factory = sessionmaker(engine)

    class Own(Session):
        pass

    instance = Session(engine)
    target, make = {
        "engine": (engine, factory),
        "sessionmaker": (factory, factory),
        "scoped_session": (scoped_session(factory), factory),
        "class": (Own, lambda: Own(engine)),
        "instance": (instance, lambda: instance),
    }[kind]
    cache = Cache.from_url(redis_server.url, namespace=namespace + kind, timeout=5.0)
    cache.enable(target)
    for _ in range(4):
        with make() as session:
            session.scalars(select(Product)).all()
    assert cache.counts[HIT] >= 2
    with pytest.raises(ConfigurationError, match="another cache is enabled"):
        app.cache.enable(target if isinstance(target, Engine) else engine)
    cache.disable(target)
    hits = cache.counts[HIT]
    with make() as session:
        session.scalars(select(Product)).all()
    assert cache.counts[HIT] == hits
    assert "_connection_cls" not in engine.__dict__
    assert not {"do_commit", "do_execute", "_ormcache"} & set(engine.dialect.__dict__)
    with pytest.raises(ConfigurationError, match="not enabled"):
        cache.disable(target)
    cache.close()
    engine.dispose()


def test_an_enabled_engine_caches_plain_connections(app: App, namespace: str, redis_server):
    stock(app)
    engine = create_engine(app.database.url)
    cache = Cache.from_url(redis_server.url, namespace=namespace + "core", timeout=5.0)
    cache.enable(engine)
    for derived in (engine, engine, engine.execution_options(logging_token="x")):
        with derived.connect() as connection:
            assert len(connection.execute(select(Product.__table__)).all()) == 3
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM products").scalar() == 3
        assert connection.exec_driver_sql("SELECT count(*) FROM products").scalar() == 3
    assert (cache.counts[MISS], cache.counts[HIT]) == (2, 3)
    cache.close()
    engine.dispose()
