"""
Servers of our own: real ones that keep their port and data, stand still, and are set up as asked.
"""

import contextlib
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pymongo
import pymysql
import pytest

from ormcache.testing import servers
from ormcache.testing.servers import private
from ormcache.testing.servers.product import Program
from ormcache.testing.servers.valkey import Valkey
from tests.fixtures.servers import refuses

PRIVATE: tuple[servers.Source, ...] = ("wheel", "binary", "apt")


def postgres_rows(url: str, *statements: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[call-overload]  # not a literal
        return list(cursor.fetchall()) if cursor.description else []


def mysql_rows(url: str, *statements: str) -> list[tuple[object, ...]]:
    address = urlsplit(url)
    connection = pymysql.connect(
        host=address.hostname,
        port=address.port or 0,
        user=unquote(address.username or ""),
        password=unquote(address.password or ""),
        database=address.path[1:],
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def redis_answer(url: str, *words: str) -> bytes:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 0), timeout=5) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(4096)


@pytest.fixture(scope="module")
def postgres() -> Iterator[servers.Server]:
    with servers.postgres(sources=PRIVATE) as server:
        yield server


@pytest.fixture(scope="module")
def mysql() -> Iterator[servers.Server]:
    with servers.mysql(sources=PRIVATE, settings={"max_connections": "77"}) as server:
        yield server


@pytest.fixture(scope="module")
def valkey() -> Iterator[servers.Server]:
    with servers.redis(sources=PRIVATE) as server:
        yield server


class TestPostgres:
    def test_keeps_its_port_and_data_over_a_restart(self, postgres: servers.Server) -> None:
        url = postgres.create_database("kept")
        postgres_rows(url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)")
        postgres.stop()
        assert refuses(url)
        postgres.start()
        assert postgres_rows(url, "SELECT n FROM t") == [(7,)]

    def test_paused_holds_its_open_connections_and_answers_after_resume(
        self, postgres: servers.Server
    ) -> None:
        with contextlib.closing(psycopg.connect(postgres.url)) as connection:
            postgres.pause()
            try:
                connection.pgconn.send_query(b"SELECT 1")
                connection.pgconn.flush()
                assert select.select([connection.fileno()], [], [], 0.3)[0] == []
            finally:
                postgres.resume()
            assert select.select([connection.fileno()], [], [], 30)[0] == [connection.fileno()]

    def test_is_set_up_for_two_phase_commit_and_logical_decoding(
        self, postgres: servers.Server
    ) -> None:
        assert postgres_rows(postgres.url, "SHOW max_prepared_transactions") == [("20",)]
        assert postgres_rows(postgres.url, "SHOW wal_level") == [("logical",)]

    def test_created_database_is_empty_each_time(self, postgres: servers.Server) -> None:
        postgres_rows(postgres.create_database("fresh"), "CREATE TABLE t (n int)")
        found = postgres_rows(postgres.create_database("fresh"), "SELECT to_regclass('t')")
        assert found == [(None,)]

    def test_wants_its_password(self, postgres: servers.Server) -> None:
        wrong = urlsplit(postgres.url)
        wrong = wrong._replace(netloc=wrong.netloc.replace(":", ":x", 1))
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong.geturl())

    def test_takes_settings(self) -> None:
        preload = {"shared_preload_libraries": "pg_stat_statements"}
        with servers.postgres(sources=PRIVATE, settings=preload) as server:
            count = "SELECT count(*) > 0 FROM pg_stat_statements"
            create = "CREATE EXTENSION pg_stat_statements"
            assert postgres_rows(server.url, create, "SELECT 1", count) == [(True,)]

    def test_setting_it_refuses_is_named_in_the_error(self) -> None:
        with pytest.raises(servers.ServerUnavailable, match=r'invalid value.*"max_connections"'):
            servers.postgres(sources=("wheel", "binary"), settings={"max_connections": "many"})


class TestMysql:
    def test_keeps_its_port_and_data_over_a_restart(self, mysql: servers.Server) -> None:
        url = mysql.create_database("kept")
        mysql_rows(url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)")
        mysql.stop()
        assert refuses(url)
        mysql.start()
        assert mysql_rows(url, "SELECT n FROM t") == [(7,)]

    def test_takes_settings_and_speaks_utf8mb4(self, mysql: servers.Server) -> None:
        asked = "SELECT @@global.max_connections, @@global.character_set_server"
        assert mysql_rows(mysql.url, asked) == [(77, "utf8mb4")]

    def test_created_database_is_empty_each_time(self, mysql: servers.Server) -> None:
        mysql_rows(mysql.create_database("fresh"), "CREATE TABLE t (n int)")
        assert mysql_rows(mysql.create_database("fresh"), "SHOW TABLES") == []

    @pytest.mark.parametrize("user", ["root", ""])
    def test_wants_its_password(self, mysql: servers.Server, user: str) -> None:
        port = urlsplit(mysql.url).port or 0
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            pymysql.connect(host="127.0.0.1", port=port, user=user)


class TestMongodb:
    def test_has_transactions_and_keeps_its_data_over_a_restart(self) -> None:
        with servers.mongodb(sources=PRIVATE) as server:
            with (
                pymongo.MongoClient(server.url) as client,
                client.start_session() as session,
                session.start_transaction(),
            ):
                client.shop.items.insert_one({"n": 7}, session=session)
            server.stop()
            assert refuses(server.url)
            server.start()
            with pymongo.MongoClient(server.url) as client:
                found = client.shop.items.find_one({}, {"_id": 0})
                assert found == {"n": 7}
                fresh = server.create_database("shop")
                assert client.get_database("shop").list_collection_names() == []
                assert urlsplit(fresh).path == "/shop"


class TestRedis:
    def test_without_persist_is_empty_after_a_restart(self, valkey: servers.Server) -> None:
        assert redis_answer(valkey.url, "SET", "a", "1") == b"+OK\r\n"
        valkey.stop()
        valkey.start()
        assert redis_answer(valkey.url, "GET", "a") == b"$-1\r\n"

    def test_with_persist_keeps_its_data_over_a_restart(self) -> None:
        with servers.redis(sources=PRIVATE, persist=True) as server:
            redis_answer(server.url, "SET", "a", "1")
            server.stop()
            server.start()
            assert redis_answer(server.url, "GET", "a") == b"$1\r\n1\r\n"

    def test_paused_accepts_connections_and_answers_after_resume(
        self, valkey: servers.Server
    ) -> None:
        valkey.pause()
        address = urlsplit(valkey.url)
        with socket.create_connection((address.hostname, address.port or 0)) as connection:
            connection.sendall(b"PING\r\n")
            assert select.select([connection], [], [], 0.3)[0] == []
            valkey.resume()
            connection.settimeout(30)
            assert connection.recv(100) == b"+PONG\r\n"

    def test_created_database_is_another_one_each_time(self, valkey: servers.Server) -> None:
        created = {valkey.create_database("shop") for _ in range(20)}
        assert len({*created, valkey.url}) == 21
        last = max(int(urlsplit(url).path[1:]) for url in created)
        assert redis_answer(valkey.url, "SELECT", str(last)) == b"+OK\r\n"

    def test_takes_settings(self) -> None:
        with servers.redis(sources=PRIVATE, settings={"maxmemory": "9mb"}) as server:
            assert redis_answer(server.url, "CONFIG", "GET", "maxmemory").endswith(b"9437184\r\n")

    def test_runs_under_the_name_of_its_link(self) -> None:
        # The distribution's server is a link to redis-check-rdb.
        with servers.redis(sources=("binary", "apt")) as server:
            assert redis_answer(server.url, "PING") == b"+PONG\r\n"

    def test_takes_another_port_when_the_first_is_taken_in_between(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            taken = other.getsockname()[1]
            ports = iter([taken, private.free_port()])
            monkeypatch.setattr(private, "free_port", lambda: next(ports))
            with servers.redis(sources=PRIVATE) as server:
                assert urlsplit(server.url).port != taken
                assert redis_answer(server.url, "PING") == b"+PONG\r\n"

    def test_program_that_its_user_cannot_reach_is_copied(self, tmp_path: Path) -> None:
        with servers.redis(sources=PRIVATE) as original:
            assert isinstance(original.host, private.PrivateHost)
            program = original.host.program
        hidden = tmp_path / "home" / "bin" / program.executable.name
        hidden.parent.mkdir(parents=True, mode=0o700)
        hidden.write_bytes(program.executable.read_bytes())
        hidden.chmod(0o700)
        copied = Program(hidden, tmp_path / "home", ("bin",))
        host = private.PrivateHost(Valkey(), copied)
        try:
            assert redis_answer(host.url, "PING") == b"+PONG\r\n"
        finally:
            host.close()


class TestEnvironment:
    def test_server_is_used_as_it_is_and_left_running(
        self, postgres: servers.Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configured = postgres.url.replace("postgresql:", "postgresql+psycopg:", 1)
        monkeypatch.setenv("ORMCACHE_POSTGRES_URL", configured)
        names = "SELECT datname FROM pg_database"
        with servers.postgres() as server:
            assert (server.source, server.url) == ("environment", postgres.url)
            with pytest.raises(servers.ServerNotOurs, match="not ours to be stopped"):
                server.stop()
            created = urlsplit(server.create_database("mine")).path[1:]
            assert created.startswith("mine_")
            assert (created,) in postgres_rows(postgres.url, names)
        assert (created,) not in postgres_rows(postgres.url, names)

    @pytest.mark.parametrize("kind", ["mysql", "redis"])
    def test_every_kind_is_recognized(
        self, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own: servers.Server = request.getfixturevalue("mysql" if kind == "mysql" else "valkey")
        monkeypatch.setenv(f"ORMCACHE_{kind.upper()}_URL", own.url)
        with getattr(servers, kind)() as server:
            assert (server.source, server.url) == ("environment", own.url)
            assert not server.can_restart
        assert not refuses(own.url)


class TestFixtures:
    def test_give_servers_that_answer(
        self,
        postgres_server: servers.Server,
        mysql_server: servers.Server,
        redis_server: servers.Server,
    ) -> None:
        assert postgres_rows(postgres_server.url, "SELECT 1") == [(1,)]
        assert mysql_rows(mysql_server.url, "SELECT 1") == [(1,)]
        assert redis_answer(redis_server.url, "PING") == b"+PONG\r\n"
