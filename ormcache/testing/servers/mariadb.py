"""
What is particular about MariaDB and MySQL?
"""

import socket
from urllib.parse import unquote, urlsplit

from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.process import PrivateProcess
from ormcache.testing.servers.product import (
    PING_TIMEOUT,
    Container,
    Product,
    Program,
    driver,
)

DEFAULTS = {
    "character-set-server": "utf8mb4",
    "innodb-flush-log-at-trx-commit": "2",
    "max-connections": "200",
    # Readiness pings are connections without a login, which count as errors of their host.
    "max-connect-errors": "1000000",
}
# A fresh data folder has users without a password, some closer to our address than `%`.
INIT = """
CREATE DATABASE IF NOT EXISTS ormcache CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';
DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1';
"""


class MariaDB(Product):
    """
    MariaDB or MySQL with one superuser, `root`, and a password of its own.
    """

    title = "MySQL/MariaDB"
    variable = "ORMCACHE_MYSQL_URL"
    schemes = ("mysql", "mariadb")
    default_port = 3306
    wheel = ""
    executables = ("mariadbd", "mysqld")
    folders = ("/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/mysql/bin")
    accounts = ("mysql",)
    # The first pair holds the programs and no service; older distributions have only the second.
    packages = (("mariadb-server-core", "mariadb-client-core"), ("mariadb-server",))

    def bundled(self) -> Program | None:
        return None

    def prepare(self, process: PrivateProcess, program: Program) -> None:
        process.write("init.sql", INIT.format(password=self.password))
        data = f"--datadir={process.folder / 'data'}"
        if self.named(program).startswith("MariaDB"):
            install = _beside(program, "mariadb-install-db", "mysql_install_db")
            root = "--auth-root-authentication-method=normal"
            process.run([install, "--no-defaults", data, root, "--skip-test-db"])
        else:
            process.run([str(program.executable), "--no-defaults", "--initialize-insecure", data])

    def command(self, process: PrivateProcess, program: Program, port: int) -> list[str]:
        folder = process.folder
        return [
            *(str(program.executable), "--no-defaults", f"--datadir={folder / 'data'}"),
            *self._options(),
            # MySQL's second protocol would open a second port; MariaDB does not know it.
            *("--loose-mysqlx=OFF", "--skip-log-bin", "--skip-name-resolve"),
            *(f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"),
            *("--skip-networking=0", "--bind-address=127.0.0.1", f"--port={port}"),
            f"--init-file={folder / 'init.sql'}",
        ]

    def container(self) -> Container:
        environment = {"MYSQL_ROOT_PASSWORD": self.password, "MYSQL_DATABASE": "ormcache"}
        return Container("mysql:8.4", self.default_port, self._options(), environment)

    def url(self, host: str, port: int) -> str:
        return f"mysql://root:{self.password}@{host}:{port}/ormcache"

    def ping(self, host: str, port: int) -> None:
        with socket.create_connection((host, port), timeout=PING_TIMEOUT) as connection:
            greeting = connection.recv(4096)
        # Three bytes of length, one of sequence, then the version of the protocol.
        if greeting[4:5] == b"\xff":
            raise ConnectionError(f"MySQL at {host}:{port} refuses connections: {greeting[7:]!r}")
        if greeting[4:5] != b"\x0a":
            raise ConnectionError(f"{host}:{port} does not answer like MySQL or MariaDB")

    def create_database(self, url: str, name: str) -> str:
        self._execute(
            url,
            f"DROP DATABASE IF EXISTS `{name}`",
            f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4",
        )
        return urlsplit(url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str, name: str) -> None:
        self._execute(url, f"DROP DATABASE IF EXISTS `{name}`")

    def brand(self, version: str) -> str:
        return "MariaDB" if "MariaDB" in version else "MySQL"

    def _execute(self, url: str, *statements: str) -> None:
        pymysql = driver("pymysql", "PyMySQL")
        server = urlsplit(url)
        with (
            pymysql.connect(
                host=server.hostname,
                port=server.port or self.default_port,
                user=unquote(server.username or "root"),
                password=unquote(server.password or ""),
                autocommit=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)

    def _options(self) -> list[str]:
        given = {name.replace("_", "-"): value for name, value in self.settings.items()}
        return [f"--{name}={value}" for name, value in {**DEFAULTS, **given}.items()]


def _beside(program: Program, *names: str) -> str:
    """
    A tool that belongs to the server: in its folder, or in the `bin` beside an `sbin`.
    """
    home = program.executable.parent
    for folder in (home, home.parent / "bin", home.parent / "scripts"):
        for name in names:
            if (folder / name).exists():
                return str(folder / name)
    raise SourceFailed(f"{program.executable} is there, but {names[0]} is not")
