"""
What does a read do when its entry is not there and others may want it, too?

It takes part in a flight (see `flights`): it leads and loads for all, or follows and takes what the
leader has stored. Across processes, the right to lead is a *load lease*: a name in the store that
one of them gets to set. Whatever goes wrong on the way (a leader that raises, dies, or takes too
long; a store that does not answer), a read ends up loading by itself, no later than it was willing
to wait, and raises nothing but what its own query raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .effects import Effect, claim, fetch, join, pause, wait
from .errors import StoreError
from .fingerprint import digest
from .flights import Flight, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from .model import Rows, Scope, TokenState

__all__ = ["Lookup", "collapse"]

_T = TypeVar("_T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.05


class Lookup(NamedTuple):
    """
    An entry that is wanted, and what decides whether it may be served.
    """

    key: str
    scopes: tuple[Scope, ...]
    """Whose tokens decide: the entry's own, then what a snapshot is compared with besides."""
    rows: Callable[[bytes | None, tuple[TokenState, ...]], Rows | None]
    """Returns the rows of an entry where it may be served under these tokens."""
    in_snapshot: bool
    """Whether rows may be too new."""
    seconds: float
    """How long to wait at most."""
    across_processes: bool
    holds: bool
    """Whether the caller has a database connection already."""


def collapse(
    lookup: Lookup,
    states: tuple[TokenState, ...],
    load: Callable[[Flight | None], Generator[Effect, object, _T]],
) -> Generator[Effect, object, Rows | _T]:
    """
    Return the rows that another read has loaded, or what *load* returns.

    *states*: the entry's own tokens, fetched when it was not there. *load* leaves the entry that it
    has stored in the flight it is given.
    """
    tokens = tuple([state.token for state in states])
    role, flight = yield from join(lookup.key, tokens, holds=lookup.holds)
    if role is Role.FOLLOWS:
        given = yield from wait(flight, lookup.seconds)
        rows = None if given is None else (yield from _accepted(lookup, states, given))
        return rows if rows is not None else (yield from load(None))
    try:
        if role is Role.LEADS and (flight.late or lookup.across_processes):
            rows = yield from _stored_meanwhile(lookup, tokens, flight)
            if rows is not None:
                return rows
        return (yield from load(flight))
    finally:
        flight.land()  # a plain call: a path that is closed must not yield here


def _accepted(
    lookup: Lookup, states: tuple[TokenState, ...], given: bytes
) -> Generator[Effect, object, Rows | None]:
    """
    Return the rows of the entry that the leader has stored, if they are right for this read.

    It is a lookup like any other, but for where the entry comes from: its tokens must be those that
    were fetched after this read began. The ones in hand will do, unless the leader found a later
    entry, or the transaction reads from a snapshot: a commit between this read's fetch and the
    leader's query is in the rows and not in the snapshot, and has changed a token by now.
    """
    if not lookup.in_snapshot and (rows := lookup.rows(given, states)) is not None:
        return rows
    try:
        fetched = yield from fetch(None, lookup.scopes)
    except StoreError:
        return None
    return lookup.rows(given, fetched.tokens)


def _stored_meanwhile(
    lookup: Lookup, tokens: tuple[bytes, ...], flight: Flight
) -> Generator[Effect, object, Rows | None]:
    """
    Return the rows of the entry if somebody has stored it since it was not there: a flight that
    landed just then, or another process that holds the lease to load it. None: load.

    Waits half as long as the followers do: they are to get what comes of it, rather than to lose
    their patience all at once. The lease runs out by itself: of those who waited for a process that
    died, one is next; and whoever missed the entry just before it was stored finds the lease taken,
    and looks again.
    """
    longest = lookup.seconds / 2
    try:
        if flight.late and (rows := (yield from _looked_again(lookup, flight))) is not None:
            return rows
        if not lookup.across_processes:
            return None
        lease = digest(("load", lookup.key, *map(bytes.hex, tokens)))
        for seconds in _pauses(longest):
            if (yield from claim(lease, longest)):
                return None
            yield from pause(seconds)
            if (rows := (yield from _looked_again(lookup, flight))) is not None:
                return rows
    except StoreError:
        pass  # it will not have the entry either
    return None


def _looked_again(lookup: Lookup, flight: Flight) -> Generator[Effect, object, Rows | None]:
    fetched = yield from fetch(lookup.key, lookup.scopes)
    rows = lookup.rows(fetched.entry, fetched.tokens)
    if rows is not None:
        flight.entry = fetched.entry
    return rows


def _pauses(longest: float) -> Iterator[float]:
    """
    Yield pauses that grow, and add up to *longest*.
    """
    seconds, left = _FIRST_PAUSE, longest
    while left > 0:
        yield min(seconds, left)
        left -= seconds
        seconds = min(2 * seconds, _LONGEST_PAUSE)
