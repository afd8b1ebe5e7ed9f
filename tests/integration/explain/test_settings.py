"""
`cache.explain()` says which settings are in force, who made them, and what they would have to be.
"""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from ormcache import Policy, Reason
from tests.fixtures.apps import App, MakeApp
from tests.integration.explain.agreement import check, sqlite_only, stock
from tests.shop import AuditLog, Category, Customer, Product


def test_modes_and_blocks(app: App):
    stock(app)
    statement = select(Product)
    assert check(app, statement).cached
    with app.cache.refresh():
        again = check(app, statement, first=False)
        assert (again.served, again.stored, again.reason) == (False, True, Reason.ASKED)
        assert again.advice == "leave the cache.refresh() block"
        assert "stored but not served" in str(again)
    with app.cache.bypass():
        bypassed = app.cache.explain(statement)
        assert (bypassed.reason, bypassed.detail) == (Reason.ASKED, "bypass()")
        assert bypassed.advice == "leave the cache.bypass() block"
        assert bypassed.tables == ("products",)
    app.cache.mode = "off"
    off = app.cache.explain(statement)
    assert (off.reason, off.advice) == (Reason.OFF, "set cache.mode = 'on'")
    assert off.policy == Policy(ttl=300)
    app.cache.mode = "shadow"
    shadow = check(app, statement, first=False)
    assert (shadow.served, shadow.stored, shadow.reason) == (False, True, Reason.SHADOW)


@sqlite_only
def test_where_the_settings_in_force_come_from(make_app: MakeApp, tmp_path: Path):
    path = tmp_path / "ormcache.toml"
    path.write_text("[tables.customers]\nmax_rows = 7\n")
    app = make_app(policy_file=path, default=Policy(ttl=900))
    app.cache.policy("categories", ttl=60, depends_on=["orders"])

    def origins(statement) -> dict[str, str]:
        return dict(app.cache.explain(statement).origins)

    assert set(origins(select(Product)).values()) == {"the model of products"}
    assert set(origins(select(AuditLog)).values()) == {"the default policy"}
    assert origins(select(Customer))["max_rows"] == "the policy file, tables.customers"
    joined = app.cache.explain(select(Product).join(Category))
    assert joined.policy.ttl == 60
    assert joined.origins["ttl"] == "cache.policy('categories')"
    assert joined.origins["depends_on"] == "cache.policy('categories')"
    assert joined.origins["max_rows"] == "cache.policy('categories') and the model of products"
    assert "vary" not in joined.origins
    assert [scope.partition("/")[2] for scope in joined.scopes] == [
        "*",
        "main.categories",
        "main.orders",
        "main.products",
    ]
    said = app.cache.explain(select(Product).execution_options(ormcache={"ttl": 5}))
    assert said.origins["ttl"] == "the statement's own option"
    assert said.origins["max_bytes"] == "the model of products"
    assert "policy     ttl=5.0 by the statement's own option" in str(said)


@sqlite_only
def test_what_never_is_says_who_said_so(make_app: MakeApp, tmp_path: Path):
    path = tmp_path / "ormcache.toml"
    path.write_text("[tables.customers]\nenabled = false\n")
    app = make_app(policy_file=path)
    app.cache.policy("products", Policy.never)
    stock(app)
    assert check(app, select(Customer)).advice == (
        "set enabled = true for tables.customers in the policy file"
    )
    explained = check(app, select(Product).join(Category))
    assert (explained.reason, explained.advice) == (
        Reason.NEVER,
        "give products another policy: cache.policy('products', ttl=60)",
    )
    app.cache.policy("products", ttl=60)
    assert check(app, select(Product).join(Category)).cached


def test_vary(app: App):
    stock(app)
    app.cache.policy("products", vary=["tenant"])
    missing = check(app, select(Product))
    assert (missing.reason, missing.vary) == (Reason.PARAMETERS, {"tenant": False})
    assert missing.advice == "register it: cache.vary('tenant', current_tenant)"
    assert "varies by     tenant, which has no value now" in str(missing)
    app.cache.vary("tenant", {}.popitem)
    assert "repair the function" in check(app, select(Product)).advice
    app.cache.vary("tenant", lambda: "a")
    one = check(app, select(Product))
    assert one.vary == {"tenant": True}
    assert one.cached
    app.cache.vary("tenant", lambda: "b")
    assert check(app, select(Product)).key != one.key


class Name(str):
    __slots__ = ()


def test_parameters(app: App, database):
    stock(app)
    statement = "SELECT id FROM products WHERE name = :name"
    ours = check(app, statement, {"name": Name("secret")})
    assert ours.reason is Reason.PARAMETERS
    assert "instead of a" in ours.advice
    plain = check(app, statement, {"name": "secret"})
    assert plain.cached
    assert plain.key != check(app, statement, {"name": "other"}).key
    assert "secret" not in f"{plain!r} {plain} {ours!r} {ours}"
    with pytest.raises(StatementError):
        app.cache.explain(statement)
    if database.name != "mariadb":
        now = "SELECT id FROM products WHERE added < :moment"
        assert "as a datetime" in check(app, now, {"moment": "now"}).advice
