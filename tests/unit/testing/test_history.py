"""
The checker of histories finds what was planted, and finds nothing where all is well.
"""

from pathlib import Path

import pytest

from ormcache.testing.history import Journal, Kind, Past, Phase, check, journal, records, tell
from ormcache.testing.history.journal import BYPASSED, HIT
from ormcache.testing.history.past import Span

ROW = 7


class Scene:
    """
    Journals of several processes, and the time that they share.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.time = 0
        self.journals: dict[str, Journal] = {}
        self.outages: list[Span] = []

    def of(self, process: str) -> Journal:
        if process not in self.journals:
            path = self.folder / f"{process}.journal"
            self.journals[process] = Journal(path, buffered=process.startswith("reader"))
        return self.journals[process]

    def write(self, process: str, value: int, *steps: Kind) -> None:
        """
        Let a process write *value*, and go through the steps, one moment each.
        """
        self.time += 1
        self.of(process).wrote(ROW, value)
        for step in steps:
            self.time += 1
            self.of(process).note(step)

    def commit(self, process: str, value: int) -> None:
        self.write(process, value, Kind.COMMITTING, Kind.COMMITTED)

    def begin(self) -> int:
        self.time += 1
        return self.time

    def read(self, process: str, *values: int, began: int | None = None, flags: int = HIT) -> None:
        """
        Let a process read, since *began* or only now.
        """
        began = began or self.begin()
        self.time += 1
        self.of(process).read(ROW, (min(values), max(values)), began, self.time, flags)

    def past(self) -> Past:
        for open_journal in self.journals.values():
            open_journal.close()
        self.journals.clear()
        return Past(self.paths(), self.outages)

    def paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.journal"))

    def found(self) -> list[tuple[str, str, int]]:
        """
        What is wrong: the kind, the process and the value.
        """
        past = self.past()
        tally = check(self.paths(), past, [Phase("all", 0)])["all"]
        counted = {name: getattr(tally, name) for name in KINDS}
        assert sum(counted.values()) == len(tally.findings)
        return [(found.wrong, found.process, found.read.low) for found in tally.findings]


KINDS = ("stale", "owed", "uncommitted", "torn", "backwards")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """
    A scene in which the first value is committed.
    """
    made = Scene(tmp_path)
    monkeypatch.setattr(journal, "now", lambda: made.time)
    made.commit("setup", 0)
    return made


# -- all is well ------------------------------------------------------------------------------


def test_reads_of_what_is_committed_are_right(scene: Scene):
    scene.read("reader", 0)
    scene.commit("writer", 10)
    scene.read("reader", 10)
    scene.commit("other writer", 20)
    scene.read("reader", 20, 20)
    assert scene.found() == []


@pytest.mark.parametrize("value", [0, 10])
def test_a_read_that_began_before_the_commit_returned_may_find_either(scene: Scene, value: int):
    scene.write("writer", 10, Kind.COMMITTING)
    began = scene.begin()
    scene.of("writer").committed()
    scene.read("reader", value, began=began)
    assert scene.found() == []


@pytest.mark.parametrize("value", [0, 10])
def test_a_commit_of_which_nobody_knows_may_be_visible_or_not(scene: Scene, value: int):
    scene.write("killed writer", 10, Kind.COMMITTING)
    scene.read("reader", value)
    assert scene.found() == []


def test_a_failure_in_the_commit_leaves_it_unknown(scene: Scene):
    scene.write("writer", 10, Kind.COMMITTING)
    scene.of("writer").failed(ConnectionError("lost"))
    scene.read("reader", 0)
    scene.read("other reader", 10)
    assert scene.found() == []


# -- planted ----------------------------------------------------------------------------------


def test_a_stale_read_is_found(scene: Scene):
    scene.commit("writer", 10)
    scene.read("reader", 0)
    assert scene.found() == [("stale", "reader", 0)]


def test_a_stale_read_is_found_though_its_writer_was_killed_later(scene: Scene):
    scene.commit("writer", 10)
    scene.write("writer", 20, Kind.COMMITTING)
    scene.read("reader", 0)
    assert scene.found() == [("stale", "reader", 0)]


def test_the_greatest_value_counts_not_the_last_to_return(scene: Scene):
    scene.write("slow writer", 10, Kind.COMMITTING)
    scene.commit("writer", 20)
    scene.of("slow writer").committed()
    scene.read("reader", 20)
    scene.read("other reader", 10)
    assert scene.found() == [("stale", "other reader", 10)]


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Kind.ROLLED_BACK,),
        (Kind.COMMITTING, Kind.CONFLICT),
        (Kind.COMMITTING, Kind.REFUSED),
    ],
)
def test_an_uncommitted_read_is_found(scene: Scene, steps: tuple[Kind, ...]):
    scene.write("writer", 10, *steps)
    scene.read("reader", 10)
    assert scene.found() == [("uncommitted", "reader", 10)]


def test_a_read_before_the_commit_began_is_uncommitted(scene: Scene):
    scene.write("writer", 10)
    scene.read("reader", 10)
    scene.begin()
    scene.of("writer").committing()
    scene.of("writer").committed()
    assert scene.found() == [("uncommitted", "reader", 10)]


def test_what_a_savepoint_took_back_is_uncommitted(scene: Scene):
    scene.of("writer").discarded(ROW, 9)
    scene.commit("writer", 10)
    scene.read("reader", 10)
    scene.read("other reader", 9)
    assert ("uncommitted", "other reader", 9) in scene.found()


def test_a_value_that_nobody_wrote_is_uncommitted(scene: Scene):
    scene.read("reader", 5)
    assert scene.found() == [("uncommitted", "reader", 5)]


def test_a_backwards_read_is_found(scene: Scene):
    scene.write("writer", 10, Kind.COMMITTING)
    scene.read("reader", 10, flags=BYPASSED)
    scene.read("reader", 0)
    scene.read("other reader", 0)
    assert scene.found() == [("backwards", "reader", 0)]


def test_two_values_in_one_register_are_torn(scene: Scene):
    scene.write("writer", 10, Kind.COMMITTING)
    scene.read("reader", 0, 10)
    assert scene.found() == [("torn", "reader", 0)]


# -- what an unreachable writer owes ----------------------------------------------------------


def test_what_an_unreachable_writer_owes_is_counted_apart_until_it_is_paid(scene: Scene):
    scene.write("writer", 10, Kind.COMMITTING, Kind.OWED)
    scene.read("reader", 0)
    scene.begin()
    scene.of("writer").note(Kind.PAID)
    scene.read("other reader", 0)
    assert scene.found() == [("stale", "other reader", 0), ("owed", "reader", 0)]


def test_what_is_owed_excuses_nothing_older(scene: Scene):
    scene.commit("writer", 10)
    scene.write("writer", 20, Kind.COMMITTING, Kind.OWED)
    scene.read("reader", 0)
    scene.read("other reader", 10)
    assert scene.found() == [("owed", "other reader", 10), ("stale", "reader", 0)]


def test_nothing_is_excused_when_nobody_could_reach_the_store(scene: Scene):
    began = scene.begin()
    scene.write("writer", 10, Kind.COMMITTING, Kind.OWED)
    scene.outages.append(Span(began, scene.begin()))
    scene.read("reader", 0)
    assert scene.found() == [("stale", "reader", 0)]


# -- counting, and telling --------------------------------------------------------------------


def test_phases_count_what_happened_in_them(scene: Scene):
    scene.read("reader", 0)
    second = scene.begin()
    scene.commit("writer", 10)
    scene.read("reader", 10, flags=BYPASSED)
    scene.read("reader", 10, flags=0)
    scene.write("writer", 20, Kind.ROLLED_BACK)
    scene.write("writer", 21, Kind.COMMITTING, Kind.CONFLICT)
    scene.write("writer", 22, Kind.COMMITTING, Kind.REFUSED)
    scene.write("writer", 23)
    scene.of("writer").failed(ValueError("planted"))
    past = scene.past()
    first, then = check(scene.paths(), past, [Phase("first", 0), Phase("then", second)]).values()
    assert (first.reads, first.hits, first.bypassed, first.commits) == (1, 1, 0, 1)
    assert (then.reads, then.hits, then.bypassed, then.commits) == (2, 0, 1, 1)
    assert (then.rolled_back, then.conflicts, then.refused, then.errors) == (1, 1, 1, 1)
    errors = (scene.folder / "writer.errors").read_text()
    assert "ValueError: planted" in errors


def test_the_longest_time_without_a_hit_is_per_process(scene: Scene):
    second = 1_000_000_000
    scene.read("reader", 0)
    scene.time += 3 * second
    scene.read("other reader", 0)
    scene.time += 2 * second
    scene.read("reader", 0)
    tally = check(scene.paths() if scene.past() else [], scene.past(), [Phase("all", 0)])["all"]
    assert tally.longest_without_hit == pytest.approx(5)


def test_a_story_tells_who_did_what_in_order(scene: Scene):
    scene.commit("writer", 10 << 24)
    scene.read("reader", 0)
    past = scene.past()
    (finding,) = check(scene.paths(), past, [Phase("all", 0)])["all"].findings
    first, *lines = tell(finding, scene.paths(), past).splitlines()
    assert first == "stale: reader read 0/0 in register 7; expected 10/0 or later"
    said = [line.split("ms")[1].strip() for line in lines]
    assert [" ".join(line.split()) for line in said if not line.startswith("setup")] == [
        "writer write 10/0",
        "writer committing",
        "writer committed",
        "reader begins to read",
        "reader has read 0/0 (hit)",
    ]


def test_a_record_that_was_cut_off_is_dropped(scene: Scene):
    scene.commit("writer", 10)
    past = scene.past()
    assert past.floor(ROW, scene.time + 1) == 10
    path = scene.folder / "writer.journal"
    whole = list(records(path))
    path.write_bytes(path.read_bytes()[:-1])
    assert list(records(path)) == whole[:-1]


def test_what_a_writer_notes_does_not_wait_in_a_buffer(scene: Scene):
    scene.write("writer", 10, Kind.COMMITTING)
    assert [r.kind for r in records(scene.folder / "writer.journal")] == [
        Kind.WRITE,
        Kind.COMMITTING,
    ]
