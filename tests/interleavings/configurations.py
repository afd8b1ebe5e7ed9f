"""
What is explored, completely, and with how many writers and readers?

Each configuration is explored to its last state, not to a limit. `small` is the selection of the
normal test suite; `make explore` explores `complete`. Where faults multiply the states there are
fewer actors; the table that `make explore` prints says how many there were for which faults.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

from tests.interleavings.explore import Setting
from tests.interleavings.people import (
    ANY,
    BULK,
    FIVE,
    SIX,
    TABLES,
    changing,
    keeper,
    query,
    reader,
    writer,
)
from tests.interleavings.programs import (
    Change,
    Program,
    Query,
    changes,
    program,
    reads,
    release,
    rollback_to,
    savepoint,
    transaction,
)

__all__ = ["Configuration", "complete", "small"]

KILLED = ("killed", "killed before its commit arrives")
ENDS = ("refused", "unheard", "unheard and lost", "unheard and late")
TIME = ("lease time passes",)
LOSSES = ("entry evicted", "token evicted", "flushed")
DELIVERY = ("lost", "unanswered", "delayed", "repeated")
ALL = (*KILLED, *ENDS, *TIME, *LOSSES, *DELIVERY)


@dataclass(frozen=True)
class Configuration:
    """
    Settings that belong together, and how the table calls them.
    """

    name: str
    size: str
    settings: tuple[Setting, ...]

    def __str__(self) -> str:
        return f"{self.name}, {self.size}"


W, R = writer(0, 1), reader(0, 1)
W1, W2, R1, R2 = writer(0), writer(1), reader(0), reader(1)


def _one(*steps, **kw) -> Program:
    return program(transaction(*steps, **kw))


def _faulty(name: str, kinds: tuple[str, ...], size: str, *actors: Program, budget: int = 1):
    allowed = f"{size}, up to {budget} fault{'s' * (budget > 1)}"
    return Configuration(name, allowed, (Setting(actors, faults=kinds, budget=budget),))


def _everybody(writers: int, readers: int) -> tuple[Setting, ...]:
    """
    Return every choice of what writers change and readers read, of two tables: those that differ
    by the names of the tables only, once.
    """
    sets = ((0,), (1,), (0, 1))
    found = {}
    for written in combinations_with_replacement(sets, writers):
        for read in combinations_with_replacement(sets, readers):
            other = _swapped(written), _swapped(read)
            if other not in found:
                found[written, read] = Setting(
                    (*(writer(*each) for each in written), *(reader(*each) for each in read))
                )
    return tuple(found.values())


def _swapped(chosen: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(sorted((tuple(sorted(1 - item for item in each)) for each in chosen), key=_SETS))


def _SETS(chosen: tuple[int, ...]) -> int:
    return ((0,), (1,), (0, 1)).index(chosen)


# -- transactions that do more than one thing ----------------------------------------------------

READS_OWN = _one(changes(changing(0)), reads(query(0)), reads(query(1)))
ROLLS_BACK = _one(changes(changing(0)), reads(query(0)), reads(query(1)), ends="rollback")
RELEASES = _one(
    savepoint, changes(changing(0)), release, reads(query(0)), changes(changing(1))
)
UNDOES = _one(
    changes(changing(0)), savepoint, changes(changing(1)), rollback_to, reads(query(1))
)
NESTED = _one(
    savepoint, changes(changing(0)), savepoint, changes(changing(1)), rollback_to, release, release
)

SEVERAL = keeper(query(0), query(1), query(0))
CHOSEN = keeper(query(0), query(1), chosen=True)
UNCACHED = _one(reads(query(1), uncached=True), reads(query(0)), keeps=TABLES)
WRITES_FIRST = _one(changes(changing(1)), reads(query(0)), reads(query(1)), keeps=TABLES)
WRITES_LATER = _one(reads(query(0)), changes(changing(1)), reads(query(0)), keeps=TABLES)

ROW_5 = _one(reads(Query("row 5", (0,), (BULK, FIVE))))
ROW_6 = _one(reads(Query("row 6", (1,), (BULK, SIX))))
ALL_ROWS = _one(reads(Query("all rows", (0, 1), (ANY,))))
SETS_5 = _one(changes(Change("row 5", (0,), (ANY, FIVE))))
SETS_6 = _one(changes(Change("row 6", (1,), (ANY, SIX))))
MOVES = _one(changes(Change("row 5, to 6", (0, 1), (ANY, FIVE, SIX))))
BULKY = _one(changes(Change("all rows", (0, 1), (ANY, BULK))))


def complete() -> list[Configuration]:
    """
    Return what `make explore` explores.
    """
    return [
        Configuration("no faults, every choice of two tables", "3 writers, 3 readers", _everybody(3, 3)),
        *_transactions(),
        _faulty("writers killed, leases run out", (*KILLED, *TIME), "2 writers, 2 readers", W, W, R, R, budget=2),
        _faulty("writers killed, leases run out", (*KILLED, *TIME), "3 writers, 2 readers", W1, W1, W1, R1, R1, budget=2),
        _faulty("leases run out under slow writers", TIME, "3 writers, 3 readers", W1, W1, W1, R1, R1, R1),
        _faulty("leases run out under slow writers", TIME, "2 writers, 3 readers", W, W, R, R, R, budget=2),
        _faulty("commits refused or unheard, leases run out", (*ENDS, *TIME), "2 writers, 2 readers", W, W, R, R, budget=2),
        _faulty("commits refused or unheard", ENDS, "3 writers, 3 readers", W1, W1, W1, R1, R1, R1),
        _faulty("keys evicted, store flushed", LOSSES, "2 writers, 2 readers", W, W, R, R, budget=2),
        _faulty("keys evicted, store flushed", LOSSES, "3 writers, 3 readers", W1, W1, W1, R1, R1, R1),
        _faulty("store operations lost, late or repeated", DELIVERY, "2 writers, 2 readers", W, W, R, R, budget=2),
        _faulty("store operations lost, late or repeated", DELIVERY, "3 writers, 2 readers", W1, W1, W1, R1, R1),
        _faulty("any fault", ALL, "2 writers, 2 readers", W, W, R, R),
        _faulty("any fault", ALL, "1 writer, 2 readers", W, R1, R1, budget=3),
        _faulty("any fault, savepoints", ALL, "2 writers, 2 readers", RELEASES, W2, R1, R2),
        _faulty("any fault, a snapshot", ALL, "1 writer, 1 reader, 1 snapshot", W, R1, SEVERAL, budget=2),
        _faulty("any fault, slices", ALL, "2 writers, 2 readers", MOVES, BULKY, ROW_5, ROW_5),
    ]  # fmt: skip


def _transactions() -> list[Configuration]:
    snapshots = "1 writer, 2 readers, 1 snapshot"
    return [
        _whole("a transaction that reads its own changes", "2 writers, 2 readers", READS_OWN, W, R1, R2),
        _whole("a transaction that rolls back", "3 writers, 2 readers", ROLLS_BACK, W1, W, R1, R),
        _whole("RELEASE SAVEPOINT", "2 writers, 2 readers", RELEASES, W, R1, R2),
        _whole("ROLLBACK TO SAVEPOINT", "2 writers, 2 readers", UNDOES, W, R1, R2),
        _whole("savepoints in savepoints", "2 writers, 3 readers", NESTED, W, R1, R1, R2),
        _whole("hits before and after the snapshot", snapshots, SEVERAL, W, R1, R2),
        _whole("hits before and after the snapshot", "2 writers, 2 readers, 1 snapshot", SEVERAL, W1, W, R1, R1),
        _whole("two snapshots", "1 writer, 1 reader, 2 snapshots", SEVERAL, SEVERAL, W, R1),
        _whole("a chosen snapshot", snapshots, CHOSEN, W, R1, R2),
        _whole("a snapshot taken by a statement that is not cached", snapshots, UNCACHED, W, R1, R2),
        _whole("a snapshot taken by a write", snapshots, WRITES_FIRST, W, R1, R2),
        _whole("a snapshot that writes later", snapshots, WRITES_LATER, W, R1, R2),
        _whole("slices, moved rows, bulk writes", "3 writers, 3 readers", SETS_5, MOVES, BULKY, ROW_5, ROW_5, ALL_ROWS),
        _whole("slices of two rows, bulk writes", "3 writers, 3 readers", SETS_5, SETS_6, BULKY, ROW_5, ROW_6, ALL_ROWS),
    ]  # fmt: skip


def _whole(name: str, size: str, *actors: Program) -> Configuration:
    return Configuration(name, size, (Setting(actors),))


def small() -> list[Configuration]:
    """
    Return what the normal test suite explores.
    """
    return [
        Configuration("no faults, every choice of two tables", "1 writer, 2 readers", _everybody(1, 2)),
        _whole("no faults", "2 writers, 3 readers", W, W, R, R, R),
        _whole("RELEASE SAVEPOINT", "1 writer, 2 readers", RELEASES, R1, R1),
        _whole("ROLLBACK TO SAVEPOINT", "1 writer, 2 readers", UNDOES, R1, R1),
        _whole("a transaction that rolls back", "2 writers, 2 readers", ROLLS_BACK, W1, R1, R1),
        _whole("hits before and after the snapshot", "1 writer, 1 reader, 1 snapshot", SEVERAL, W, R1),
        _whole("a snapshot taken by a statement that is not cached", "1 writer, 1 reader, 1 snapshot", UNCACHED, W1, R1),
        _whole("slices and bulk writes", "2 writers, 2 readers", MOVES, BULKY, ROW_5, ROW_5),
        _faulty("any fault", ALL, "1 writer, 2 readers", W1, R1, R1, budget=2),
        _faulty("any fault", ALL, "2 writers, 2 readers", W1, W1, R1, R1),
    ]  # fmt: skip
