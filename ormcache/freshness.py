"""
May this entry be served, and if not, why?

Everything that decides it is in this file, and this file knows nothing else: no I/O, no clock, no
lock, no database. What may not live elsewhere: a comparison of tokens.

Theory of operation. A token names one quiet period of a scope: it is created when a writer settles
(or when nobody knew the scope), and dies when the next writer announces. An entry carries the
tokens that were current *before* its query began. So

    entry's tokens == current tokens, none in doubt
        =>  no writer announced between the query's begin and now
        =>  no commit became visible in between          =>  the entry is what the database holds.

The four ways to lose this, each of them a mutation in the tests:

1. tokens read after the query: a commit in between is covered by tokens newer than the rows;
2. bumping only before the commit: a reader refills with old rows between bump and COMMIT;
3. tokens that can repeat (counters, clocks): an old entry becomes valid again after an eviction;
4. filling from an old snapshot: the rows are older than the tokens of step 1, see `Snapshot`.

Slices. Where a read depends on slices of a table, the same argument holds slice by slice. A
snapshot holds no slices, as nobody knows beforehand which will be read. It asks more instead: that
the whole table has the token of the vector. Every write touches its table, so then no commit to any
row of it was announced since, the slice is the same in the snapshot, at the fetch and now, and the
entry's own tokens say, as ever, whether it is current.

| in doubt | snapshot holds | entry   | tokens equal | verdict                      |
|----------|----------------|---------|--------------|------------------------------|
| yes      | any            | any     | any          | bypass: database, store nothing |
| no       | no             | any     | any          | bypass: database, store nothing |
| no       | yes or none    | missing | -            | miss: database, store        |
| no       | yes or none    | there   | no           | stale: database, store       |
| no       | yes or none    | there   | yes          | hit                          |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .model import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .model import Scope, Token, TokenState

__all__ = ["Snapshot", "Verdict", "judge"]


class Verdict(NamedTuple):
    """
    What to do with a read: serve (`HIT`), or ask the database and, unless bypassing, fill.
    """

    outcome: Outcome
    reason: Reason | None = None


_HIT = Verdict(Outcome.HIT)
_MISS = Verdict(Outcome.MISS)
_STALE = Verdict(Outcome.STALE)
_IN_DOUBT = Verdict(Outcome.BYPASS, Reason.IN_DOUBT)
_SNAPSHOT = Verdict(Outcome.BYPASS, Reason.SNAPSHOT)


def judge(
    entry: tuple[Token, ...] | None,
    scopes: Sequence[Scope],
    states: Sequence[TokenState],
    snapshot: Snapshot | None,
    tables: Mapping[Scope, TokenState] | None = None,
) -> Verdict:
    """
    Return the verdict over an entry's tokens (None: there is no entry) and the scopes' states.

    *tables*: the states of the whole tables, where the scopes are slices of them; a snapshot knows
    tables only.
    """
    if any(state.in_doubt for state in states):
        return _IN_DOUBT
    if snapshot is not None:
        known = tables if tables is not None else dict(zip(scopes, states, strict=True))
        if not snapshot.covers(known, known.values()):
            return _SNAPSHOT
    if entry is None:
        return _MISS
    if entry == tuple([state.token for state in states]):
        return _HIT
    return _STALE


class Snapshot:
    """
    What a transaction that reads from one snapshot knew of the tokens before it was taken.

    In REPEATABLE READ the first statement fixes what the transaction sees; tokens read later are
    too new for it. The *vector* is the tokens of every scope in use, read before that statement.
    A scope whose token is still the vector's has not changed since, so it is the same in the
    snapshot, in the entry and now; any other scope is left to the database.

    The vector may be taken long before the database's snapshot, as hits need no database. When the
    snapshot is then taken, what was served so far is as of the vector and what follows is as of
    the snapshot: `recheck` tells whether both are the same moment.
    """

    __slots__ = ("_served", "_vector", "lost", "taken")

    def __init__(self) -> None:
        self._vector: dict[Scope, Token] | None = None
        self._served: set[Scope] = set()
        self.taken = False
        """Whether the database may have fixed its snapshot."""
        self.lost = False
        """Whether this transaction has stopped using the cache."""

    def __repr__(self) -> str:
        state = "lost" if self.lost else "new" if self._vector is None else "held"
        return f"<Snapshot {state}, taken={self.taken}, {len(self._vector or ())} tokens>"

    @property
    def needs_vector(self) -> bool:
        """
        Whether the next fetch must bring the vector.
        """
        return self._vector is None and not self.lost

    @property
    def unusable(self) -> bool:
        """
        Whether no read can rely on it any more: it is lost, or was taken before any token was read.
        """
        return self.lost or (self.taken and self._vector is None)

    def hold(self, scopes: Iterable[Scope], states: Iterable[TokenState]) -> None:
        """
        Remember the vector. A token in doubt is left out: its commit may land on either side.
        """
        self._vector = {
            s: state.token for s, state in zip(scopes, states, strict=True) if not state.in_doubt
        }

    def lose(self) -> None:
        """
        Stop using the cache until this transaction ends.
        """
        self.lost = True

    def covers(self, scopes: Iterable[Scope], states: Iterable[TokenState]) -> bool:
        """
        Return whether every scope still has the token that the vector holds.
        """
        vector = self._vector
        if self.lost or vector is None:
            return False
        return all(vector.get(s) == state.token for s, state in zip(scopes, states, strict=True))

    def served(self, scopes: Iterable[Scope]) -> None:
        """
        Note that a hit over *scopes* was given out.
        """
        if not self.taken:
            self._served.update(scopes)

    def to_recheck(self) -> tuple[Scope, ...]:
        """
        Return the scopes to look at again once the database has taken its snapshot.
        """
        return () if self.lost else tuple(sorted(self._served))

    def recheck(self, scopes: Sequence[Scope], states: Sequence[TokenState]) -> None:
        """
        Compare after the snapshot was taken, and lose it where a served scope has moved.
        """
        self._served.clear()
        if any(state.in_doubt for state in states) or not self.covers(scopes, states):
            self.lose()
