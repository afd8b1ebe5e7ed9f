"""
Is there any order of events in which a promise is broken?

Breadth first, so that the first violation found is among the shortest. A state is expanded once:
it holds everything the future depends on. Where no read is left to be answered nothing can be
broken any more, and the way ends there.
"""

import gc
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any, NamedTuple

from tests.interleavings.canonical import canonical
from tests.interleavings.faults import Move, moves, play
from tests.interleavings.programs import Program
from tests.interleavings.promises import Violation
from tests.interleavings.replay import Names, Places
from tests.interleavings.states import FINISHED, Actor, State
from tests.interleavings.store import CopyableStore
from tests.interleavings.world import World

__all__ = ["Explored", "Setting", "explore", "opened"]


@dataclass(frozen=True)
class Setting:
    """
    Who acts, on how many items, and what may go wrong how often.
    """

    programs: tuple[Program, ...]
    items: int = 2
    faults: tuple[str, ...] = ()
    budget: int = 0
    store: Callable[[], CopyableStore] = CopyableStore
    rename: bool = True


class Explored(NamedTuple):
    """
    What an exploration found.
    """

    states: int
    steps: int
    served: int
    """How many steps ended in a read that was answered from the cache."""
    seconds: float
    violation: str | None = None
    moves: tuple[Move, ...] = ()


def opened(setting: Setting) -> tuple[World, State]:
    """
    Return a world for *setting*, and its first state.
    """
    programs = sorted(set(setting.programs), key=lambda each: each.name)
    names = Names()
    world = World(Places(programs, names), names, setting.store())
    zeros = (0,) * setting.items
    actors = tuple(sorted(Actor(programs.index(each)) for each in setting.programs))
    return world, State((), zeros, zeros, (), setting.budget, (), (), (), (), actors)


def explore(setting: Setting) -> Explored:
    """
    Visit every state that can be reached, or stop at the first violation.
    """
    world, first = opened(setting)
    gc.disable()  # millions of tuples, none of them in a cycle
    try:
        with world.names.used():
            return _explore(world, first, setting)
    finally:
        gc.enable()


def _explore(world: World, first: State, setting: Setting) -> Explored:
    begin = process_time()
    numbers: dict[Any, int] = {}
    seen: set[tuple[Any, ...]] = {_packed(first, numbers)}
    parents, by = array("l", [0]), array("l", [0])
    named: dict[Move, int] = {}
    level, base, steps = [first], 0, 0
    while level:
        following: list[State] = []
        for position, state in enumerate(level):
            world.open(state)
            for move in list(moves(world, setting.faults)):
                world.open(state)
                steps += 1
                try:
                    play(world, move)
                except Violation as broken:
                    way = _way(parents, by, list(named), base + position)
                    return Explored(
                        len(seen),
                        steps,
                        world.served,
                        process_time() - begin,
                        str(broken),
                        (*way, move),
                    )
                if not _reads_left(world):
                    continue
                after, _ = canonical(world, rename=setting.rename)
                packed = _packed(after, numbers)
                if packed not in seen:
                    seen.add(packed)
                    parents.append(base + position)
                    by.append(named.setdefault(move, len(named)))
                    following.append(after)
        base += len(level)
        level = following
    return Explored(len(seen), steps, world.served, process_time() - begin)


def _packed(state: State, numbers: dict[Any, int]) -> tuple[Any, ...]:
    """
    Return the state as the numbers of its parts, of which most are shared with other states.
    """
    number = numbers.setdefault
    database = number(state[:5], len(numbers))
    store = number(state[5:9], len(numbers))
    return (database, store, *[number(actor, len(numbers)) for actor in state.actors])


def _reads_left(world: World) -> bool:
    return any(
        actor.stage < FINISHED
        and world.places.reads_left(actor.program, actor.stage, actor.answers)
        for actor in world.actors
    )


def _way(parents: Sequence[int], by: Sequence[int], named: list[Move], position: int) -> list[Move]:
    way: list[Move] = []
    while position:
        way.append(named[by[position]])
        position = parents[position]
    return way[::-1]
