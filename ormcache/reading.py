"""
The life of a read: fetch, judge, and then serve, or load and fill.

Both generators yield what they need done (see `effects`) and are sent the answers; they hold no
lock and know no database. The one rule: *the cache may make a read slower, never wrong*; a store
that fails turns the read into an ordinary one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .collapsing import Lookup, collapse
from .comparing import compare
from .effects import Effect, fetch, load, save
from .entry import PLAIN, Entry
from .errors import (
    ForeignSeal,
    StoreError,
    StoreRecoveringError,
    Tampered,
    Undecodable,
    Unstorable,
)
from .freshness import Snapshot, Verdict, judge
from .model import Fetched, Outcome, Reason, Rows

if TYPE_CHECKING:
    from collections.abc import Generator

    from .flights import Flight
    from .model import Scope, TokenState
    from .protocols import Codec, Sealer

__all__ = ["Answer", "ReadRequest", "read", "read_uncached", "reason_of"]

_BARREN = (Reason.TOO_LARGE, Reason.UNSTORABLE)
"""
Why nothing is stored, now or the next time.
"""


@dataclass(slots=True)
class ReadRequest:
    """
    Everything the core needs to know about one cacheable read.
    """

    key: str
    scopes: tuple[Scope, ...]
    ttl: float
    max_rows: int
    max_bytes: int
    codec: Codec
    sealer: Sealer = PLAIN
    not_served: Reason | None = None
    """Why the database must answer all the same and the entry be replaced; None: serve it."""
    not_filled: Reason | None = None
    """Why nothing must be stored, such as own writes that nobody else sees; may still arise while
    loading."""
    shadow: bool = False
    """True: the database answers and a would-be hit is compared with it."""
    ordered: bool = True
    """Whether the order of the rows is part of the answer; shadow mode compares by it."""
    snapshot: Snapshot | None = None
    """The transaction's, where it reads from one; None where every statement sees the latest."""
    tracked: tuple[Scope, ...] = ()
    """Every scope in use, for the snapshot vector."""
    collapse: float = 0.0
    """How long to wait, in seconds, for a read that is loading the same; 0: load beside it."""
    across_processes: bool = False
    """Whether that may be another process's."""
    holds: bool = False
    """Whether the caller has a database connection already."""
    tables: tuple[Scope, ...] = ()
    """The whole tables, where `scopes` are slices of them; a snapshot is compared with these."""


@dataclass(slots=True)
class Answer:
    """
    How a read ended. `rows` is set on a hit only: otherwise whoever performed the load has them.
    """

    outcome: Outcome
    reason: Reason | None = None
    detail: str = ""
    rows: Rows | None = None
    stored: bool = False
    differing: tuple[int, int, int] | None = None
    """Shadow mode: rows cached, rows in the database, rows that differ; None where equal."""


def read(request: ReadRequest) -> Generator[Effect, object, Answer]:
    """
    Answer a cacheable read.

    Raises only what the database raised while loading.
    """
    snapshot = request.snapshot
    if snapshot is not None and snapshot.unusable:
        snapshot.lose()
        return (yield from _from_database(snapshot, Reason.SNAPSHOT))
    try:
        # Before the query begins: a commit after this moment changes a token that is already in
        # our hands, so rows older than it can never be stored under tokens newer than it.
        fetched, tables = yield from _fetch(request, snapshot)
    except StoreError as exc:
        if snapshot is not None and snapshot.needs_vector:
            snapshot.lose()
        return (yield from _from_database(snapshot, reason_of(exc), str(exc)))

    entry, unopened = _open(request, fetched)
    verdict = judge(entry and entry.tokens, request.scopes, fetched.tokens, snapshot, tables)
    if verdict.outcome is Outcome.MISS:
        verdict = Verdict(Outcome.MISS, unopened)
    if verdict.outcome is Outcome.BYPASS:
        return (yield from _from_database(snapshot, verdict.reason))

    cached = (
        _decode(request, entry) if verdict.outcome is Outcome.HIT and entry is not None else None
    )
    if cached is not None and request.not_served is None and not request.shadow:
        if snapshot is not None:
            snapshot.served(tables)
        return Answer(Outcome.HIT, rows=cached)
    if request.collapse and _may_collapse(request, verdict):
        return (yield from _collapse(request, verdict, fetched))
    return (yield from _load_and_fill(request, verdict, fetched, cached))


def read_uncached(
    snapshot: Snapshot | None, tracked: tuple[Scope, ...]
) -> Generator[Effect, object, None]:
    """
    Run a statement that cannot be cached, without losing the snapshot for those that can.

    It may be the one that makes the database take its snapshot, after which tokens are too new:
    the vector is fetched before.
    """
    if snapshot is not None and snapshot.needs_vector and not snapshot.taken:
        try:
            vector = yield from fetch(None, tracked)
            snapshot.hold(tracked, vector.tokens)
        except StoreError:
            snapshot.lose()
    yield from _load(snapshot)


def reason_of(failure: StoreError) -> Reason:
    """
    Return why a read is a bypass whose fetch failed.
    """
    recovering = isinstance(failure, StoreRecoveringError)
    return Reason.RECOVERING if recovering else Reason.STORE


def _fetch(
    request: ReadRequest, snapshot: Snapshot | None
) -> Generator[Effect, object, tuple[Fetched, dict[Scope, TokenState]]]:
    """
    Return the entry with the states of its scopes, and what a snapshot is to be compared with.
    """
    scopes = request.scopes
    if snapshot is None:
        return (yield from fetch(request.key, scopes)), {}
    tables = request.tables or scopes
    tracked = request.tracked if snapshot.needs_vector else ()
    wanted = tuple(dict.fromkeys((*scopes, *tables, *tracked)))
    fetched = yield from fetch(request.key, wanted)
    if snapshot.needs_vector:
        snapshot.hold(wanted, fetched.tokens)
    states = dict(zip(wanted, fetched.tokens, strict=True))
    own = Fetched(fetched.entry, fetched.tokens[: len(scopes)])
    return own, {table: states[table] for table in tables}


def _open(request: ReadRequest, fetched: Fetched) -> tuple[Entry | None, Reason | None]:
    if fetched.entry is None:
        return None, None
    try:
        return request.sealer.open(request.key, request.codec.id, fetched.entry), None
    except Tampered:
        return None, Reason.TAMPERED
    except ForeignSeal:
        return None, Reason.FOREIGN_SEAL
    except Undecodable:
        return None, Reason.UNDECODABLE


def _decode(request: ReadRequest, entry: Entry) -> Rows | None:
    try:
        return request.codec.decode(entry.payload)
    except Undecodable:
        return None


def _from_database(
    snapshot: Snapshot | None, reason: Reason | None, detail: str = ""
) -> Generator[Effect, object, Answer]:
    yield from _load(snapshot)
    return Answer(Outcome.BYPASS, reason, detail)


def _load(snapshot: Snapshot | None) -> Generator[Effect, object, Rows | None]:
    rows = yield from load()
    if snapshot is not None and snapshot.taken and (served := snapshot.to_recheck()):
        # Hits were given out before the database fixed what this transaction sees.
        try:
            states = (yield from fetch(None, served)).tokens
            snapshot.recheck(served, states)
        except StoreError:
            snapshot.lose()
    return rows


def _may_collapse(request: ReadRequest, verdict: Verdict) -> bool:
    """
    Return whether what this read loads is right for others, and what they load for it.

    A transaction that has changed something takes no part: a leader may wait for its locks.
    """
    return (
        verdict.outcome is not Outcome.HIT
        and request.not_served is None
        and request.not_filled is None
        and not request.shadow
    )


def _collapse(
    request: ReadRequest, verdict: Verdict, fetched: Fetched
) -> Generator[Effect, object, Answer]:
    # A snapshot is compared with whole tables, where the scopes may be slices of them.
    tables = () if request.snapshot is None else request.tables or request.scopes
    scopes = tuple(dict.fromkeys((*request.scopes, *tables)))
    lookup = Lookup(
        key=request.key,
        scopes=scopes,
        rows=partial(_rows, request, scopes, tables),
        in_snapshot=request.snapshot is not None,
        seconds=request.collapse,
        across_processes=request.across_processes,
        holds=request.holds,
    )
    load = partial(_load_and_fill, request, verdict, fetched, None)
    ended = yield from collapse(lookup, fetched.tokens, load)
    if isinstance(ended, Answer):
        return ended
    if request.snapshot is not None:
        request.snapshot.served(tables)
    return Answer(Outcome.COLLAPSED, rows=ended)


def _rows(
    request: ReadRequest,
    scopes: tuple[Scope, ...],
    tables: tuple[Scope, ...],
    data: bytes | None,
    states: tuple[TokenState, ...],
) -> Rows | None:
    """
    Return the rows of an entry that may be served where *scopes*, its own first, have *states*.
    """
    own = states[: len(request.scopes)]
    entry, _ = _open(request, Fetched(data, own))
    known = dict(zip(scopes, states, strict=True))
    compared = {table: known[table] for table in tables}
    verdict = judge(entry and entry.tokens, request.scopes, own, request.snapshot, compared)
    if verdict.outcome is not Outcome.HIT or entry is None:
        return None
    return _decode(request, entry)


def _load_and_fill(
    request: ReadRequest,
    verdict: Verdict,
    fetched: Fetched,
    cached: Rows | None,
    flight: Flight | None = None,
) -> Generator[Effect, object, Answer]:
    rows = yield from _load(request.snapshot)
    answer = Answer(verdict.outcome, verdict.reason)
    if verdict.outcome is Outcome.HIT:
        answer = _not_served(request, cached)
    asked = answer.reason
    if rows is None:
        answer.reason = asked or Reason.TOO_LARGE
        if flight is not None:
            flight.barren = True
        return answer
    if request.shadow and cached is not None:
        answer.differing = yield from compare(
            request.scopes, fetched.tokens, cached, rows, ordered=request.ordered
        )
    entry = yield from _fill(request, fetched.tokens, rows, answer)
    if flight is not None:
        flight.entry = entry
        flight.barren = answer.reason in _BARREN
    if asked is not None:  # why the database was asked says more than why nothing was stored
        answer.reason = asked
    return answer


def _not_served(request: ReadRequest, cached: Rows | None) -> Answer:
    """
    Return the answer for an entry that is current and was not given out all the same.
    """
    if cached is None:
        return Answer(Outcome.MISS, Reason.UNDECODABLE)
    return Answer(Outcome.BYPASS, request.not_served or Reason.SHADOW)


def _fill(
    request: ReadRequest, states: tuple[TokenState, ...], rows: Rows, answer: Answer
) -> Generator[Effect, object, bytes | None]:
    """
    Store the rows and return the entry, or None where that must not or cannot be.
    """
    if request.not_filled is not None:
        answer.reason = request.not_filled
        return None
    if request.snapshot is not None and request.snapshot.lost:
        answer.reason = Reason.SNAPSHOT
        return None
    if len(rows.rows) > request.max_rows:
        answer.reason = Reason.TOO_LARGE
        return None
    try:
        payload = request.codec.encode(rows)
    except Unstorable as exc:
        answer.reason, answer.detail = Reason.UNSTORABLE, exc.type_name
        return None
    if len(payload) > request.max_bytes:
        answer.reason = Reason.TOO_LARGE
        return None
    tokens = [state.token for state in states]  # those of before the query, never newer ones
    entry = request.sealer.seal(request.key, request.codec.id, tokens, payload)
    try:
        yield from save(request.key, entry, request.ttl)
        answer.stored = True
        return entry
    except StoreError as exc:
        answer.reason, answer.detail = Reason.STORE, str(exc)
        return None
