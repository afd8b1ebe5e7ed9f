"""
Would the explorer notice if the protocol were wrong?

Each line names a mistake, who takes part, and which promise breaks. The story of each is printed:
`pytest -s tests/interleavings/test_mutations.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ormcache import reading, writing
from ormcache.freshness import Snapshot
from ormcache.stores.guard import Guard
from ormcache.touched import TouchedScopes
from tests.interleavings import mutations as m
from tests.interleavings.explore import Setting, explore
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
from tests.interleavings.store import CopyableStore
from tests.interleavings.stories import story

P2, P3, BACKWARDS = "P2/P4 is broken", "P3 is broken", "no going backwards is broken"
CLOCK = ("lease time passes",)


@dataclass
class Mistake:
    """
    What is replaced by what, who takes part, what may go wrong besides, and what breaks.
    """

    name: str
    breaks: str
    actors: tuple[Program, ...]
    replaced: tuple[tuple[Any, str, Any], ...] = ()
    faults: tuple[str, ...] = ()
    budget: int = 1
    store: Callable[[], CopyableStore] = CopyableStore
    rename: bool = True
    setting: Setting = field(init=False)

    def __post_init__(self) -> None:
        self.setting = Setting(
            self.actors,
            faults=self.faults,
            budget=self.budget,
            store=self.store,
            rename=self.rename,
        )

    def __str__(self) -> str:
        return self.name


def one(*steps: Step, **kw: Any) -> Program:
    """
    Return a program of one transaction.
    """
    return program(transaction(*steps, **kw))


W, R = writer(0), reader(0)
OWES = program(GuardedProcess(changing(0), query(0)))
OLD = keeper(query(1), query(0))
ROW_5 = one(reads(Query("row 5", (0,), (BULK, FIVE))))
ROW_5_ALONE = one(reads(Query("row 5", (0,), (FIVE,))))
ALL_ROWS, ROW_5_OR_6 = (ANY, BULK), (ANY, FIVE, SIX)


def rows(name: str, *scopes: Any) -> Program:
    """
    Return who changes rows 5 and 6.
    """
    return one(changes(Change(name, (0, 1), scopes)))


MISTAKES = [
    # The four that architecture.md names.
    Mistake(
        "tokens read after the query", P2, (W, R, R),
        ((reading, "read", m.tokens_after_the_query),),
    ),
    Mistake(
        "bump only before the commit", P2, (W, R, R),
        ((writing, "commit", m.bump_only_before),),
    ),
    Mistake(
        "counters that begin again after an eviction", P2, (W, R, R),
        store=m.Counting, rename=False, faults=("token evicted", "flushed"),
    ),
    Mistake(
        "filling from an old snapshot", P2, (W, OLD, R),
        ((reading, "judge", m.snapshot_forgotten_when_filling),),
    ),
    # The read path.
    Mistake(
        "serving what is newer than the snapshot", P3, (W, OLD, R),
        ((reading, "judge", m.snapshot_forgotten_when_serving),),
    ),
    Mistake(
        "doubt ignored", BACKWARDS, (W, R, R, R),
        ((reading, "judge", m.doubt_ignored),),
    ),
    Mistake(
        "one token decides for all", P2, (writer(1), reader(0, 1), reader(0, 1)),
        ((reading, "judge", m.one_token_is_enough),),
    ),
    Mistake(
        "missing is valid", P2, (W, R, R),
        ((reading, "judge", m.missing_matches),),
        store=m.CreatesNothing, faults=("token evicted",),
    ),
    Mistake(
        "the vector is fetched after the snapshot", P3,
        (W, one(reads(query(1), uncached=True), reads(query(0)), keeps=TABLES), R),
        (
            (reading, "read_uncached", m.vector_after_the_snapshot),
            (Snapshot, "unusable", property(lambda snapshot: snapshot.lost)),
        ),
    ),
    Mistake(
        "own changes overlooked", P3, (one(changes(changing(0)), reads(query(0))), R),
        ((TouchedScopes, "overlaps", lambda *_: False),),
    ),
    Mistake(
        "own changes filled", P3,
        (one(changes(changing(0)), reads(query(0)), ends="rollback"), R),
        ((TouchedScopes, "overlaps", lambda *_: False), (reading, "read", m.own_writes_filled)),
    ),
    # The write path.
    Mistake(
        "no announcement", BACKWARDS, (W, R, R, R),
        ((writing, "announce", m.nothing),),
    ),
    Mistake(
        "settled before the commit", P2, (W, R, R),
        ((writing, "commit", m.settles_before_the_commit),),
    ),
    Mistake(
        "nothing is invalidated", P2, (W, R, R),
        ((writing, "settle", m.nothing), (writing, "announce", m.nothing)),
    ),
    Mistake(
        "a commit of unheard end is settled at once", P2, (W, R, R),
        ((writing, "commit", m.unheard_is_settled),),
        faults=("unheard and late", *CLOCK), budget=2,
    ),
    Mistake(
        "a dying process settles", "is dead and does more", (W, R, R),
        ((writing, "commit", m.settles_when_killed),),
        faults=("killed",),
    ),
    Mistake(
        "only the first scope is announced", P2, (writer(0, 1), reader(1), reader(1)),
        ((writing, "commit", m.only_the_first_scope),),
    ),
    # Savepoints.
    Mistake(
        "RELEASE publishes", P2,
        (one(savepoint, changes(changing(0)), m.release_publishes), R, R),
    ),
    Mistake(
        "RELEASE forgets", P2, (one(savepoint, changes(changing(0)), release), R, R),
        ((TouchedScopes, "release", TouchedScopes.rollback_to),),
    ),
    Mistake(
        "ROLLBACK TO forgets what came before the savepoint", P2,
        (one(changes(changing(0)), savepoint, changes(changing(1)), rollback_to), R, R),
        ((TouchedScopes, "rollback_to", lambda touched, _name: touched.clear()),),
    ),
    # The store.
    Mistake("a settle removes the leases of others", BACKWARDS, (W, W, R, R, R),
            store=m.SettlesAll),
    Mistake("a settle keeps the token", P2, (W, R, R), store=m.SettlesInPlace, faults=CLOCK),
    Mistake("an announcement holds no lease", BACKWARDS, (W, R, R, R), store=m.LosesItsLeases),
    Mistake(
        "the guard forgets what it owes", P2, (OWES, R, R),
        ((Guard, "_owe", lambda *_: None),),
        faults=("lost",), budget=2,
    ),
    # Slices.
    Mistake(
        "a bulk write does not bump the slices' bulk scope", P2,
        (rows("all rows", ANY), ROW_5, ROW_5),
    ),
    Mistake(
        "a slice does not depend on bulk writes", P2,
        (rows("all rows", *ALL_ROWS), ROW_5_ALONE, ROW_5_ALONE),
    ),
    Mistake(
        "a row that moves bumps its new slice only", P2,
        (rows("row 5, to 6", ANY, SIX), ROW_5, ROW_5),
    ),
]  # fmt: skip


# Of a generator that asks for more while it is being dropped, Python complains wherever it goes.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_noticed(mistake, monkeypatch):
    for owner, name, replacement in mistake.replaced:
        monkeypatch.setattr(owner, name, replacement)
    found = explore(mistake.setting)
    assert found.violation is not None, f"{mistake} passed {found.states} states"
    told = story(mistake.setting, found.moves)
    print(f"\n{mistake}:\n{told}")  # noqa: T201 - the story is for whoever runs this with -s
    assert mistake.breaks in told.splitlines()[-1]


@pytest.mark.parametrize("mistake", [each for each in MISTAKES if each.replaced], ids=str)
def test_its_company_breaks_nothing_without_it(mistake):
    setting = replace(mistake.setting, store=CopyableStore, rename=True)
    found = explore(setting)
    assert found.violation is None, story(setting, found.moves)
