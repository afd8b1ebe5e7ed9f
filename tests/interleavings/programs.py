"""
What do the processes do? Transactions made of the production paths, and nothing else.

A transaction is a generator. It yields the effects of `ormcache.reading` and `ormcache.writing`
as they come, and between them what those paths do not know: what the database is sent, and when a
read begins and ends. What stands here is what an edge such as `ormcache.sqlalchemy` adds.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ormcache import freshness, reading, writing
from ormcache.effects import Load
from ormcache.errors import Undecodable
from ormcache.model import Column, Reason, Rows, Scope
from ormcache.touched import TouchedScopes
from tests.interleavings.markers import (
    Asks,
    Begins,
    Change,
    Got,
    Heard,
    OpensSnapshot,
    Query,
    Releases,
    RollsBack,
    RollsBackTo,
    SetsSavepoint,
    Writes,
)

__all__ = [
    "Connection",
    "Made",
    "Path",
    "Program",
    "Refused",
    "Step",
    "Unheard",
    "changes",
    "commits",
    "program",
    "reads",
    "release",
    "rollback_to",
    "rows_of",
    "savepoint",
    "transaction",
]

Path = Generator[Any, Any, Any]


class Refused(Exception):
    """
    The database's own answer to a COMMIT: no.
    """


class Unheard(Exception):
    """
    The connection broke before the database's answer to a COMMIT arrived.
    """


class _PlainCodec:
    """
    Rows as their own text.
    """

    id = 0

    def encode(self, rows: Rows) -> bytes:
        return ";".join(
            f"{item} {version} {dirty:d}" for item, version, dirty in rows.rows
        ).encode()

    def decode(self, payload: bytes) -> Rows:
        try:
            fields = [part.split() for part in payload.decode().split(";")]
            return rows_of([(int(i), int(v), d == "1") for i, v, d in fields])
        except ValueError as exc:
            raise Undecodable("not our rows") from exc


def rows_of(rows: list[tuple[int, int, bool]] | tuple[tuple[int, int, bool], ...]) -> Rows:
    """
    Return what a driver would: item, version, and whether it is the reader's own change.
    """
    return Rows((Column("item", None), Column("version", None), Column("dirty", None)), list(rows))


@dataclass(slots=True)
class Connection:
    """
    What an edge keeps of the transaction in progress; see `ormcache.sqlalchemy.connectionstate`.
    """

    tracked: tuple[Scope, ...] = ()
    chosen: bool = False
    """Whether the user asked for the isolation level: then the first read opens the snapshot."""
    snapshot: freshness.Snapshot | None = None
    touched: TouchedScopes = field(default_factory=TouchedScopes)
    wrote: bool = False


Step = Callable[[Connection], Path]


@dataclass(frozen=True, slots=True)
class Made:
    """
    A transaction: its steps, how it reads, and how it ends.
    """

    steps: tuple[Step, ...]
    keeps: tuple[Scope, ...] | None
    chosen: bool
    ends: str

    def __str__(self) -> str:
        parts = ", ".join(step.__name__ for step in self.steps)
        how = " in one snapshot" if self.keeps is not None else ""
        return f"{parts}{how}{', rolls back' if self.ends == 'rollback' else ''}"

    def __call__(self) -> Path:
        connection = Connection()
        if self.keeps is not None:
            connection = Connection(self.keeps, self.chosen, freshness.Snapshot())
        yield Begins(self.keeps is not None)
        for step in self.steps:
            yield from step(connection)
        yield from _ENDS[self.ends](connection)

    @property
    def reads(self) -> int:
        """
        How many reads it makes.
        """
        return sum(step.__name__.startswith("reads") for step in self.steps)


class Program(NamedTuple):
    """
    Transactions, one after the other; two actors with equal programs are interchangeable.
    """

    name: str
    transactions: tuple[Made, ...]


def program(*transactions: Made) -> Program:
    """
    Return a program, named for what it does.
    """
    return Program(" and then ".join(map(str, transactions)), transactions)


def transaction(
    *steps: Step,
    keeps: tuple[Scope, ...] | None = None,
    chosen: bool = False,
    ends: str = "commit",
) -> Made:
    """
    Return a transaction of *steps* that *ends* with a commit or a rollback.

    *keeps*: it reads from one snapshot, and these are the scopes in use. *chosen*: the user asked
    for that isolation level.
    """
    return Made(steps, keeps, chosen, ends)


def reads(query: Query, *, uncached: bool = False) -> Step:
    """
    Read through the cache, as an edge does; *uncached*: a statement that cannot be cached.
    """

    def step(connection: Connection) -> Path:
        yield Asks(query)
        if uncached or connection.touched.overlaps(query.scopes):
            path = reading.read_uncached(connection.snapshot, connection.tracked)
        else:
            path = reading.read(_request(connection, query))
        answer, loaded = yield from _loading(path, connection.snapshot)
        served = answer is not None and answer.rows is not None
        rows = answer.rows if served else loaded
        yield Got(tuple(rows.rows), served)

    step.__name__ = f"reads {query.name}{' uncached' if uncached else ''}"
    return step


def _request(connection: Connection, query: Query) -> reading.ReadRequest:
    snapshot = connection.snapshot
    opens = snapshot is not None and not snapshot.taken and connection.chosen
    return reading.ReadRequest(
        key=query.name,
        scopes=query.scopes,
        ttl=1.0,
        max_rows=10,
        max_bytes=1000,
        codec=_PlainCodec(),
        not_served=Reason.SNAPSHOT if opens else None,
        not_filled=Reason.OWN_WRITES if connection.touched else None,
        snapshot=snapshot,
        tracked=connection.tracked,
    )


def _loading(path: Path, snapshot: freshness.Snapshot | None) -> Path:
    """
    Pass *path* on; note what it loads, and that a load takes the snapshot.
    """
    loaded, answer, error = None, None, None
    try:
        while True:
            effect = path.send(answer) if error is None else path.throw(error)
            if isinstance(effect, Load) and snapshot is not None:
                snapshot.taken = True
            try:
                answer, error = (yield effect), None
            except Exception as exc:  # noqa: BLE001 - the path decides what to do about it
                answer, error = None, exc
            if isinstance(effect, Load):
                loaded = answer
    except StopIteration as stop:
        return stop.value, loaded


def changes(change: Change) -> Step:
    """
    Execute a statement that changes something.
    """

    def step(connection: Connection) -> Path:
        connection.wrote = True
        connection.touched.touch(change.scopes)
        if connection.snapshot is not None and not connection.snapshot.taken:
            connection.snapshot.taken = True
            yield OpensSnapshot()
        yield Writes(change)

    step.__name__ = f"changes {change.name}"
    return step


def savepoint(connection: Connection) -> Path:
    """
    Set a savepoint.
    """
    yield SetsSavepoint()
    connection.touched.savepoint("s")


def release(connection: Connection) -> Path:
    """
    Release the last savepoint.
    """
    yield Releases()
    connection.touched.release("s")


def rollback_to(connection: Connection) -> Path:
    """
    Roll back to the last savepoint.
    """
    yield RollsBackTo()
    connection.touched.rollback_to("s")


def commits(connection: Connection) -> Path:
    """
    End the transaction with a commit, if it has changed anything.
    """
    if not connection.wrote:
        return
    scopes = connection.touched.all()
    try:
        done = yield from writing.commit(scopes, lambda error: isinstance(error, Refused))
    except (Refused, Unheard) as exc:
        yield Heard(delivered=True, error=type(exc).__name__)
    else:
        yield Heard(done.delivered)


def _rolls_back(connection: Connection) -> Path:
    connection.touched.clear()
    yield RollsBack()


_ENDS: dict[str, Step] = {"commit": commits, "rollback": _rolls_back}
