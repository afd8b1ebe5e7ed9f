"""
Wrong settings are told at configuration time, by name, with what would be right.
"""

import pytest
from sqlalchemy.orm import sessionmaker

from ormcache import Cache, ConfigurationError, Policy
from tests.shop import Product


@pytest.mark.parametrize(
    ("url", "settings", "message"),
    [
        ("redis//localhost", {}, "redis://"),
        ("redsi://localhost", {}, "redis"),
        ("", {}, "redis://"),
        ("memory://", {"namespace": "a b"}, "namespace"),
        ("memory://", {"namespace": ""}, "namespace"),
        ("memory://", {"mode": "onn"}, "did you mean 'on'"),
        ("memory://", {"lease_seconds": 0}, "lease_seconds"),
        ("memory://", {"lease": 3}, "did you mean 'lease_seconds'"),
        ("memory://", {"default": 3}, "default"),
        ("memory://", {"timeout": -1}, "timeout"),
        ("memory://", {"on_outage": "refused"}, "did you mean 'refuse'"),
        ("memory://", {"recovery_grace": -1}, "recovery grace"),
        ("memory://", {"policy_file": "/does/not/exist.toml"}, "cannot be read"),
    ],
)
def test_wrong_settings(url: str, settings: dict, message: str):
    with pytest.raises(ConfigurationError, match=message):
        Cache.from_url(url, **settings)


def test_a_policy_for_an_unknown_table_names_the_nearest():
    cache = Cache.from_url("memory://")
    cache.policy("product", ttl=3)
    with pytest.raises(
        ConfigurationError, match=r"unknown table in a policy 'product'; did you mean 'products'"
    ):
        cache.enable(sessionmaker())
    cache = Cache.from_url("memory://")
    cache.enable(sessionmaker())
    cache.policy(Product, ttl=3)
    with pytest.raises(ConfigurationError, match="did you mean 'products'"):
        cache.policy("productss", ttl=3)
    cache.policy("products", ttl=3)
    cache.close()


@pytest.mark.parametrize("target", [3, "engine", object(), Product])
def test_enable_says_what_it_takes(target: object):
    with pytest.raises(ConfigurationError, match="a cache can be enabled on"):
        Cache.from_url("memory://").enable(target)


def test_policy_calls_are_checked():
    cache = Cache.from_url("memory://")
    with pytest.raises(ConfigurationError, match="not both"):
        cache.policy("products", Policy(), ttl=3)
    with pytest.raises(ConfigurationError, match="expected a Policy"):
        cache.policy("products", 3)
    with pytest.raises(ConfigurationError, match="a table name, a Table or a mapped class"):
        cache.policy(3, ttl=3)
    with pytest.raises(ConfigurationError, match="takes a function"):
        cache.vary("tenant", "a")


def test_repr_shows_state():
    cache = Cache.from_url("memory://", mode="shadow")
    assert repr(cache).startswith("<Cache mode='shadow' store=")
