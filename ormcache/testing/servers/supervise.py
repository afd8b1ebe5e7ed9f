"""
How does a private server end when the process that wanted it ends, in whatever way?

This file is a program of its own. It owns one temporary folder and at most one server process,
takes one JSON command per line on standard input and answers each with one JSON line. When the
input ends (the parent closed it, or died, even by SIGKILL), it ends the server, removes the folder
and exits. It runs in a session of its own, so Ctrl-C in the parent's terminal cannot take the
server away while the parent still uses it.

It imports the standard library only and is started by its path, so it works from any folder.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GRACE = 30.0
"""Seconds a server may take to end on its own before it is killed."""

Reply = dict[str, Any]


class Supervisor:
    """
    One folder and one server process, and the six things a parent may ask for.
    """

    def __init__(self, parent: int, base: str, owner: tuple[int, int] | None) -> None:
        self._parent = parent
        self._owner = owner
        self._server: subprocess.Popen[bytes] | None = None
        self._signals = ("SIGTERM", "SIGKILL")
        self._paused: list[int] = []
        self.folder = Path(tempfile.mkdtemp(prefix="ormcache-", dir=base))
        if owner:
            os.chown(self.folder, *owner)

    def orphaned(self) -> bool:
        """
        Whether the parent is gone.

        The end of the input says so too, except when a process forked by the parent outlives it
        and still holds the other end of the pipe.
        """
        return os.getppid() != self._parent

    def run(self, argv: list[str]) -> Reply:
        """
        The exit code and the output of a command that ends by itself (such as `initdb`).
        """
        output = self.folder / "command.log"
        with output.open("wb") as log:
            child = self._spawn(argv, log.fileno())
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.wait(0.5)
                    break
                if self.orphaned():
                    _kill(child)
        return {"code": code, "output": output.read_text(errors="replace")}

    def start(self, argv: list[str], stop: str, end: str) -> Reply:
        """
        The pid of the server now started; `stop` and `end` name its signals for a clean and a
        quick end. Its output goes to `server.log`, which holds the latest start only.
        """
        self._signals = (stop, end)
        with (self.folder / "server.log").open("wb") as log:
            self._server = self._spawn(argv, log.fileno())
        return {"pid": self._server.pid}

    def status(self) -> Reply:
        """
        The server's exit code, or None while it runs.
        """
        return {"code": self._server.poll() if self._server else 0}

    def stop(self) -> Reply:
        """
        Ends the server cleanly, keeping its data; returns when its process is gone.
        """
        self._finish(self._signals[0])
        return {}

    def pause(self) -> Reply:
        """
        Freezes the server and its children: connections stay open and nothing answers.
        """
        if self._server and self._server.poll() is None and not self._paused:
            # The server first: once it stands still, its family no longer grows.
            os.kill(self._server.pid, signal.SIGSTOP)
            self._paused = [self._server.pid]
            for pid in _descendants(self._server.pid):
                _signal(pid, signal.SIGSTOP)
                self._paused.append(pid)
        return {}

    def resume(self) -> Reply:
        """
        Lets a frozen server go on.
        """
        for pid in reversed(self._paused):
            _signal(pid, signal.SIGCONT)
        self._paused = []
        return {}

    def close(self) -> None:
        """
        Ends the server without regard to its data and removes the folder.
        """
        self._finish(self._signals[1])
        shutil.rmtree(self.folder, ignore_errors=True)

    def _finish(self, name: str) -> None:
        self.resume()
        server, self._server = self._server, None
        if server is None or server.poll() is not None:
            return
        if name == "SIGKILL":
            _kill(server)
            return
        server.send_signal(signal.Signals[name])
        try:
            server.wait(GRACE)
        except subprocess.TimeoutExpired:
            _kill(server)

    def _spawn(self, argv: list[str], log: int) -> subprocess.Popen[bytes]:
        account: dict[str, Any] = {}
        if self._owner:
            account = {"user": self._owner[0], "group": self._owner[1], "extra_groups": []}
        return subprocess.Popen(
            argv,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder)},
            **account,
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    family = _descendants(process.pid)
    process.kill()
    process.wait()
    for pid in family:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _descendants(pid: int) -> list[int]:
    """
    The children of a process and theirs: PostgreSQL gives each of its own a separate group.
    """
    parents = _parents()
    found = [pid]
    for ancestor in found:
        found.extend(child for child, parent in parents.items() if parent == ancestor)
    return found[1:]


def _parents() -> dict[int, int]:
    if not Path("/proc/self/stat").exists():
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        return {int(pid): int(ppid) for pid, ppid in map(str.split, listing.stdout.splitlines())}
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may itself hold spaces and parentheses.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return parents


def _commands(supervisor: Supervisor) -> Iterator[dict[str, Any]]:
    """
    The parent's commands, until it closes the pipe or is gone.
    """
    buffer = b""
    while not supervisor.orphaned():
        if not select.select([0], [], [], 1.0)[0]:
            continue
        received = os.read(0, 65536)
        if not received:
            return
        *lines, buffer = (buffer + received).split(b"\n")
        yield from map(json.loads, lines)


def _serve(supervisor: Supervisor) -> None:
    _answer({"folder": str(supervisor.folder)})
    for command in _commands(supervisor):
        try:
            reply = getattr(supervisor, command.pop("do"))(**command)
        except OSError as error:
            reply = {"error": str(error)}
        _answer(reply)


def _answer(reply: Reply) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def main() -> None:
    """
    Serves one parent; arguments: the parent's pid, the folder to work in, and `uid:gid` or `-`.
    """
    parent, base, owner = sys.argv[1:]
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    # As an exception it leaves by the same door as the end of the input.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uid, _, gid = owner.partition(":")
    supervisor = Supervisor(int(parent), base, (int(uid), int(gid)) if gid else None)
    try:
        # A parent that died between two lines of ours is the ordinary end, not an error.
        with contextlib.suppress(BrokenPipeError):
            _serve(supervisor)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.close()
        # Whatever is left in the buffer has no reader any more.
        os._exit(0)


if __name__ == "__main__":
    main()
