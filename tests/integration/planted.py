"""
Values that stand nowhere else, and every place where they must not turn up.
"""

import logging
import struct
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

TEXT = "pl4nted-in-a-row"
PARAMETER = "pl4nted-in-a-parameter"
LITERAL = "pl4nted-in-the-sql"
TENANT = "pl4nted-tenant"
PASSWORD = "pl4nted-password"
SECRET = "pl4nted-secret-of-the-cache"
NUMBER = 1_871_954_203
BLOB = b"\xd1\x0e\x9b\xf3pl4nted\x00bytes\x96\xe2"

EVERYTHING = (TEXT, PARAMETER, LITERAL, TENANT, PASSWORD, SECRET, NUMBER, BLOB)

# Of these the application's own values are no business of ours: they would tell them without us.
_THEIR_OWN = ("aiosqlite", "asyncio", "pymongo", "pymysql", "sqlalchemy", "psycopg")


def guises(value: object) -> Iterator[bytes]:
    """
    Give the forms in which *value* could be found among bytes.
    """
    if isinstance(value, int):
        yield str(value).encode()
        yield from (struct.pack(form, value) for form in (">I", "<I", ">d", "<d"))
        return
    data = value.encode() if isinstance(value, str) else value
    assert isinstance(data, bytes)
    yield data
    yield data.hex().encode()
    yield repr(data)[2:-1].encode()
    # The middle will do: what is around it may be encoded with it.
    yield data[2:-2]


class Found(list[str]):
    """
    Where which planted value was found; empty when all is well.
    """

    def look(self, where: str, content: object, values: tuple[object, ...] = EVERYTHING) -> None:
        """
        Look for planted values in a place.
        """
        data = content if isinstance(content, bytes) else str(content).encode("utf-8", "replace")
        for value in values:
            if any(guise in data for guise in guises(value)):
                self.append(f"{value!r} in {where}: {content!r}")

    def look_at_error(self, error: BaseException) -> None:
        """
        Look at all that a handler that logs an exception would show.
        """
        self.look("an exception", f"{error!r} {error} {error.args}")
        self.look("a traceback", "".join(_without_source(error)))

    def look_at_logs(self, caplog: pytest.LogCaptureFixture) -> None:
        """
        Look at every record but those that the application would have without a cache.
        """
        formatter = logging.Formatter()
        for record in caplog.records:
            if not record.name.startswith(_THEIR_OWN):
                self.look(f"the log {record.name}", formatter.format(record))
                self.look(f"the log {record.name}", repr(record.args))

    def look_at_store(self, client: Redis, *, payloads: bool) -> int:
        """
        Look at every byte of a server, and return the number of entries among its keys.

        *payloads*: whether entries must tell nothing either.
        """
        entries = 0
        for key in client.scan_iter(count=1000):
            is_entry = b":e:" in key
            entries += is_entry
            self.look("a key", key)
            if payloads or not is_entry:
                self.look(f"the value of {key!r}", client.get(key) or b"")
                self.look(f"the dump of {key!r}", client.dump(key) or b"")
        self.look("the clients of the store", client.client_list())
        return entries


def _without_source(error: BaseException) -> Iterator[str]:
    """
    Give a traceback without the lines of this test, which hold what it plants.
    """
    told = traceback.TracebackException.from_exception(error)
    while told is not None:
        yield from told.format_exception_only()
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


def entries_hold(client: Redis, value: object) -> bool:
    """
    Whether some entry shows *value*: that what is looked for can be found.
    """
    stored: list[Any] = [client.get(key) for key in client.keys("*:e:*")]
    return any(guise in data for data in stored for guise in guises(value))
