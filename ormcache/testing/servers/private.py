"""
How does a server program become a server of our own: a free port, a data folder, readiness?
"""

import shutil
import socket
import time
from pathlib import Path

from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.process import PrivateProcess, last, open_to_all, unprivileged
from ormcache.testing.servers.product import Product, Program

START_TIMEOUT = 60.0
"""Seconds a server may take until it is ready."""


def free_port() -> int:
    """
    A port that was free a moment ago (another process may take it before the server does).
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PrivateHost:
    """
    A server process of ours with its temporary folder; ready once constructed.

    Attributes:
        url: where it answers
        program: what runs, a copy when the original was out of its user's reach
        process: its process and folder
    """

    def __init__(self, product: Product, program: Program) -> None:
        self._product = product
        self._port: int | None = None
        self.url = ""
        self.process = PrivateProcess(unprivileged(product.accounts))
        try:
            self.program = self._reachable(program)
            product.prepare(self.process, self.program)
            self.start()
        except BaseException:
            self.process.close()
            raise

    def start(self) -> None:
        """
        Starts the server, the first time on a port it chooses, later on the same one.
        """
        if self.process.running():
            return
        deadline = time.monotonic() + START_TIMEOUT
        while not self._try(self._port or free_port(), deadline):
            # The port was taken in between: another one, or, once it is known to callers, the same.
            time.sleep(0.05)
        self._product.started(self.url)

    def stop(self) -> None:
        """
        Ends the server and keeps its data.
        """
        self.process.stop()

    def pause(self) -> None:
        """
        Freezes the server's processes.
        """
        self.process.pause()

    def resume(self) -> None:
        """
        Lets them go on.
        """
        self.process.resume()

    def close(self) -> None:
        """
        Ends the server and removes its folder.
        """
        self.process.close()

    def _try(self, port: int, deadline: float) -> bool:
        """
        Whether the server is ready on this port; False when the port turned out to be taken.
        """
        command = self._product.command(self.process, self.program, port)
        stopping = self._product.stopping
        self.process.start(command, stop=stopping.clean, end=stopping.quick)
        while True:
            # In this order: a ping answered by whoever else has the port must not count.
            problem = self._ping(port)
            if not self.process.running():
                break
            if not problem:
                self._port, self.url = port, self._product.url("127.0.0.1", port)
                return True
            if time.monotonic() > deadline:
                self.process.stop()
                raise SourceFailed(f"not ready after {START_TIMEOUT:.0f} s: {problem}")
            time.sleep(0.02)
        log = self.process.log()
        if "ddress already in use" in log and time.monotonic() < deadline:
            return False
        raise SourceFailed(f"the server ended while starting: {last(log)}")

    def _ping(self, port: int) -> OSError | None:
        try:
            self._product.ping("127.0.0.1", port)
        except OSError as error:
            return error
        return None

    def _reachable(self, program: Program) -> Program:
        """
        The program where the server's user can run it.

        Root's virtual environment often lies in a folder that only root may enter; its
        permissions are not ours to change, so the program is copied then.
        """
        executable, home, needs = program
        if not executable.exists():
            raise SourceFailed(f"{executable} does not exist: not made for this kind of machine?")
        if not home or not self.process.account or open_to_all(executable.resolve()):
            return program
        copies = self.process.folder / "program"
        for folder in needs:
            if (home / folder).exists():
                shutil.copytree(home / folder, copies / folder, symlinks=True)
        _open(copies)
        return Program(copies / executable.relative_to(home))


def _open(root: Path) -> None:
    """
    Lets every user read and run what lies in a folder of ours.
    """
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
