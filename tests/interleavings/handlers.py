"""
What does each effect do?

One handler for each effect of the paths and each marker of the programs. A new effect is a new
handler, and a sentence in `stories`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ormcache.effects import Announce, Apply, Fetch, Load, Save, Settle
from tests.interleavings import promises
from tests.interleavings.markers import (
    Asks,
    Begins,
    Got,
    Heard,
    OpensSnapshot,
    Paid,
    Releases,
    RollsBack,
    RollsBackTo,
    SetsSavepoint,
    Writes,
)
from tests.interleavings.states import EMPTY, IDLE, Loaded, version

if TYPE_CHECKING:
    from tests.interleavings.world import World

__all__ = ["HANDLERS"]

Handler = Callable[["World", int, Any], Any]


def _fetch(world: "World", _slot: int, effect: Fetch) -> Any:
    return world.store.fetch(effect.key, effect.scopes)


def _send(world: "World", slot: int, effect: Any) -> None:
    world.deliver(world.own(slot, effect))
    if isinstance(effect, Announce):
        world.announced(slot, effect)


def _load(world: "World", slot: int, _effect: Load) -> Loaded:
    actor = world.actors[slot]
    if actor.transaction.keeps and actor.transaction.snapshot < 0:
        world.change(slot, snapshot=len(world.log))
    transaction = world.actors[slot].transaction
    moment = transaction.snapshot if transaction.keeps else len(world.log)
    written = transaction.written
    rows = tuple(
        (item, version(world.log, moment, item), item in written) for item in actor.reading.items
    )
    return Loaded(rows)


def _apply(world: "World", slot: int, _effect: Apply) -> None:
    world.commit(slot)


def _begins(world: "World", slot: int, effect: Begins) -> None:
    fresh = EMPTY._replace(keeps=effect.keeps)
    world.actors[slot] = world.actors[slot]._replace(transaction=fresh)


def _asks(world: "World", slot: int, effect: Asks) -> None:
    promises.read_begins(world, slot, effect.query.items)


def _got(world: "World", slot: int, effect: Got) -> None:
    world.served += effect.served
    promises.read_ends(world, slot, effect.rows, served=effect.served)
    world.actors[slot] = world.actors[slot]._replace(reading=IDLE)


def _opens(world: "World", slot: int, _effect: OpensSnapshot) -> None:
    world.change(slot, snapshot=len(world.log))
    promises.snapshot_begins(world, slot)


def _writes(world: "World", slot: int, effect: Writes) -> None:
    *below, top = world.actors[slot].transaction.frames
    world.change(slot, frames=(*below, top.union(effect.change.items)))


def _sets_savepoint(world: "World", slot: int, _effect: SetsSavepoint) -> None:
    world.change(slot, frames=(*world.actors[slot].transaction.frames, frozenset()))


def _rolls_back_to(world: "World", slot: int, _effect: RollsBackTo) -> None:
    world.change(slot, frames=(*world.actors[slot].transaction.frames[:-1], frozenset()))


def _releases(world: "World", slot: int, _effect: Releases) -> None:
    *below, last, top = world.actors[slot].transaction.frames
    world.change(slot, frames=(*below, last | top))


def _rolls_back(world: "World", slot: int, _effect: RollsBack) -> None:
    world.change(slot, frames=(frozenset(),))


def _paid(world: "World", slot: int, _effect: Paid) -> None:
    promises.debt_paid(world, slot)


def _heard(world: "World", slot: int, effect: Heard) -> None:
    if effect.error:
        world.orphan(slot)
        return
    promises.commit_returns(world, slot, delivered=effect.delivered)


HANDLERS: dict[type, Handler] = {
    Fetch: _fetch,
    Save: _send,
    Announce: _send,
    Settle: _send,
    Load: _load,
    Apply: _apply,
    Begins: _begins,
    Asks: _asks,
    Got: _got,
    OpensSnapshot: _opens,
    Writes: _writes,
    SetsSavepoint: _sets_savepoint,
    RollsBackTo: _rolls_back_to,
    Releases: _releases,
    RollsBack: _rolls_back,
    Heard: _heard,
    Paid: _paid,
}
