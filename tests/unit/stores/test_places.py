import pytest

from ormcache.errors import ConfigurationError
from ormcache.stores import open_store
from ormcache.stores.places import read_place


def test_a_cluster():
    place = read_place("redis+cluster://me:p%40w@one:7000,two,[::1]:7002")
    assert place.seeds == (("one", 7000), ("two", 6379), ("::1", 7002))
    assert place.arguments == {"username": "me", "password": "p@w"}
    address = place.at(("three", 7003))
    assert (address.kind, address.clustered, address.text) == ("tcp", True, "three:7003")
    assert address.arguments["host"] == "three"
    assert read_place("valkey+cluster://one/0").seeds == (("one", 6379),)


def test_sentinels():
    place = read_place("redis+sentinel://me:pw@one,two:26380/shop/3?sentinel_password=other")
    assert place.service == "shop"
    assert [each.arguments for each in place.sentinels] == [
        {"password": "other", "host": "one", "port": 26379},
        {"password": "other", "host": "two", "port": 26380},
    ]
    address = place.at(("db1", 6379))
    assert address.arguments == {
        "username": "me", "password": "pw", "db": 3, "host": "db1", "port": 6379,
    }  # fmt: skip
    assert address.text == "db1:6379/3, shop"


def test_tls_is_for_all_of_them():
    sentinels = read_place("rediss+sentinel://one/shop?ssl_ca_certs=ca.pem")
    cluster = read_place("rediss+cluster://one?ssl_cert_reqs=none")
    assert {each.kind for each in sentinels.sentinels} == {"tls"}
    assert sentinels.sentinels[0].arguments["ssl_ca_certs"] == "ca.pem"
    assert sentinels.at(("db1", 1)).arguments["ssl_check_hostname"] is True
    assert cluster.at(("one", 1)).kind == "tls"
    assert cluster.at(("one", 1)).arguments["ssl_check_hostname"] is False


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis+sentinel://one:26379", "names the service"),
        ("redis+sentinel://one/shop/zero", "is a number"),
        ("redis+sentinel://one/shop?sentinel_pasword=x", "did you mean 'sentinel_password'"),
        ("redis+sentinel://one,/shop", "host1:port,host2:port"),
        ("redis+sentinel:///shop", "host1:port,host2:port"),
        ("redis+cluster://one:99999", "host1:port,host2:port"),
        ("redis+cluster://one:port", "host1:port,host2:port"),
        ("redis+cluster://one/1", "database 0 only"),
        ("redis+cluster://one?wait_replicas=all", "number of replicas"),
        ("redis://one?wait_replica=1", "did you mean 'wait_replicas'"),
        ("redis+cluster://one?db=1", "database 0 only"),
        ("redis+cluster://one?ssl_ca_certs=x", "ssl_ca_certs"),
        ("redis+cluster://one#x", "%23"),
        ("redis+clutser://one", "did you mean 'redis+cluster'"),
        ("redis+cluster://u:hunter2@one,two:x", "host1:port"),
    ],
)
def test_what_is_wrong_is_said(url, message):
    with pytest.raises(ConfigurationError) as caught:
        open_store(url, "shop")
    assert message in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_what_is_shown_holds_no_password():
    cluster = open_store("redis+cluster://u:hunter2@one,two", "shop")
    sentinels = open_store("redis+sentinel://u:hunter2@one/shop?sentinel_password=hunter3", "shop")
    assert "the cluster of one:6379, two:6379" in repr(cluster)
    assert "shop of one:26379" in repr(sentinels)
    assert "hunter" not in repr(cluster) + repr(sentinels)
