"""
However the process that uses a server ends, the server and its folder end with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from ormcache.testing import servers
from tests.fixtures.servers import alive, eventually, refuses

PRIVATE: tuple[servers.Source, ...] = ("wheel", "binary", "apt")


class User(NamedTuple):
    """
    A process that uses a server, and what is to be gone after it.
    """

    process: subprocess.Popen[str]
    url: str
    pid: int
    folder: Path


class TestEnd:
    SCRIPT = textwrap.dedent(
        """
        import os, signal, sys
        from ormcache.testing import servers
        with getattr(servers, sys.argv[1])(sources=("wheel", "binary", "apt")) as server:
            process = server.host.process
            if "fork" in sys.argv and os.fork() == 0:
                signal.pause()
            try:
                print(server.url, process.pid, process.folder, flush=True)
                signal.pause()
            except KeyboardInterrupt:
                print("still there" if process.running() else "gone", flush=True)
                raise
        """
    )

    @pytest.fixture
    def begin(self) -> Iterator[Callable[..., User]]:
        begun: list[subprocess.Popen[str]] = []

        def begin(*arguments: str) -> User:
            user = subprocess.Popen(
                [sys.executable, "-c", self.SCRIPT, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,
                text=True,
            )
            begun.append(user)
            assert user.stdout
            url, pid, folder = user.stdout.readline().split()
            return User(user, url, int(pid), Path(folder))

        yield begin
        for user in begun:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(user.pid, signal.SIGKILL)
            user.wait()
            if user.stdout:
                user.stdout.close()

    @pytest.mark.parametrize("kind", ["postgres", "mysql", "mongodb", "redis"])
    def test_of_the_user_by_sigkill_leaves_nothing_behind(
        self, kind: str, begin: Callable[..., User]
    ) -> None:
        user, url, pid, folder = begin(kind)
        assert alive(pid)
        assert folder.exists()
        user.kill()
        assert eventually(lambda: not folder.exists())
        assert not alive(pid)
        assert refuses(url)

    def test_does_not_wait_for_a_forked_child_of_its_dead_user(
        self, begin: Callable[..., User]
    ) -> None:
        user, url, _, folder = begin("redis", "fork")
        user.kill()
        assert eventually(lambda: not folder.exists())
        assert refuses(url)

    def test_by_ctrl_c_lets_the_user_finish_first(self, begin: Callable[..., User]) -> None:
        user, url, pid, folder = begin("postgres")
        os.killpg(user.pid, signal.SIGINT)
        assert user.stdout
        assert user.stdout.readline() == "still there\n"
        user.wait(30)
        assert not folder.exists()
        assert not alive(pid)
        assert refuses(url)

    def test_by_an_exception_leaves_nothing_behind(self) -> None:
        def break_down(server: servers.Server) -> NoReturn:
            raise LookupError(server.host.process.folder, server.url)

        with pytest.raises(LookupError) as caught, servers.redis(sources=PRIVATE) as server:
            break_down(server)
        folder, url = caught.value.args
        assert not folder.exists()
        assert refuses(url)
