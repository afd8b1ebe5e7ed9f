import pytest

from ormcache.errors import ConfigurationError
from ormcache.model import Intent, Scope, new_token
from ormcache.stores.layout import Held, Layout, check_namespace, lease_id, parse_token


def test_keys():
    layout = Layout("shop")
    assert layout.entry("abc") == b"ormcache:shop:e:abc"
    assert layout.token(Scope("db/public.größe")) == "ormcache:shop:t:db/public.größe".encode()
    assert layout.token(Scope("\udc80")) != layout.token(Scope("?"))
    assert layout.pattern == b"ormcache:shop:*"


@pytest.mark.parametrize("namespace", ["a", "Shop_2.eu-west", "x" * 64])
def test_good_namespaces(namespace):
    assert check_namespace(namespace) == namespace


@pytest.mark.parametrize("bad", [":", "*", "?", "[", "\\", " ", "é", "\n", "{", "/"])
def test_a_bad_character_is_named(bad):
    with pytest.raises(ConfigurationError) as caught:
        check_namespace(f"shop{bad}")
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize("namespace", ["", "x" * 65])
def test_a_namespace_of_a_wrong_length_is_refused(namespace):
    with pytest.raises(ConfigurationError, match="1 to 64"):
        Layout(namespace)


def test_tokens_parse():
    token = new_token()
    assert parse_token(token) == Held(token, leased=False)
    assert parse_token(token + b"|lease:1") == Held(token, leased=True)
    assert parse_token(token + b"|a:1|b\n:2") == Held(token, leased=True)


@pytest.mark.parametrize(
    "raw", [None, b"", 5, [b"x"], b"short", b"x" * 17, b"x" * 16 + b"|", b"x" * 16 + b"\n"]
)
def test_what_is_no_token_is_none(raw):
    assert parse_token(raw) is None


def test_a_lease_holds_no_separator():
    assert lease_id(Intent("a|b:c%", ())) == "a%7Cb%3Ac%25"
    assert lease_id(Intent("plain-lease_1", ())) == "plain-lease_1"
