"""
A recording keeps what it is told, counts it, and shows it as a table.
"""

import re

from ormcache import CommitEvent, Outcome, ReadEvent, Reason, Recording, ShadowDifference


def read(outcome: Outcome, **fields) -> ReadEvent:
    settings = {
        "reason": None,
        "detail": "",
        "statement": "SELECT products.id\nFROM products",
        "tables": ("products",),
        "store_seconds": 0.0,
        "database_seconds": 0.0,
        "rows": 0,
        "stored": False,
    }
    return ReadEvent(outcome, **{**settings, **fields})


def commit(**fields) -> CommitEvent:
    settings = {"tables": ("products",), "committed": True, "delivered": True, "store_seconds": 0.0}
    return CommitEvent(**{**settings, **fields})


def test_counts_by_outcome():
    log = Recording()
    for outcome in (Outcome.HIT, Outcome.HIT, Outcome.MISS, Outcome.STALE, Outcome.BYPASS):
        log.on_read(read(outcome))
    log.on_commit(commit())
    log.on_difference(ShadowDifference("SELECT 1", ("products",), 1, 1, 1))
    assert (log.hits, log.misses, log.bypasses) == (2, 2, 1)
    assert len(log.reads) == 5
    assert len(log.commits) == len(log.differences) == 1
    assert repr(log) == "<Recording 2 hits, 2 misses, 1 bypass, 1 commit>"


def test_reads_that_waited_for_another_are_counted_where_there_are_any():
    log = Recording()
    for outcome in (Outcome.MISS, Outcome.COLLAPSED, Outcome.COLLAPSED):
        log.on_read(read(outcome))
    assert (log.hits, log.misses, log.collapsed) == (0, 1, 2)
    assert repr(log) == "<Recording 0 hits, 1 miss, 2 collapsed, 0 bypasses, 0 commits>"


def test_nothing_is_added_once_the_block_has_ended():
    log = Recording()
    log.on_read(read(Outcome.HIT))
    log.close()
    log.on_read(read(Outcome.HIT))
    log.on_commit(commit())
    assert len(log.events) == 1


def test_the_table_shows_every_event_in_order():
    log = Recording()
    log.on_read(read(Outcome.MISS, store_seconds=0.00025, database_seconds=0.0125, stored=True))
    log.on_commit(commit(store_seconds=0.0005))
    log.on_read(
        read(
            Outcome.BYPASS,
            reason=Reason.NO_POLICY,
            detail="audit_log",
            tables=("audit_log", "products"),
            database_seconds=0.001,
        )
    )
    lines = str(log).splitlines()
    assert [re.split(r"\s{2,}", line) for line in lines[:-1]] == [
        ["outcome", "why", "tables", "statement", "store ms", "db ms"],
        ["miss", "products", "SELECT products.id FROM products", "0.25", "12.50"],
        ["commit", "products", "0.50"],
        [
            "bypass",
            "a table it reads has no policy: audit_log",
            "audit_log, products",
            "SELECT products.id FROM products",
            "1.00",
        ],
    ]
    assert len({line.index("products.id") for line in (lines[1], lines[3])}) == 1
    assert len({len(line) for line in (lines[0], lines[1], lines[3])}) == 1
    assert lines[-1] == "0 hits, 1 miss, 1 bypass, 1 commit"


def test_the_table_says_what_went_wrong_with_a_commit():
    log = Recording()
    log.on_commit(commit(committed=False))
    log.on_commit(commit(delivered=False))
    log.on_difference(ShadowDifference("SELECT 1", ("products",), 3, 4, 2))
    shown = [re.split(r"\s{2,}", line) for line in str(log).splitlines()[1:4]]
    assert [why for _, why, *_ in shown] == [
        "the database raised",
        "the store missed it",
        "3 rows cached, 4 in the database, 2 differ",
    ]


def test_long_statements_are_cut():
    log = Recording()
    log.on_read(
        read(Outcome.HIT, statement="SELECT " + ", ".join(f"column_{i}" for i in range(99)))
    )
    (line,) = (line for line in str(log).splitlines() if line.startswith("hit"))
    assert line.rstrip().endswith("…")
    assert len(line) < 140


def test_an_empty_recording_says_so():
    assert str(Recording()) == "no read and no commit"
