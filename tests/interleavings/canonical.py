"""
Which states are the same but for names?

Tokens are only compared, so any renaming of them is the same state; and two actors with equal
programs may change places. The canonical form names tokens in the order in which they are met,
after it has put equal actors in order, and so each state is explored once and not in as many
disguises as its history has.

Forgetting which of two equal actors is which is right because no promise names one of them.
"""

from functools import lru_cache
from typing import Any

from ormcache.effects import Announce, Save, Settle
from ormcache.entry import Entry, open_entry, seal_entry
from ormcache.model import Fetched, Token, TokenState
from tests.interleavings.states import Actor, State, version
from tests.interleavings.store import FOREVER
from tests.interleavings.world import World

__all__ = ["canonical"]

_CODEC = 0


def canonical(world: World, *, rename: bool = True) -> tuple[State, tuple[int, ...]]:
    """
    Return the state in its canonical form, and for each place in it which actor stands there now.

    *rename*: False where tokens mean something, as they do to a mutation that counts.
    """
    entries, tokens = world.store.content()
    names = _Names(rename=rename)
    named = {scope: names[token] for scope, token, _ in sorted(tokens)}
    kept = tuple((key, names.entry(key, entry), FOREVER) for key, entry, _ in sorted(entries))
    order = _order(world.actors, names)
    places = {old: new for new, old in enumerate(order)}
    actors = tuple(
        actor._replace(answers=tuple([names.answer(a) for a in actor.answers]))
        for actor in (world.actors[slot] for slot in order)
    )
    held = tuple(
        (scope, named[scope], tuple(sorted((_moved(lease, places), end) for lease, end in leases)))
        for scope, _, leases in sorted(tokens)
    )
    late = tuple(_late(effect, places, names) for effect in world.late)
    orphans = tuple(sorted(world.orphans))
    log = tuple(world.log)
    state = State(
        log,
        world.promised,
        world.seen,
        _that_matter(world),
        world.clock,
        world.budget,
        kept,
        held,
        late,
        orphans,
        actors,
    )
    return state, order


class _Names(dict[bytes, Token]):
    """
    The names given so far.
    """

    def __init__(self, *, rename: bool) -> None:
        self._rename = rename

    def __missing__(self, token: bytes) -> Token:
        # The empty token is nobody's name: a mutation's "nothing there".
        named = self._rename and bool(token)
        name = self[token] = Token(b"t%d" % len(self)) if named else Token(token)
        return name

    def entry(self, key: str, data: bytes) -> bytes:
        tokens, payload = _opened(key, data)
        return _sealed(key, tuple([self[token] for token in tokens]), payload)

    def answer(self, answer: Any) -> Any:
        if not isinstance(answer, Fetched):
            return answer
        states = tuple([TokenState(self[token], doubt) for token, doubt in answer.tokens])
        # An entry comes with the key it is kept under; that key is in no answer. It is found by
        # trying, as its digest is bound to it.
        entry = None if answer.entry is None else self.entry(*_of_key(answer.entry))
        return Fetched(entry, states)

    def pattern(self, answer: Any) -> Any:
        """
        Return what tells answers apart without naming a token for it.
        """
        if not isinstance(answer, Fetched):
            return _number(answer)
        tokens = [(self.get(token, b"?"), doubt) for token, doubt in answer.tokens]
        if answer.entry is None:
            return tokens
        known, payload = _opened(*_of_key(answer.entry))
        return [*tokens, *((self.get(token, b"?"), 2) for token in known), (payload, 3)]


def _order(actors: list[Actor], names: _Names) -> tuple[int, ...]:
    programs = [actor.program for actor in actors]
    if len(set(programs)) == len(programs):
        return tuple(range(len(actors)))

    def key(slot: int) -> Any:
        program, stage, answers, *others = actors[slot]
        place = program, stage, len(answers), *map(_number, others)
        return place, [names.pattern(answer) for answer in answers]

    try:
        return tuple(sorted(range(len(actors)), key=key))
    except TypeError:  # answers of different kinds at one place: in the order they stand
        return tuple(sorted(range(len(actors)), key=lambda slot: key(slot)[0]))


_numbers: dict[Any, int] = {}


def _number(value: Any) -> int:
    """
    Return the number of a value without tokens: any order will do, as long as it is the same.
    """
    return _numbers.setdefault(value, len(_numbers))


def _moved(lease: str, places: dict[int, int]) -> str:
    slot, rest = lease.split(".", 1)
    return f"{places[int(slot)]}.{rest}"


def _late(effect: Any, places: dict[int, int], names: _Names) -> Any:
    match effect:
        case Save(key, entry, ttl):
            return Save(key, names.entry(key, entry), ttl)
        case Announce(intent) | Settle(intent):
            return type(effect)(intent._replace(lease=_moved(intent.lease, places)))
    return effect


def _that_matter(world: World) -> tuple[int, ...]:
    """
    Return the exposed commits that no promise has overtaken.
    """
    return tuple(
        sorted(
            number
            for number in world.exposed
            if any(
                version(world.log, number, item) > world.promised[item]
                for item in world.log[number - 1]
            )
        )
    )


_keys: dict[bytes, str] = {}


def _of_key(data: bytes) -> tuple[str, bytes]:
    return _keys[data], data


@lru_cache(100_000)
def _opened(key: str, data: bytes) -> Entry:
    _keys[data] = key
    return open_entry(key, _CODEC, data)


@lru_cache(100_000)
def _sealed(key: str, tokens: tuple[Token, ...], payload: bytes) -> bytes:
    sealed = seal_entry(key, _CODEC, tokens, payload)
    _keys[sealed] = key
    return sealed
