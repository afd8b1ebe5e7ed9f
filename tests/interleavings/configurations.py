"""
What is explored, completely, and with how many writers and readers?

Each configuration is explored to its last state, not to a limit. `small` is the selection of the
normal test suite; `make explore` explores `complete`. Where faults multiply the states there are
fewer actors; the table that `make explore` prints says how many there were for which faults.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from typing import Any

from tests.interleavings.explore import Setting
from tests.interleavings.guarded import GuardedProcess
from tests.interleavings.markers import Change, Query
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
    Program,
    Step,
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


def _one(*steps: Step, **kw: Any) -> Program:
    return program(transaction(*steps, **kw))


def _of(
    name: str, *actors: Program, faults: tuple[str, ...] = (), budget: int = 0
) -> Configuration:
    budget = budget or int(bool(faults))
    size = _size(actors) + (f", {budget} fault{'s' * (budget > 1)}" if budget else "")
    return Configuration(name, size, (Setting(actors, faults=faults, budget=budget),))


def _size(actors: Iterable[Program]) -> str:
    kinds = Counter(
        "snapshot"
        if "one snapshot" in each.name
        else "writer"
        if "changes" in each.name
        else "reader"
        for each in actors
    )
    return ", ".join(f"{kinds[kind]} {kind}{'s' * (kinds[kind] > 1)}" for kind in sorted(kinds))


def _everybody(writers: int, readers: int) -> Configuration:
    """
    Return every choice of what writers change and readers read, of two tables: those that differ by
    the names of the tables only, once.
    """
    sets = ((0,), (1,), (0, 1))
    found: dict[Any, Setting] = {}
    for written in combinations_with_replacement(sets, writers):
        for read in combinations_with_replacement(sets, readers):
            if (_swapped(written), _swapped(read)) not in found:
                actors = *(writer(*each) for each in written), *(reader(*each) for each in read)
                found[written, read] = Setting(actors)
    settings = tuple(found.values())
    size = _size(settings[0].programs)
    return Configuration(f"no faults, {len(settings)} choices of two tables", size, settings)


def _swapped(chosen: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    other = (tuple(sorted(1 - item for item in each)) for each in chosen)
    return tuple(sorted(other, key=((0,), (1,), (0, 1)).index))


# -- transactions that do more than one thing ----------------------------------------------------

READS_OWN = _one(changes(changing(0)), reads(query(0)), reads(query(1)))
ROLLS_BACK = _one(changes(changing(0)), reads(query(0)), reads(query(1)), ends="rollback")
RELEASES = _one(savepoint, changes(changing(0)), release, reads(query(0)), changes(changing(1)))
UNDOES = _one(changes(changing(0)), savepoint, changes(changing(1)), rollback_to, reads(query(1)))
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
OWES = program(GuardedProcess(changing(0), query(0)))
BULKY = _one(changes(Change("all rows", (0, 1), (ANY, BULK))))


@cache
def complete() -> tuple[Configuration, ...]:
    """
    Return what `make explore` explores.
    """
    return (
        _of("no faults", W, W, W, R, R, R),
        _of("no faults", W1, W1, W, R1, R1, R),
        _of("no faults", W1, W2, W, R1, R1, R2),
        _everybody(2, 3),
        _everybody(3, 2),
        *_transactions(),
        *_with_faults(),
    )


def _transactions() -> list[Configuration]:
    return [
        _of("a transaction that reads its own changes", READS_OWN, W, R1, R1, R2),
        _of("a transaction that rolls back", ROLLS_BACK, W1, W, R1, R1),
        _of("RELEASE SAVEPOINT", RELEASES, W, R1, R1, R2),
        _of("ROLLBACK TO SAVEPOINT", UNDOES, W, R1, R1, R2),
        _of("savepoints in savepoints", NESTED, W, R1, R1, R2),
        _of("hits before and after the snapshot", SEVERAL, W, R1, R2),
        _of("hits before and after the snapshot", SEVERAL, W1, W, R1, R1),
        _of("two snapshots", SEVERAL, SEVERAL, W, R1),
        _of("a chosen snapshot", CHOSEN, W, R1, R1, R2),
        _of("the snapshot is taken by a statement that is not cached", UNCACHED, W, R1, R1),
        _of("the snapshot is taken by a write", WRITES_FIRST, W, R1, R1),
        _of("the snapshot is taken by a read, then a write", WRITES_LATER, W, R1, R1),
        _of("slices, moved rows, bulk writes", SETS_5, MOVES, BULKY, ROW_5, ROW_5, ALL_ROWS),
        _of("slices of two rows, bulk writes", SETS_5, SETS_6, BULKY, ROW_5, ROW_6, ALL_ROWS),
    ]


def _with_faults() -> list[Configuration]:
    killed, ends = (*KILLED, *TIME), (*ENDS, *TIME)
    return [
        _of("writers killed, leases run out", W, W, R, R, faults=killed, budget=2),
        _of("writers killed, leases run out", W1, W1, W1, R1, R1, faults=killed, budget=2),
        _of("leases run out under slow writers", W, W, R, R, R, faults=TIME, budget=2),
        _of("leases run out under slow writers", W1, W1, W1, R1, R1, R1, faults=TIME),
        _of("commits refused or unheard, leases run out", W, W, R, R, faults=ends, budget=2),
        _of("commits refused or unheard", W1, W1, W1, R1, R1, R1, faults=ENDS),
        _of("keys evicted, store flushed", W, W, R, R, faults=LOSSES, budget=2),
        _of("keys evicted, store flushed", W1, W1, W1, R1, R1, R1, faults=LOSSES),
        _of("store operations lost, late or twice", W, W, R, R, faults=DELIVERY, budget=2),
        _of("store operations lost, late or twice", W1, W1, W1, R1, R1, faults=DELIVERY),
        _of("invalidations owed by a guarded process", OWES, R1, R1, faults=("lost",), budget=4),
        _of("invalidations owed by a guarded process", OWES, R1, R1, faults=DELIVERY, budget=2),
        _of("any fault", W, W, R, R, faults=ALL),
        _of("any fault", W, R1, R1, faults=ALL, budget=3),
        _of("any fault, savepoints", RELEASES, W2, R1, R1, faults=ALL),
        _of("any fault, a snapshot", W, R1, SEVERAL, faults=ALL, budget=2),
        _of("any fault, slices", MOVES, BULKY, ROW_5, ROW_5, faults=ALL),
    ]


@cache
def small() -> tuple[Configuration, ...]:
    """
    Return what the normal test suite explores.
    """
    return (
        _everybody(1, 2),
        _of("no faults", W, W, R, R, R),
        _of("RELEASE SAVEPOINT", RELEASES, R1, R1),
        _of("ROLLBACK TO SAVEPOINT", UNDOES, R1, R1),
        _of("a transaction that rolls back", ROLLS_BACK, W1, R1, R1),
        _of("hits before and after the snapshot", SEVERAL, W, R1),
        _of("the snapshot is taken by a statement that is not cached", UNCACHED, W1, R1),
        _of("slices and bulk writes", MOVES, BULKY, ROW_5, ROW_5),
        _of("invalidations owed by a guarded process", OWES, R1, R1, faults=("lost",), budget=3),
        _of("any fault", W1, R1, R1, faults=ALL, budget=2),
        _of("any fault", W1, W1, R1, R1, faults=ALL),
    )
