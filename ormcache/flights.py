"""
Who loads an entry that several reads of this process want at once?

The first one that joins leads a *flight*; the others follow: they wait until it lands and take the
entry that it has stored. A flight is known by the entry's key **and the tokens that were fetched**,
which is why a follower's rows are fresh enough:

    Let a commit have returned before the follower's read began. It settled before it returned, so
    it replaced its scopes' tokens by fresh ones before the follower fetched them; and it had been
    sent before it settled. The leader fetched equal tokens, and a token is never given twice, so
    the leader, too, fetched after that settle; its query began after its fetch. So the leader's
    query saw the commit.

A leader that fetched before a commit and a follower that fetched after it are on two flights,
however long the leader's query takes. The reverse is possible: a commit that happens between both
fetches and the leader's query is in the rows, although the follower's tokens say nothing of it.
Newer rows are no harm, except in a transaction that reads from a snapshot, which therefore looks
at the tokens once more when the flight has landed (see `reading`).

Followers get the bytes that were stored, not the leader's rows: each decodes rows of its own, which
it may change, and whatever forbids storing the rows forbids sharing them.

No lock, only steps that are atomic by themselves: a fork cannot leave one locked. What is kept
is bounded: a flight until it lands or is given up, and two tables of fixed size.
"""

from __future__ import annotations

import enum
import os
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Token

__all__ = ["Caller", "Flight", "Flights", "Joined", "Role"]

_REMEMBERED = 512
_LATE_SECONDS = 5.0


class Role(enum.Enum):
    """
    What a read does about an entry that is not there.
    """

    LEADS = "loads it for all"
    FOLLOWS = "waits for the one that leads"
    ALONE = "loads it for itself, beside whoever leads"


class Caller(NamedTuple):
    """
    Who joins: a thread, or a task on a thread's event loop.
    """

    thread: int
    task: object | None = None


class Flight:
    """
    One load in progress.
    """

    __slots__ = (
        "_flights",
        "_identity",
        "_wakes",
        "barren",
        "caller",
        "entry",
        "holds",
        "landed",
        "late",
    )

    def __init__(
        self,
        flights: Flights,
        identity: tuple[str, tuple[Token, ...]],
        caller: Caller,
        *,
        holds: bool,
    ) -> None:
        self._flights = flights
        self._identity = identity
        self._wakes: list[Callable[[], object]] = []
        self.caller = caller
        self.holds = holds
        """Whether its leader has a database connection already."""
        self.late = False
        """Whether one like it has landed so lately that the leader may have fetched before that."""
        self.landed = False
        self.entry: bytes | None = None
        """What the leader has stored or found stored; None: followers help themselves."""
        self.barren = False
        """Whether it has loaded what cannot be stored, now or the next time."""

    def __repr__(self) -> str:
        state = "landed" if self.landed else "under way"
        return f"<Flight {state}, {len(self._wakes)} following, entry={self.entry is not None}>"

    def tell(self, wake: Callable[[], object]) -> None:
        """
        Have *wake* called when the flight has landed; perhaps twice, from any thread.
        """
        self._wakes.append(wake)
        if self.landed:  # perhaps while it was appended
            wake()

    def land(self) -> None:
        """
        Let the followers go on. A plain call, so that it can be made in any `finally`.
        """
        # Before it is forgotten: whoever does not find it under way must find it here.
        self._flights.remember(self._identity, stored=self.entry is not None, barren=self.barren)
        self.give_up()
        self.landed = True
        while self._wakes:
            self._wakes.pop()()

    def give_up(self) -> None:
        """
        Wait for it no longer: the next read leads a flight of its own.
        """
        self._flights.forget(self._identity, self)


class Joined(NamedTuple):
    """
    The flight, and what the caller is to do about it.
    """

    role: Role
    flight: Flight


class Flights:
    """
    Every load in progress of one cache in this process.
    """

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, tuple[Token, ...]], Flight] = {}
        self._stored: list[tuple[int, float]] = [(0, 0.0)] * _REMEMBERED
        self._barren = [0] * _REMEMBERED
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"<Flights {len(self._under_way)} under way>"

    def __len__(self) -> int:
        return len(self._under_way)

    def join(
        self, key: str, tokens: tuple[Token, ...], caller: Caller, *, holds: bool = False
    ) -> Joined:
        """
        Return the flight to the entry *key* under *tokens*, and the caller's role in it.

        *holds*: the caller has a database connection. It does not wait for a leader that has yet to
        get one: the pool may have none left but the caller's.
        """
        if self._pid != os.getpid():
            # After a fork: the threads that lead these flights are the parent's.
            self._under_way = {}
            self._pid = os.getpid()
        identity = (key, tokens)
        own = Flight(self, identity, caller, holds=holds)
        if self._barren[hash(key) % _REMEMBERED] == hash(key):
            # Followers would wait for rows that are not stored, and then load them after all.
            return Joined(Role.ALONE, own)
        flight = self._under_way.setdefault(identity, own)
        if flight is own:
            own.late = self._landed_lately(identity)
            return Joined(Role.LEADS, own)
        if (holds and not flight.holds) or _waits_for_itself(caller, flight.caller):
            return Joined(Role.ALONE, own)
        return Joined(Role.FOLLOWS, flight)

    def remember(
        self, identity: tuple[str, tuple[Token, ...]], *, stored: bool, barren: bool
    ) -> None:
        """
        Note what came of a flight.

        A read that fetched before the entry was stored, and joins when the flight is forgotten,
        would load again; and rows that cannot be stored, nobody must wait for.
        """
        key = hash(identity[0])
        place = key % _REMEMBERED
        if stored:
            self._stored[hash(identity) % _REMEMBERED] = (hash(identity), monotonic())
            if self._barren[place] == key:
                self._barren[place] = 0
        elif barren:
            self._barren[place] = key

    def forget(self, identity: tuple[str, tuple[Token, ...]], flight: Flight) -> None:
        """
        Let nobody else join *flight*.
        """
        if self._under_way.get(identity) is flight:
            # Should another have taken its place just now, those on board are served all the same.
            self._under_way.pop(identity, None)

    def _landed_lately(self, identity: tuple[str, tuple[Token, ...]]) -> bool:
        name, at = self._stored[hash(identity) % _REMEMBERED]
        return name == hash(identity) and monotonic() - at < _LATE_SECONDS


def _waits_for_itself(caller: Caller, leader: Caller) -> bool:
    """
    Return whether the leader cannot go on while *caller* waits: a read within a read's load, or
    a thread that would block the event loop on which the leader's task runs.
    """
    if caller.thread != leader.thread:
        return False
    return caller.task is None or leader.task is None or caller.task is leader.task
