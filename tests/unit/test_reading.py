"""
The life of a read, step by step: every branch, and a store that fails at every step.
"""

from typing import Any

import pytest

from ormcache.codecs import open_sealer
from ormcache.effects import Fetch, Load, Save
from ormcache.entry import open_entry, seal_entry
from ormcache.errors import StoreError, StoreRecoveringError, Undecodable, Unstorable
from ormcache.freshness import Snapshot
from ormcache.model import (
    Column,
    Fetched,
    Outcome,
    Reason,
    Rows,
    Scope,
    Token,
    TokenState,
    slice_scope,
)
from ormcache.reading import ReadRequest, read, read_uncached
from tests.fixtures.scripted import play

A, B, C = Scope("db/a"), Scope("db/b"), Scope("db/c")
OLD, NEW = Token(b"old"), Token(b"new")
SECRET = "sixteen bytes or more"
DOWN = StoreError("the store is down")


class ReprCodec:
    """
    A codec that can be told to fail.
    """

    id = 7

    def encode(self, rows: Rows) -> bytes:
        if any(isinstance(value, complex) for row in rows.rows for value in row):
            raise Unstorable("complex")
        return repr(rows.rows).encode()

    def decode(self, payload: bytes) -> Rows:
        if payload == b"broken":
            raise Undecodable("broken")
        return rows_of(*eval(payload))


def rows_of(*rows: tuple[Any, ...]) -> Rows:
    return Rows((Column("x", None),), list(rows))


ROWS = rows_of((1,), (2,))


def quiet(*tokens: Token) -> tuple[TokenState, ...]:
    return tuple(TokenState(token, in_doubt=False) for token in tokens)


def doubtful(*tokens: Token) -> tuple[TokenState, ...]:
    return tuple(TokenState(token, in_doubt=True) for token in tokens)


def request(**settings: Any) -> ReadRequest:
    usual = {"key": "f", "scopes": (A, B), "ttl": 60.0, "max_rows": 10, "max_bytes": 1000}
    return ReadRequest(**{**usual, "codec": ReprCodec(), **settings})


def entry(*tokens: Token, payload: bytes = b"[(1,), (2,)]", key: str = "f") -> bytes:
    return seal_entry(key, ReprCodec.id, tokens, payload)


HIT = Fetched(entry(OLD, NEW), quiet(OLD, NEW))
MISS = Fetched(None, quiet(OLD, NEW))
STALE = Fetched(entry(OLD, OLD), quiet(OLD, NEW))


def held(*scopes: Scope) -> Snapshot:
    snapshot = Snapshot()
    snapshot.hold(scopes or (A, B), quiet(*([OLD, NEW, NEW][: len(scopes) or 2])))
    return snapshot


# -- without a snapshot ------------------------------------------------------------------------


def test_a_hit_is_one_fetch_and_nothing_else():
    effects, answer = play(read(request()), HIT)
    assert effects == [Fetch("f", (A, B))]
    assert (answer.outcome, answer.reason, answer.rows) == (Outcome.HIT, None, ROWS)
    assert not answer.stored


@pytest.mark.parametrize(
    ("fetched", "outcome"), [(MISS, Outcome.MISS), (STALE, Outcome.STALE)], ids=["miss", "stale"]
)
def test_otherwise_the_database_answers_and_fills(fetched: Fetched, outcome: Outcome):
    effects, answer = play(read(request()), fetched, ROWS, None)
    assert effects[:2] == [Fetch("f", (A, B)), Load()]
    saved = effects[2]
    assert isinstance(saved, Save)
    assert (saved.key, saved.ttl) == ("f", 60.0)
    # The tokens are those of before the query.
    assert open_entry("f", ReprCodec.id, saved.entry) == ((OLD, NEW), b"[(1,), (2,)]")
    assert (answer.outcome, answer.reason, answer.stored) == (outcome, None, True)
    assert answer.rows is None


@pytest.mark.parametrize("stored", [None, entry(OLD, NEW)])
def test_a_token_in_doubt_is_a_bypass_that_stores_nothing(stored: bytes | None):
    states = (*quiet(OLD), *doubtful(NEW))
    played = play(read(request()), Fetched(stored, states), ROWS)
    assert played.asked == ["fetch", "load"]
    assert (played.returned.outcome, played.returned.reason) == (Outcome.BYPASS, Reason.IN_DOUBT)


@pytest.mark.parametrize(
    "stored",
    [b"", b"garbage", entry(OLD, NEW)[:-1], entry(OLD, NEW, key="another")],
    ids=["empty", "garbage", "cut", "of another key"],
)
def test_bytes_that_are_no_entry_are_a_miss_and_replaced(stored: bytes):
    played = play(read(request()), Fetched(stored, quiet(OLD, NEW)), ROWS, None)
    assert played.asked == ["fetch", "load", "save"]
    assert played.returned.outcome is Outcome.MISS
    assert played.returned.stored


@pytest.mark.parametrize("tokens", [(OLD, NEW), (OLD, OLD)], ids=["current", "stale"])
@pytest.mark.parametrize(
    ("settings", "alter", "reason"),
    [
        ({}, lambda data: data[:-1], Reason.TAMPERED),
        ({}, lambda data: b"\0" + data[1:], Reason.UNDECODABLE),
        ({"secret": SECRET}, lambda data: data[:-1], Reason.TAMPERED),
        ({"secret": SECRET}, lambda data: data[:2] + b"\0" * 8 + data[10:], Reason.FOREIGN_SEAL),
        ({"secret": SECRET}, lambda _: entry(OLD, NEW), Reason.UNDECODABLE),
        ({"secret": SECRET, "encrypt": True}, lambda data: data + b"\0", Reason.TAMPERED),
    ],
)
def test_why_what_is_stored_was_not_believed_is_told(
    tokens: tuple[Token, ...], settings: dict[str, Any], alter, reason: Reason
):
    sealer = open_sealer(**{"secret": None, **settings})
    stored = alter(sealer.seal("f", ReprCodec.id, tokens, b"[(1,), (2,)]"))
    played = play(read(request(sealer=sealer)), Fetched(stored, quiet(OLD, NEW)), ROWS, None)
    assert (played.returned.outcome, played.returned.reason) == (Outcome.MISS, reason)
    assert played.returned.stored
    saved = played.effects[-1]
    assert sealer.open("f", ReprCodec.id, saved.entry).tokens == (OLD, NEW)


def test_a_table_in_doubt_says_more_than_bytes_that_are_no_entry():
    states = (*quiet(OLD), *doubtful(NEW))
    played = play(read(request()), Fetched(b"garbage", states), ROWS)
    assert (played.returned.outcome, played.returned.reason) == (Outcome.BYPASS, Reason.IN_DOUBT)


def test_a_payload_that_cannot_be_decoded_is_a_miss_and_replaced():
    fetched = Fetched(entry(OLD, NEW, payload=b"broken"), quiet(OLD, NEW))
    played = play(read(request()), fetched, ROWS, None)
    answer = played.returned
    assert played.asked == ["fetch", "load", "save"]
    assert (answer.outcome, answer.reason) == (Outcome.MISS, Reason.UNDECODABLE)
    assert answer.stored


def test_a_store_that_does_not_answer_makes_it_an_ordinary_read():
    played = play(read(request()), DOWN, ROWS)
    answer = played.returned
    assert played.asked == ["fetch", "load"]
    assert (answer.outcome, answer.reason) == (Outcome.BYPASS, Reason.STORE)
    assert answer.detail == "the store is down"


def test_a_store_that_is_not_believed_yet_says_so():
    answer = play(read(request()), StoreRecoveringError("in 3 seconds"), ROWS).returned
    assert (answer.outcome, answer.reason) == (Outcome.BYPASS, Reason.RECOVERING)
    assert answer.detail == "in 3 seconds"


def test_a_store_that_cannot_save_costs_only_the_entry():
    answer = play(read(request()), MISS, ROWS, DOWN).returned
    assert (answer.outcome, answer.reason, answer.stored) == (Outcome.MISS, Reason.STORE, False)
    assert answer.detail == "the store is down"


@pytest.mark.parametrize(
    "script",
    [(DOWN,), (MISS,), (Fetched(None, doubtful(OLD, NEW)),)],
    ids=["down", "miss", "doubt"],
)
def test_what_the_database_raises_is_raised(script: tuple):
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as raised:
        play(read(request()), *script, error)
    assert raised.value is error


@pytest.mark.parametrize(
    ("settings", "rows", "reason", "detail"),
    [
        ({"not_filled": Reason.OWN_WRITES}, ROWS, Reason.OWN_WRITES, ""),
        ({"max_rows": 1}, ROWS, Reason.TOO_LARGE, ""),
        ({"max_bytes": 11}, ROWS, Reason.TOO_LARGE, ""),
        ({}, rows_of((1j,)), Reason.UNSTORABLE, "complex"),
    ],
)
def test_what_may_not_be_stored_is_not(settings: dict, rows: Rows, reason: Reason, detail: str):
    played = play(read(request(**settings)), MISS, rows)
    answer = played.returned
    assert played.asked == ["fetch", "load"]
    assert (answer.outcome, answer.reason, answer.detail) == (Outcome.MISS, reason, detail)
    assert not answer.stored


def test_limits_are_inclusive():
    assert play(read(request(max_rows=2, max_bytes=12)), MISS, ROWS, None).returned.stored


def test_rows_that_cannot_be_buffered_are_not_stored():
    played = play(read(request()), MISS, None)
    assert played.asked == ["fetch", "load"]
    assert played.returned.outcome is Outcome.MISS


def test_a_transaction_that_has_written_may_still_be_served():
    assert play(read(request(not_filled=Reason.OWN_WRITES)), HIT).returned.outcome is Outcome.HIT


def test_an_entry_that_is_not_to_be_served_is_replaced():
    played = play(read(request(not_served=Reason.ASKED)), HIT, ROWS, None)
    answer = played.returned
    assert played.asked == ["fetch", "load", "save"]
    assert (answer.outcome, answer.reason, answer.rows) == (Outcome.BYPASS, Reason.ASKED, None)
    assert answer.differing is None


def test_why_the_database_was_asked_says_more_than_why_nothing_was_stored():
    settings = {"not_served": Reason.ASKED, "not_filled": Reason.OWN_WRITES}
    answer = play(read(request(**settings)), HIT, ROWS).returned
    assert (answer.outcome, answer.reason) == (Outcome.BYPASS, Reason.ASKED)


# -- shadow mode -------------------------------------------------------------------------------


def test_shadow_an_equal_would_be_hit_is_no_difference():
    played = play(read(request(shadow=True)), HIT, ROWS, None)
    answer = played.returned
    assert played.asked == ["fetch", "load", "save"]
    assert (answer.outcome, answer.reason) == (Outcome.BYPASS, Reason.SHADOW)
    assert answer.differing is None


@pytest.mark.parametrize(
    ("ordered", "rows", "differing"),
    [
        (True, [(2,), (1,)], (2, 2, 2)),
        (False, [(2,), (1,)], None),
        (True, [(1,)], (2, 1, 1)),
        (False, [(1,), (2,), (2,)], (2, 3, 1)),
        (True, [], (2, 0, 2)),
        (True, [(1,), (2.0,)], (2, 2, 1)),
        (False, [(True,), (2,)], (2, 2, 1)),
    ],
)
def test_shadow_compares_rows_values_and_types(ordered: bool, rows: list, differing: tuple | None):
    script = [HIT, rows_of(*rows)]
    if differing is not None:
        script.append(Fetched(None, quiet(OLD, NEW)))
    answer = play(read(request(shadow=True, ordered=ordered)), *script, None).returned
    assert answer.differing == differing


def test_shadow_nan_equals_nan():
    fetched = Fetched(entry(OLD, NEW, payload=b"[(float('nan'),)]"), quiet(OLD, NEW))
    answer = play(read(request(shadow=True)), fetched, rows_of((float("nan"),)), None).returned
    assert answer.differing is None


@pytest.mark.parametrize(
    "after", [Fetched(None, quiet(NEW, NEW)), Fetched(None, doubtful(OLD, NEW)), DOWN]
)
def test_shadow_a_commit_in_between_is_no_difference(after: object):
    script = (HIT, rows_of((9,)), after, None)
    answer = play(read(request(shadow=True)), *script).returned
    assert answer.differing is None


@pytest.mark.parametrize("fetched", [MISS, STALE])
def test_shadow_compares_only_would_be_hits(fetched: Fetched):
    answer = play(read(request(shadow=True)), fetched, rows_of((9,)), None).returned
    assert answer.outcome in (Outcome.MISS, Outcome.STALE)
    assert answer.differing is None


# -- with a snapshot ---------------------------------------------------------------------------


def test_the_first_read_brings_the_vector_of_everything_in_use():
    snapshot = Snapshot()
    wanted = request(snapshot=snapshot, tracked=(C, A))
    fetched = Fetched(entry(OLD, NEW), quiet(OLD, NEW, NEW))
    effects, answer = play(read(wanted), fetched)
    assert effects == [Fetch("f", (A, B, C))]
    assert answer.outcome is Outcome.HIT
    assert snapshot.covers((A, B, C), quiet(OLD, NEW, NEW))
    assert snapshot.to_recheck() == (A, B)


def test_later_reads_fetch_only_what_they_depend_on():
    effects, answer = play(read(request(snapshot=held(), tracked=(C,))), HIT)
    assert effects == [Fetch("f", (A, B))]
    assert answer.outcome is Outcome.HIT


def test_a_token_newer_than_the_vector_is_a_bypass_that_stores_nothing():
    moved = Fetched(entry(NEW, NEW), quiet(NEW, NEW))
    played = play(read(request(snapshot=held())), moved, ROWS)
    assert played.asked == ["fetch", "load"]
    assert (played.returned.outcome, played.returned.reason) == (Outcome.BYPASS, Reason.SNAPSHOT)


def test_a_lost_snapshot_asks_the_store_nothing():
    snapshot = held()
    snapshot.lose()
    played = play(read(request(snapshot=snapshot)), ROWS)
    assert played.asked == ["load"]
    assert (played.returned.outcome, played.returned.reason) == (Outcome.BYPASS, Reason.SNAPSHOT)


def test_without_its_vector_a_snapshot_is_lost():
    snapshot = Snapshot()
    answer = play(read(request(snapshot=snapshot)), DOWN, ROWS).returned
    assert answer.reason is Reason.STORE
    assert snapshot.lost


def test_an_outage_after_the_vector_is_an_outage_only():
    snapshot = held()
    assert play(read(request(snapshot=snapshot)), DOWN, ROWS).returned.reason is Reason.STORE
    assert not snapshot.lost


def test_a_vector_that_would_come_too_late_is_not_taken():
    snapshot = Snapshot()
    snapshot.taken = True
    played = play(read(request(snapshot=snapshot)), ROWS)
    assert played.returned.reason is Reason.SNAPSHOT
    assert snapshot.lost


def served_then_taken() -> Snapshot:
    """
    A snapshot under which a hit was given out, and which the database has now taken.
    """
    snapshot = held()
    play(read(request(snapshot=snapshot)), HIT)
    snapshot.taken = True
    return snapshot


def test_when_the_database_takes_its_snapshot_what_was_served_is_checked_again():
    snapshot = served_then_taken()
    tokens = Fetched(None, quiet(OLD, NEW))
    effects, answer = play(read(request(snapshot=snapshot)), MISS, ROWS, tokens, None)
    assert effects[1:3] == [Load(), Fetch(None, (A, B))]
    assert answer.stored
    assert not snapshot.lost
    # Once is enough.
    assert play(read(request(snapshot=snapshot)), MISS, ROWS, None).returned.stored


@pytest.mark.parametrize("again", [Fetched(None, quiet(NEW, NEW)), DOWN], ids=["moved", "down"])
def test_where_it_has_moved_the_transaction_stops_using_the_cache(again: object):
    snapshot = served_then_taken()
    played = play(read(request(snapshot=snapshot)), MISS, ROWS, again)
    assert played.asked == ["fetch", "load", "fetch"]
    assert (played.returned.outcome, played.returned.reason) == (Outcome.MISS, Reason.SNAPSHOT)
    assert snapshot.lost


# -- statements that are not cached ------------------------------------------------------------


def test_an_uncached_statement_is_preceded_by_the_vector():
    snapshot = Snapshot()
    effects, _ = play(read_uncached(snapshot, (A, B)), Fetched(None, quiet(OLD, NEW)), None)
    assert effects == [Fetch(None, (A, B)), Load()]
    assert snapshot.covers((A, B), quiet(OLD, NEW))


def test_an_uncached_statement_without_the_vector_loses_the_snapshot():
    snapshot = Snapshot()
    assert play(read_uncached(snapshot, (A,)), DOWN, None).asked == ["fetch", "load"]
    assert snapshot.lost


@pytest.mark.parametrize("taken", [True, False])
def test_an_uncached_statement_asks_for_nothing_it_has_or_cannot_use(taken: bool):
    snapshot = Snapshot() if taken else held()
    snapshot.taken = taken
    assert play(read_uncached(snapshot, (A,)), None).asked == ["load"]
    assert play(read_uncached(None, (A,)), None).asked == ["load"]


def test_an_uncached_statement_raises_what_the_database_raises():
    with pytest.raises(ZeroDivisionError):
        play(read_uncached(None, ()), ZeroDivisionError())


# -- dropped half way --------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [(), (MISS,), (MISS, ROWS)])
def test_a_path_that_is_dropped_half_way_ends_quietly(answers: tuple):
    path = read(request())
    next(path)
    for answer in answers:
        path.send(answer)
    path.close()


# -- slices --------------------------------------------------------------------------------------

SLICE = slice_scope(B, "id", "5")


def sliced(**settings: Any) -> ReadRequest:
    return request(scopes=(A, SLICE), tables=(A, B), **settings)


def test_without_a_snapshot_the_whole_table_is_not_asked_for():
    effects, answer = play(read(sliced()), HIT)
    assert effects == [Fetch("f", (A, SLICE))]
    assert answer.outcome is Outcome.HIT


@pytest.mark.parametrize(
    ("table", "outcome"), [(NEW, Outcome.HIT), (OLD, Outcome.BYPASS)], ids=["as held", "moved"]
)
def test_a_snapshot_compares_the_whole_table(table: Token, outcome: Outcome):
    snapshot = held(A, B)
    fetched = Fetched(entry(OLD, NEW), quiet(OLD, NEW, table))
    answers = [fetched] if outcome is Outcome.HIT else [fetched, ROWS]
    effects, answer = play(read(sliced(snapshot=snapshot)), *answers)
    assert effects[0] == Fetch("f", (A, SLICE, B))
    assert answer.outcome is outcome
    assert snapshot.to_recheck() == ((A, B) if outcome is Outcome.HIT else ())


def test_the_first_read_of_a_snapshot_brings_the_whole_tables_with_the_rest():
    snapshot = Snapshot()
    fetched = Fetched(None, quiet(OLD, NEW, OLD, NEW))
    tracked = (A, B, C)
    effects, answer = play(read(sliced(snapshot=snapshot, tracked=tracked)), fetched, ROWS, None)
    assert effects[0] == Fetch("f", (A, SLICE, B, C))
    saved = effects[2]
    assert isinstance(saved, Save)
    assert open_entry("f", ReprCodec.id, saved.entry)[0] == (OLD, NEW)
    assert answer.stored
    assert snapshot.covers((A, B, C), quiet(OLD, OLD, NEW))
