"""
Which states are the same but for names?

Tokens are opaque: they are compared with the tokens that the store holds now, and with nothing
else. So one that the store holds is named by its scope, and of one that it does not hold any more
(it never will again) it matters only which others in the same hands are equal to it. Actors with
equal programs may change places, as no promise names one of them. And of time it matters only
which leases still run.

So each state is explored once, and not in as many disguises as it has histories.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ormcache.effects import Announce, Save, Settle
from ormcache.entry import open_entry, seal_entry
from ormcache.model import Fetched, Token, TokenState
from tests.interleavings.states import Actor, State, version
from tests.interleavings.store import FOREVER, LEASE
from tests.interleavings.world import World

__all__ = ["canonical"]

Naming = Callable[[bytes], Token]


def canonical(world: World, *, rename: bool = True) -> tuple[State, list[int]]:
    """
    Return the state in its canonical form, and for each place in it which actor stands there now.

    *rename*: False where tokens mean something, as they do to a mutation that counts.
    """
    entries, tokens = world.store.content()
    tokens = sorted(tokens)
    current = {token: b"t%d" % number for number, (_, token, _) in enumerate(tokens)}
    if not rename:
        current = _Itself()
    same = all(token == name for token, name in current.items())
    actors = [
        actor if same and actor is before else _actor(actor, current)
        for actor, before in zip(world.actors, world.before, strict=True)
    ]
    order = sorted(
        range(len(actors)), key=lambda slot: (actors[slot].program, _number(actors[slot]))
    )
    places = {str(old): new for new, old in enumerate(order)}
    state = State(
        tuple(world.log),
        world.promised,
        tuple(map(max, world.seen, world.promised)),
        _that_matter(world) if world.exposed else (),
        world.budget,
        tuple(
            [
                (key, _entry(_met(key, data), _Names(current)), FOREVER)
                for key, data, _ in sorted(entries)
            ]
        ),
        tuple([(scope, current[t], _leases(world, held, places)) for scope, t, held in tokens]),
        tuple([_late(effect, places, _Names(current)) for effect in world.late]),
        tuple(sorted(world.orphans)),
        tuple([actors[slot] for slot in order]),
    )
    return state, order


class _Itself(dict[bytes, Any]):
    """
    Every token keeps its name.
    """

    def __missing__(self, token: bytes) -> bytes:
        return token

    def get(self, token: bytes, _default: Any = None) -> bytes:
        return token


class _Names(dict[bytes, Any]):
    """
    The names of tokens in one pair of hands.
    """

    def __init__(self, current: dict[bytes, Any]) -> None:
        self._current = current
        self._gone = 0

    def __missing__(self, token: bytes) -> Token:
        name = self._current.get(token)
        # The empty token is nobody's: it is how a mutation says "nothing there".
        if name is None and token:
            name = b"gone%d" % self._gone
            self._gone += 1
        name = self[token] = Token(name or token)
        return name


def _actor(actor: Actor, current: dict[bytes, Any]) -> Actor:
    for answer in actor.answers:
        if isinstance(answer, Fetched):
            break
    else:
        return actor
    names = _Names(current)
    return actor._replace(answers=tuple([_answer(each, names) for each in actor.answers]))


def _answer(answer: Any, names: _Names) -> Any:
    if not isinstance(answer, Fetched):
        return answer
    states = tuple([TokenState(names[token], doubt) for token, doubt in answer.tokens])
    return Fetched(None if answer.entry is None else _entry(answer.entry, names), states)


def _entry(data: bytes, names: _Names) -> bytes:
    key, tokens, payload = _opened[data]
    return _sealed(key, tuple([names[token] for token in tokens]), payload)


def _leases(world: World, held: Any, places: dict[str, int]) -> Any:
    return tuple(
        sorted([(_moved(lease, places), LEASE if end > world.clock else 0) for lease, end in held])
    )


def _moved(lease: str, places: dict[str, int]) -> str:
    slot, rest = lease.split(".", 1)
    return f"{places[slot]}.{rest}"


def _late(effect: Any, places: dict[str, int], names: _Names) -> Any:
    match effect:
        case Save(key, entry, ttl):
            return Save(key, _entry(_met(key, entry), names), ttl)
        case Announce(intent) | Settle(intent):
            return type(effect)(intent._replace(lease=_moved(intent.lease, places)))
    return effect


def _that_matter(world: World) -> tuple[int, ...]:
    """
    Return the exposed commits that no promise has overtaken.
    """
    log, promised = world.log, world.promised
    return tuple(
        number
        for number in sorted(world.exposed)
        if any(version(log, number, item) > promised[item] for item in log[number - 1])
    )


_numbers: dict[Actor, int] = {}


def _number(actor: Actor) -> int:
    # Any order of actors will do, as long as it is always the same.
    return _numbers.setdefault(actor, len(_numbers))


_opened: dict[bytes, tuple[str, tuple[Token, ...], bytes]] = {}
"""
Every entry met, opened. An entry is bound to its key, and it is met in the store first.
"""


def _met(key: str, data: bytes) -> bytes:
    if data not in _opened:
        _opened[data] = key, *open_entry(key, 0, data)
    return data


@lru_cache(100_000)
def _sealed(key: str, tokens: tuple[Token, ...], payload: bytes) -> bytes:
    return _met(key, seal_entry(key, 0, tokens, payload))
