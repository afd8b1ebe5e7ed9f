"""
What if the protocol were a little different?

Each of these is one small change, made to the production code or to the reference store. The
table of who must notice is in `test_mutations.py`.
"""

from collections.abc import Callable
from typing import Any

from ormcache import freshness, reading, writing
from ormcache.effects import Announce, Fetch, Save, Settle
from ormcache.entry import open_entry, seal_entry
from ormcache.model import Token, TokenState
from ormcache.stores.memory import _Held
from tests.interleavings.markers import Begins
from tests.interleavings.programs import Connection, Path
from tests.interleavings.store import CopyableStore


def _through(path: Path, change: Callable[[Any], Path]) -> Path:
    """
    Pass on what *path* asks for, each effect as *change* performs it.
    """
    try:
        effect = next(path)
        while True:
            try:
                answer = yield from change(effect)
            except Exception as exc:  # noqa: BLE001 - the path decides what to do about it
                effect = path.throw(exc)
            else:
                effect = path.send(answer)
    except StopIteration as stop:
        return stop.value


# -- the read path -------------------------------------------------------------------------------

_read, _judge, _commit = reading.read, freshness.judge, writing.commit
_hold = freshness.Snapshot.hold


def tokens_after_the_query(request: Any) -> Path:
    def change(effect: Any) -> Path:
        if not isinstance(effect, Save):
            return (yield effect)
        newer = [state.token for state in (yield Fetch(None, request.scopes)).tokens]
        payload = open_entry(request.key, 0, effect.entry).payload
        return (yield Save(effect.key, seal_entry(request.key, 0, newer, payload), effect.ttl))

    return _through(_read(request), change)


def doubt_ignored(entry: Any, scopes: Any, states: Any, snapshot: Any, *more: Any) -> Any:
    return _judge(
        entry, scopes, [state._replace(in_doubt=False) for state in states], snapshot, *more
    )


def missing_matches(entry: Any, scopes: Any, states: Any, snapshot: Any, *more: Any) -> Any:
    known = entry or [state.token for state in states]
    states = [
        state if state.token != b"" else state._replace(token=token)
        for state, token in zip(states, known, strict=True)
    ]
    return _judge(entry, scopes, states, snapshot, *more)


def one_token_is_enough(entry: Any, scopes: Any, states: Any, snapshot: Any, *more: Any) -> Any:
    return _judge(entry[:1] if entry else None, scopes[:1], states[:1], snapshot, *more)


def snapshot_forgotten_when_filling(
    entry: Any, scopes: Any, states: Any, snapshot: Any, *more: Any
) -> Any:
    hit = entry == tuple(state.token for state in states)
    return _judge(entry, scopes, states, snapshot if hit else None, *more)


def snapshot_forgotten_when_serving(
    entry: Any, scopes: Any, states: Any, snapshot: Any, *more: Any
) -> Any:
    hit = entry == tuple(state.token for state in states)
    return _judge(entry, scopes, states, None if hit else snapshot, *more)


def own_writes_filled(request: Any) -> Path:
    request.not_filled = None
    return _read(request)


def vector_after_the_snapshot(snapshot: Any, _tracked: Any) -> Path:
    """
    A statement that cannot be cached takes the snapshot before any token was read.
    """
    yield from reading._load(snapshot)


def doubt_in_the_vector(snapshot: Any, scopes: Any, states: Any) -> None:
    """
    A token in doubt is remembered like any other.
    """
    _hold(snapshot, scopes, [state._replace(in_doubt=False) for state in states])


def doubt_ignored_when_checking_again(snapshot: Any, scopes: Any, states: Any) -> None:
    """
    Whether a scope that was served is in doubt by now does not matter.
    """
    snapshot._served.clear()
    if not snapshot.covers(scopes, states):
        snapshot.lose()


def next_transaction(connection: Connection) -> Path:
    """
    A transaction ends and another begins on the same connection, which forgets nothing.
    """
    yield Begins(connection.snapshot is not None)


# -- the write path ------------------------------------------------------------------------------


def nothing(_intent: Any) -> Path:
    yield from ()


def bump_only_before(scopes: Any, refused: Any) -> Path:
    def change(effect: Any) -> Path:
        if isinstance(effect, Announce):
            return (yield Settle(effect.intent))
        if isinstance(effect, Settle):
            return None
        return (yield effect)

    return _through(_commit(scopes, refused), change)


def settles_before_the_commit(scopes: Any, refused: Any) -> Path:
    def change(effect: Any) -> Path:
        if isinstance(effect, Settle):
            return None
        answer = yield effect
        if isinstance(effect, Announce):
            yield Settle(effect.intent)
        return answer

    return _through(_commit(scopes, refused), change)


def unheard_is_settled(scopes: Any, _refused: Any) -> Path:
    return _commit(scopes, lambda _error: True)


def settles_when_killed(scopes: Any, refused: Any) -> Path:
    """
    A `finally` that means well.
    """
    intent = writing.Intent.of(scopes)
    done = writing.Committed(delivered=True)
    try:
        done = yield from _commit(scopes, refused)
    finally:
        yield Settle(intent)
    return done


def only_the_first_scope(scopes: Any, refused: Any) -> Path:
    return _commit(frozenset(sorted(scopes)[:1]), refused)


def release_publishes(connection: Any) -> Path:
    """
    What a listener on `after_commit` does: it fires on RELEASE SAVEPOINT, too.
    """
    intent = writing.Intent.of(connection.touched.all())
    yield Settle(intent)
    connection.touched.clear()


# -- the store -----------------------------------------------------------------------------------


class Counting(CopyableStore):
    """
    Tokens are counters that begin at 1 again when they were lost.
    """

    def fetch(self, key: Any, scopes: Any) -> Any:
        for scope in scopes:
            if scope not in self._scopes:
                self._count(scope, {})
        return super().fetch(key, scopes)

    def announce(self, intent: Any, lease_seconds: float) -> None:
        before = dict(self._scopes)
        super().announce(intent, lease_seconds)
        self._recount(intent, before)

    def settle(self, intent: Any) -> None:
        before = dict(self._scopes)
        super().settle(intent)
        self._recount(intent, before)

    def _recount(self, intent: Any, before: Any) -> None:
        for scope in intent.scopes:
            leases = self._scopes[scope].leases
            if scope in before:
                self._scopes[scope] = before[scope]
            else:
                del self._scopes[scope]
            self._count(scope, leases)

    def _count(self, scope: Any, leases: Any) -> None:
        held = self._scopes.get(scope)
        number = 1 if held is None else int(held.token) + 1
        self._scopes[scope] = _Held(Token(b"%d" % number), leases)


class SettlesAll(CopyableStore):
    """
    A settle removes the leases of the others, too.
    """

    def settle(self, intent: Any) -> None:
        super().settle(intent)
        for scope in intent.scopes:
            self._scopes[scope].leases.clear()


class SettlesInPlace(CopyableStore):
    """
    A settle removes the lease and keeps the token.
    """

    def settle(self, intent: Any) -> None:
        before = dict(self._scopes)
        super().settle(intent)
        for scope in intent.scopes:
            if scope in before:
                self._scopes[scope] = self._scopes[scope]._replace(token=before[scope].token)


class LosesItsLeases(CopyableStore):
    """
    An announcement is a bump without a lease.
    """

    def announce(self, intent: Any, lease_seconds: float) -> None:
        self.settle(intent)


class ExpiresInPlace(CopyableStore):
    """
    A lease that has run out is removed, and the token stays.
    """

    def _state(self, scope: Any, now: float) -> Any:
        held = self._scopes.get(scope)
        if held is not None:
            for lease in [each for each, end in held.leases.items() if end <= now]:
                del held.leases[lease]
        return super()._state(scope, now)


class CreatesNothing(CopyableStore):
    """
    What is missing is not created; it matches whatever it is compared with.
    """

    def _state(self, scope: Any, now: float) -> Any:
        if scope not in self._scopes:
            return TokenState(Token(b""), in_doubt=False)
        return super()._state(scope, now)
