"""
How does a process hold a private server that must not outlive it?

Through a supervisor (see `supervise.py`) at the other end of a pipe.
"""

import contextlib
import json
import os
import pwd
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from ormcache.testing.servers import supervise
from ormcache.testing.servers.errors import SourceFailed


class Account(NamedTuple):
    """
    The system user a server runs as.
    """

    uid: int
    gid: int


def unprivileged(names: Sequence[str]) -> Account | None:
    """
    The first of these users that exists, else `nobody`; None when we are not root ourselves.

    Database servers refuse to run as root, and none of them should.
    """
    if os.geteuid() != 0:
        return None
    for name in (*names, "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    raise SourceFailed("running as root, and there is no user such as nobody to run a server as")


def open_to_all(path: Path) -> bool:
    """
    Whether every user can reach this folder or run this program.
    """
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))


def _base(account: Account | None) -> str:
    """
    The folder for temporary files, which the server's own user must be able to reach.
    """
    candidates = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - a private folder is made inside
    if account is None:
        return candidates[0]
    for candidate in candidates:
        if Path(candidate).is_dir() and open_to_all(Path(candidate).resolve()):
            return candidate
    raise SourceFailed(f"none of {', '.join(candidates)} can be reached by an unprivileged user")


class PrivateProcess:
    """
    A temporary folder and a server process that end with this process, however it ends.

    Attributes:
        account: the user the server runs as, None for our own
        folder: the temporary folder
        pid: of the server started last
        supervisor_pid: of the process that looks after it
    """

    pid: int | None = None

    def __init__(self, account: Account | None) -> None:
        self.account = account
        self._owner = os.getpid()
        self._lock = threading.Lock()
        owner = f"{account.uid}:{account.gid}" if account else "-"
        self._supervisor = subprocess.Popen(
            # Isolated: what lies beside the file must not shadow the standard library.
            [sys.executable, "-I", supervise.__file__, str(self._owner), _base(account), owner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self.supervisor_pid = self._supervisor.pid
        try:
            self.folder = Path(self._receive()["folder"])
        except BaseException:
            self.close()
            raise

    def run(self, argv: Sequence[str]) -> str:
        """
        The output of a command that ends by itself; it runs in the folder, as the server's user.
        """
        reply = self._ask("run", argv=list(argv))
        if reply["code"]:
            name = Path(argv[0]).name
            raise SourceFailed(f"{name} failed with code {reply['code']}: {last(reply['output'])}")
        return str(reply["output"])

    def start(self, argv: Sequence[str], *, stop: str, end: str) -> None:
        """
        Starts the server, which need not be ready yet when this returns.

        Args:
            stop: name of the signal for a clean end that keeps the data
            end: name of the signal for the quickest end that leaves nothing behind
        """
        self.pid = self._ask("start", argv=list(argv), stop=stop, end=end)["pid"]

    def running(self) -> bool:
        """
        Whether the server's process is there.
        """
        return self._ask("status")["code"] is None

    def stop(self) -> None:
        """
        Ends the server cleanly; its folder stays.
        """
        self._ask("stop")

    def pause(self) -> None:
        """
        Freezes the server and its children.
        """
        self._ask("pause")

    def resume(self) -> None:
        """
        Lets a frozen server go on.
        """
        self._ask("resume")

    def log(self) -> str:
        """
        What the server has printed since its latest start.
        """
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def write(self, name: str, text: str) -> Path:
        """
        A new file in the folder that only the server's user can read.
        """
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        if self.account:
            os.chown(path, *self.account)
        return path

    def close(self) -> None:
        """
        Ends the server and removes its folder; returns when both are gone.
        """
        # A forked child has a copy of this object, but the server is its parent's.
        if os.getpid() != self._owner:
            return
        for pipe in (self._supervisor.stdin, self._supervisor.stdout):
            # A command that a dead supervisor never took fails once more here.
            with contextlib.suppress(BrokenPipeError):
                if pipe:
                    pipe.close()
        self._supervisor.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        pipe = self._supervisor.stdin
        if pipe is None or pipe.closed:
            raise SourceFailed("this server has been closed: ask for a new one")
        with self._lock:
            # Whether or not it was taken, the answer to it tells.
            with contextlib.suppress(BrokenPipeError):
                pipe.write(json.dumps({"do": do, **arguments}) + "\n")
                pipe.flush()
            return self._receive()

    def _receive(self) -> dict[str, Any]:
        pipe = self._supervisor.stdout
        line = pipe.readline() if pipe else ""
        if not line:
            raise SourceFailed("the process that looks after the server has ended unexpectedly")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise SourceFailed(reply["error"])
        return reply


def last(output: str, lines: int = 5) -> str:
    """
    The end of a program's output as one line for an error message.
    """
    kept = [line.strip() for line in output.splitlines() if line.strip()][-lines:]
    return " | ".join(kept) or "it printed nothing"
