"""
A web application in a server process of its own, started by a command as a person would.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError

import ormcache
from ormcache.testing.servers.private import free_port

PACKAGE_ROOT = Path(ormcache.__file__).parents[1]
EXAMPLES = PACKAGE_ROOT / "examples"
PATIENCE = 60


class Reply(NamedTuple):
    """
    What came back.
    """

    status: int
    headers: Message
    body: bytes

    @property
    def report(self) -> str:
        """
        What the cache did for the request.
        """
        return self.headers["Cache-Status"]

    @property
    def content(self) -> Any:
        return json.loads(self.body)


class Site:
    """
    A running server; each request has a connection of its own.
    """

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Reply:
        return self._ask(urllib.request.Request(self._base + path))

    def put(self, path: str, **changes: Any) -> Reply:
        return self._ask(
            urllib.request.Request(
                self._base + path,
                method="PUT",
                data=json.dumps(changes).encode(),
                headers={"Content-Type": "application/json"},
            )
        )

    def answers(self) -> bool:
        """
        Whether anybody answers; asks for what no application here has, so that nothing is read.
        """
        try:
            self.get("/nothing-here")
        except URLError as exc:
            if isinstance(exc.reason, ConnectionRefusedError | ConnectionResetError):
                return False
            raise
        return True

    def _ask(self, request: urllib.request.Request) -> Reply:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Reply(answer.status, answer.headers, answer.read())
        except HTTPError as answer:
            with answer:
                return Reply(answer.status, answer.headers, answer.read())


def copy_examples(folder: Path) -> None:
    """
    Put the examples into *folder*, as they are but for a patient store.
    """
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text()
        # On a busy test machine 50 ms may pass before a first answer.
        patient = text.replace('namespace="shop")', 'namespace="shop", timeout=5.0)')
        assert patient != text
        (folder / path.name).write_text(patient)


@contextmanager
def serving(command: str, folder: Path, **environ: str) -> Iterator[Site]:
    """
    The server that *command* starts in *folder*, on a free port instead of its own.
    """
    log = folder / "server.log"
    process, site = _started(command, folder, log, environ)
    try:
        yield site
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert "Traceback" not in log.read_text(), log.read_text()


def _started(
    command: str, folder: Path, log: Path, environ: dict[str, str]
) -> tuple[subprocess.Popen, Site]:
    for _ in range(3):  # a free port may be taken by somebody else meanwhile
        port = free_port()
        words = shlex.split(re.sub(r"(?<=--port )\d+|(?<=127\.0\.0\.1:)\d+", str(port), command))
        assert str(port) in " ".join(words)
        process = _start(words, folder, log, environ)
        site = Site(port)
        if _comes_up(process, site):
            return process, site
    raise AssertionError(log.read_text())


def _start(words: list[str], folder: Path, log: Path, environ: dict[str, str]) -> subprocess.Popen:
    own = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": str(PACKAGE_ROOT),
        "PYTHONUNBUFFERED": "1",
        # All of a user's gunicorns share one otherwise.
        "GUNICORN_CMD_ARGS": "--no-control-socket",
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            words,
            cwd=folder,
            env=os.environ | own | environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _comes_up(process: subprocess.Popen, site: Site) -> bool:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        if site.answers():
            return True
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            break
        time.sleep(0.05)
    return False
