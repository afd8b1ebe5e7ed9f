"""
What may happen next, and what may go wrong?

A move is a tuple of its kind and whom or what it meets. Every actor may take its next step;
beside that, the faults of a configuration may happen at any moment, each as often as there is
budget left for faults altogether.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ormcache.effects import Announce, Apply, Fetch, Save, Settle
from ormcache.errors import StoreError
from tests.interleavings import promises
from tests.interleavings.programs import Refused, Unheard
from tests.interleavings.replay import ENDED
from tests.interleavings.states import Failed
from tests.interleavings.store import LEASE
from tests.interleavings.world import World

__all__ = ["FAULTS", "Move", "moves", "play"]

Move = tuple[Any, ...]
_STORE = (Fetch, Save, Announce, Settle)
_SENT = (Save, Announce, Settle)
_LOST = Failed(StoreError)


def moves(world: World, faults: tuple[str, ...]) -> Iterator[Move]:
    """
    Yield every move that is possible now.
    """
    for slot in range(len(world.actors)):
        if world.pending(slot) is not ENDED:
            yield "step", slot
    yield from _arrivals(world)
    if world.budget:
        for fault in faults:
            for target in TARGETS[fault](world):
                yield fault, target


def _arrivals(world: World) -> Iterator[Move]:
    for number in range(len(world.late)):
        yield "arrives", number
    for slot, actor in enumerate(world.actors):
        if actor.transaction.pending:
            yield "commit arrives", slot
    for number, orphan in enumerate(world.orphans):
        if not orphan.commit:
            yield "forgotten commit arrives", number


def play(world: World, move: Move) -> None:
    """
    Make a move.
    """
    kind, target = move
    if kind in FAULTS:
        world.budget -= 1
    MOVES[kind](world, target)


def _of_actors(*effects: type) -> Callable[[World], Iterator[Any]]:
    """
    Return what yields the actors whose next visible effect is one of *effects*.
    """

    def targets(world: World) -> Iterator[int]:
        for slot in range(len(world.actors)):
            if isinstance(world.peek(slot), effects):
                yield slot

    return targets


# -- faults of the database and of processes -----------------------------------------------------


def _kill(world: World, slot: int) -> None:
    world.orphan(slot)
    world.kill(slot)


def _kill_before_commit_arrives(world: World, slot: int) -> None:
    world.visible(slot)
    world.change(slot, pending=True)
    _kill(world, slot)


def _refuse(world: World, slot: int) -> None:
    world.visible(slot)
    world.change(slot, frames=(frozenset(),))
    world.finish(slot, Failed(Refused))


def _unheard(world: World, slot: int) -> None:
    world.visible(slot)
    world.commit(slot)
    world.finish(slot, Failed(Unheard))


def _unheard_lost(world: World, slot: int) -> None:
    world.visible(slot)
    world.change(slot, frames=(frozenset(),))
    world.finish(slot, Failed(Unheard))


def _commit_arrives(world: World, slot: int) -> None:
    world.change(slot, pending=False)
    world.commit(slot)


def _unheard_late(world: World, slot: int) -> None:
    world.visible(slot)
    world.change(slot, pending=True)
    world.finish(slot, Failed(Unheard))


# -- faults on the way to the store --------------------------------------------------------------


def _lost(world: World, slot: int) -> None:
    effect = world.visible(slot)
    _uncovered(world, slot, effect)
    world.finish(slot, _LOST)


def _unanswered(world: World, slot: int) -> None:
    world.perform(slot, world.visible(slot))
    world.finish(slot, _LOST)


def _delayed(world: World, slot: int) -> None:
    effect = world.visible(slot)
    _uncovered(world, slot, effect)
    world.late.append(world.own(slot, effect))
    world.finish(slot, _LOST)


def _repeated(world: World, slot: int) -> None:
    effect = world.visible(slot)
    world.late.append(world.own(slot, effect))
    world.finish(slot, world.perform(slot, effect))


def _uncovered(world: World, slot: int, effect: Any) -> None:
    if isinstance(effect, Announce) and not world.actors[slot].transaction.announced:
        world.announced(slot, effect)
        world.change(slot, exposed=True)


def _arrives(world: World, number: int) -> None:
    world.deliver(world.late.pop(number))


# -- faults of the store -------------------------------------------------------------------------


def _entries(world: World) -> Iterator[str]:
    return iter([key for key, *_ in world.store.content()[0]])


def _scopes(world: World) -> Iterator[str]:
    return iter([scope for scope, *_ in world.store.content()[1]])


def _anything(world: World) -> Iterator[str]:
    entries, tokens = world.store.content()
    if entries or tokens:
        yield "store"


def _leases(world: World) -> Iterator[str]:
    leases = any(leases for _, _, leases in world.store.content()[1])
    if leases or world.orphans or any(actor.transaction.announced for actor in world.actors):
        yield "time"


def _evict_entry(world: World, key: str) -> None:
    world.store.evict_entry(key)


def _evict_token(world: World, scope: Any) -> None:
    world.store.evict_token(scope)
    promises.lease_lost(world, scope)


def _flush(world: World, _target: str) -> None:
    world.store.clear()
    promises.lease_lost(world, None)


def _time_passes(world: World, _target: str) -> None:
    world.clock += LEASE + 1
    world.store.clock.now = world.clock
    promises.lease_time_passes(world)


TARGETS: dict[str, Callable[[World], Iterator[Any]]] = {
    "killed": _of_actors(Announce, Apply, Settle),
    "killed before its commit arrives": _of_actors(Apply),
    "refused": _of_actors(Apply),
    "unheard": _of_actors(Apply),
    "unheard and lost": _of_actors(Apply),
    "unheard and late": _of_actors(Apply),
    "lost": _of_actors(*_STORE),
    "unanswered": _of_actors(*_STORE),
    "delayed": _of_actors(*_SENT),
    "repeated": _of_actors(*_SENT),
    "entry evicted": _entries,
    "token evicted": _scopes,
    "flushed": _anything,
    "lease time passes": _leases,
}
FAULTS = frozenset(TARGETS)

MOVES: dict[str, Callable[[World, Any], None]] = {
    "step": lambda world, slot: world.step(slot),
    "arrives": _arrives,
    "commit arrives": _commit_arrives,
    "forgotten commit arrives": lambda world, number: world.commit_arrives(number),
    "killed": _kill,
    "killed before its commit arrives": _kill_before_commit_arrives,
    "refused": _refuse,
    "unheard": _unheard,
    "unheard and lost": _unheard_lost,
    "unheard and late": _unheard_late,
    "lost": _lost,
    "unanswered": _unanswered,
    "delayed": _delayed,
    "repeated": _repeated,
    "entry evicted": _evict_entry,
    "token evicted": _evict_token,
    "flushed": _flush,
    "lease time passes": _time_passes,
}
