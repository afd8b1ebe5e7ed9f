"""
S12, S13, S17: real processes that commit, that are killed, and whose clock is late.
"""

import pytest

from ormcache import Outcome
from tests.fixtures.apps import App, Database
from tests.fixtures.servers import eventually
from tests.integration.conformance.steps import name_of, rename, truth, warm

LEASE = 3.0
"""Seconds. As short as a busy machine allows: the tests wait until it has run out."""


def test_s12_what_another_process_commits_is_seen_by_the_next_read(app: App, start_worker):
    process = start_worker()
    for round_ in range(5):
        warm(app)
        process.rename(f"theirs {round_}")
        assert name_of(app) == f"theirs {round_}"
        assert process.name() == f"theirs {round_}"
        rename(app, f"ours {round_}")
        assert process.name() == f"ours {round_}"


@pytest.mark.parametrize("moment", ["after announce", "before settle", "after settle"])
def test_s13_a_writer_killed_during_its_commit_leaves_nothing_stale(
    app: App, other: App, start_worker, database: Database, moment: str
):
    warm(app)
    process = start_worker(lease_seconds=LEASE)
    process.rename_and_die("new", moment, meanwhile=lambda: name_of(other))
    committed = "old" if moment == "after announce" else "new"
    assert truth(database) == committed
    assert is_cached_again_and_never_wrong(app, committed)
    assert name_of(other) == committed


def test_s17_a_process_whose_clock_is_late_reads_and_writes_as_any_other(app: App, start_worker):
    process = start_worker(clock_behind=45)
    for round_ in range(3):
        warm(app)
        process.rename(f"theirs {round_}")
        assert name_of(app) == f"theirs {round_}"
        assert process.name() == f"theirs {round_}"
        rename(app, f"ours {round_}")
        assert process.name() == f"ours {round_}"
        assert name_of(app) == f"ours {round_}"


@pytest.mark.parametrize("behind", [45, -45], ids=["behind", "ahead"])
def test_s17_the_lease_of_a_dead_writer_runs_by_the_stores_clock(
    app: App, other: App, start_worker, behind: float
):
    warm(app)

    def read_during_the_commit() -> None:
        assert name_of(other) == "old"
        assert other.log.outcomes() == [Outcome.BYPASS]

    process = start_worker(clock_behind=behind, lease_seconds=LEASE)
    process.rename_and_die("new", "before settle", meanwhile=read_during_the_commit)
    assert is_cached_again_and_never_wrong(app, "new")


def is_cached_again_and_never_wrong(app: App, name: str) -> bool:
    """
    Whether the application's reads become hits, and all of them, until then too, were right.
    """
    app.log.outcomes()

    def hit() -> bool:
        assert name_of(app) == name
        return app.log.outcomes() == [Outcome.HIT]

    return eventually(hit)
