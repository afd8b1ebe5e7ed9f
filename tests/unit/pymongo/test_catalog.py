import pytest

from ormcache.effects import Fetch
from ormcache.model import Fetched, Token, TokenState
from ormcache.policy import Policy
from ormcache.pymongo.catalog import Catalog, KnownCatalog, Told
from ormcache.pymongo.names import Namespace
from ormcache.pymongo.plan import make_plan


def view(name, on, *pipeline):
    return {"name": name, "type": "view", "options": {"viewOn": on, "pipeline": list(pipeline)}}


def catalog(*views, default=None, users=()) -> Catalog:
    told = Told({"authInfo": {"authenticatedUsers": list(users)}}, views, default)
    return Catalog("shop", told)


def shop(*names):
    return {Namespace("shop", name) for name in names}


def test_a_view_is_read_with_all_that_it_is_built_on():
    known = catalog(
        view("cheap", "products", {"$lookup": {"from": "rates", "as": "r"}}),
        view("cheapest", "cheap", {"$unionWith": "rates_view"}),
        view("rates_view", "rates"),
    )
    facts = known.resolve(shop("cheapest"))
    assert facts.reads == shop("cheapest", "cheap", "products", "rates", "rates_view")
    assert facts.refusal is None


def test_views_in_a_circle_end():
    known = catalog(view("a", "b"), view("b", "a"))
    assert known.resolve(shop("a")).reads == shop("a", "b")


def test_a_view_that_is_not_the_same_each_time_is_refused():
    assert catalog(view("v", "a", {"$sample": {"size": 1}})).resolve(shop("v")).refusal == "$sample"


@pytest.mark.parametrize(
    ("default", "local"),
    [
        (None, True),
        ({"ok": 1}, True),
        ({"defaultReadConcern": {"level": "local"}}, True),
        ({"defaultReadConcern": {"level": "majority"}}, False),
    ],
)
def test_the_default_read_concern_is_local_unless_it_was_set(default, local):
    assert catalog(default=default).reads_local is local


def test_users_are_told_apart():
    users = [{"user": "ann", "db": "admin"}, {"user": "bob", "db": "shop"}]
    names = {catalog(users=some).user for some in ([], users[:1], users[1:], users)}
    assert len(names) == 4
    assert catalog(users=users).user == catalog(users=users[::-1]).user


def states(*tokens, in_doubt=False):
    return tuple(TokenState(Token(token), in_doubt) for token in tokens)


SCOPES = KnownCatalog.scopes("shop")


def test_a_catalog_is_stale_once_its_database_has_another_token():
    known = KnownCatalog(catalog(), states(b"1", b"2"))
    known.watch(Fetch("key", SCOPES), Fetched(None, states(b"1", b"2", b"3")))
    assert not known.stale
    known.watch(Fetch("key", SCOPES), Fetched(None, states(b"1", b"x", b"3")))
    assert known.stale
    known.watch(Fetch("key", SCOPES), Fetched(None, states(b"1", b"2", b"3")))
    assert known.stale


def test_a_catalog_that_was_read_while_a_writer_was_in_between_is_read_again():
    known = KnownCatalog(catalog(), states(b"1", b"2", in_doubt=True))
    known.watch(Fetch("key", SCOPES), Fetched(None, states(b"1", b"2", b"3")))
    assert known.stale


def test_every_collection_named_needs_a_policy_and_the_strictest_counts():
    policies = {
        Namespace("shop", "a"): Policy(ttl=60),
        Namespace("shop", "b"): Policy(ttl=30, depends_on=["c", "other.d"]),
    }
    known = catalog(view("v", "b"))
    plan = make_plan(known, frozenset(shop("a", "b")), policies.get, None)
    assert plan.policy.ttl == 30
    assert [str(scope) for scope in plan.scopes] == [
        "mongodb/*",
        "mongodb/shop.*",
        "mongodb/other.d",
        "mongodb/shop.a",
        "mongodb/shop.b",
        "mongodb/shop.c",
        "mongodb/shop.other.d",
    ]
    lacking = make_plan(known, frozenset(shop("a", "x")), policies.get, None)
    assert lacking.refusal is not None
    assert lacking.refusal[1] == "shop.x"


def test_a_choice_for_one_collection_object_is_the_most_specific():
    policies = {Namespace("shop", "a"): Policy(ttl=60, max_rows=5)}
    named = frozenset(shop("a"))

    def policy(said):
        return make_plan(catalog(), named, policies.get, said)

    assert policy({"ttl": 5}).policy == Policy(ttl=5, max_rows=5)
    assert policy(Policy(ttl=7)).policy == Policy(ttl=7)
    assert policy(False).refusal is not None
    assert make_plan(catalog(), frozenset(shop("x")), policies.get, {"ttl": 5}).policy.ttl == 5


def test_what_a_policy_forbids_behind_a_view_is_forbidden():
    policies = {Namespace("shop", "v"): Policy(), Namespace("shop", "b"): Policy.never}
    plan = make_plan(catalog(view("v", "b")), frozenset(shop("v")), policies.get, None)
    assert plan.refusal is not None


@pytest.mark.parametrize("name", ["system.profile", "system.views"])
def test_what_the_server_writes_by_itself_is_not_cached(name):
    plan = make_plan(catalog(), frozenset(shop(name)), lambda _: Policy(), None)
    assert plan.refusal is not None
    through_a_view = make_plan(
        catalog(view("v", name)), frozenset(shop("v")), lambda _: Policy(), None
    )
    assert through_a_view.refusal is not None
    buckets = make_plan(catalog(), frozenset(shop("system.buckets.t")), lambda _: Policy(), None)
    assert buckets.refusal is None


@pytest.mark.parametrize("database", ["admin", "config", "local"])
def test_the_servers_own_databases_are_not_cached(database):
    assert Namespace(database, "anything").is_the_servers
