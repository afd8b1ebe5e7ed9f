"""
How did it come to this?

The moves of a violation are played again, and each is told in one line with the name of who made
it. The canonical form lets equal actors change places; the names move along.
"""

import re
from collections import Counter
from typing import Any

from ormcache.effects import Announce, Apply, Fetch, Load, Save, Settle
from tests.interleavings import promises
from tests.interleavings.canonical import canonical
from tests.interleavings.explore import Setting, opened
from tests.interleavings.faults import Move, play
from tests.interleavings.markers import (
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
from tests.interleavings.programs import Program
from tests.interleavings.states import Actor, Failed
from tests.interleavings.world import World

__all__ = ["story"]


def story(setting: Setting, moves: tuple[Move, ...]) -> str:
    """
    Return the moves as numbered sentences, and how they end.
    """
    world, state = opened(setting)
    programs = sorted(set(setting.programs), key=lambda each: each.name)
    labels = _labels(programs, state.actors)
    cast = zip(labels, state.actors, strict=True)
    lines = [f"  {label}: {programs[actor.program].name}" for label, actor in cast]
    told: list[str] = []
    world.teller = lambda slot, effect, answer: told.append(_tell(world, slot, effect, answer))
    with world.names.used():
        for number, move in enumerate(moves, 1):
            told.clear()
            world.open(state)
            told.append(_fault(world, move))
            try:
                play(world, move)
            except promises.Violation as broken:
                told.append(str(broken))
            said = "; ".join(filter(None, told))
            lines.append(f"{number:3}. {_named(said, labels)}")
            state, order = canonical(world, rename=setting.rename)
            labels = [labels[slot] for slot in order]
    return "\n".join(lines)


def _labels(programs: list[Program], actors: tuple[Actor, ...]) -> list[str]:
    counts: Counter[str] = Counter()
    labels = []
    for actor in actors:
        kind = "writer" if "changes" in programs[actor.program].name else "reader"
        counts[kind] += 1
        labels.append(f"{kind} {counts[kind]}")
    return labels


def _named(text: str, labels: list[str]) -> str:
    text = re.sub(r"\{(\d+)\}", lambda found: labels[int(found[1])], text)
    return re.sub(r"\[(\d+)\]", lambda found: f"t{int(found[1]) + 1}", text)


def _fault(world: World, move: Move) -> str:
    """
    Return what a move is when it is more than an actor's next step.
    """
    kind, target = move
    if kind == "step":
        return ""
    if kind == "arrives":
        effect = world.late[target]
        return f"a delayed or repeated {type(effect).__name__.lower()} arrives at the store"
    if kind == "forgotten commit arrives":
        return "a COMMIT that nobody waits for arrives at the database"
    if isinstance(target, int):
        effect = type(world.peek(target)).__name__.lower()
        return f"{world.name(target)}, about to {effect}: {kind}"
    return kind if target in {"store", "time"} else f"{kind}: {target}"


def _tell(world: World, slot: int, effect: Any, answer: Any) -> str:
    teller = _TELLERS.get(type(effect))
    return f"{world.name(slot)} {teller(world, effect, answer)}" if teller else ""


def _fetched(_world: World, effect: Fetch, answer: Any) -> str:
    doubtful = [s for s, state in zip(effect.scopes, answer.tokens, strict=True) if state.in_doubt]
    entry = "no entry" if answer.entry is None else "an entry"
    about = f"{entry} of {effect.key} and " if effect.key else ""
    doubt = f" ({', '.join(doubtful)} in doubt)" if doubtful else ""
    return f"fetches {about}the tokens of {', '.join(effect.scopes)}{doubt}"


def _of_intent(what: str) -> Any:
    return lambda _world, effect, _answer: f"{what} {', '.join(effect.intent.scopes)}"


def _got(_world: World, effect: Got, _answer: Any) -> str:
    how = "is served from the cache" if effect.served else "returns"
    return f"{how} {promises.told(effect.rows)}"


def _heard(_world: World, effect: Heard, _answer: Any) -> str:
    if effect.error:
        return f"hears no good end of its commit: {effect.error}"
    return "has its commit() returned" + ("" if effect.delivered else ", the settle undelivered")


_TELLERS: dict[type, Any] = {
    Fetch: _fetched,
    Save: lambda _world, effect, _answer: f"saves what it read as {effect.key}",
    Announce: _of_intent("announces"),
    Settle: _of_intent("settles"),
    Load: lambda _world, _effect, answer: (
        f"asks the database: {promises.told(answer.rows)}"
        if not isinstance(answer, Failed)
        else "asks the database in vain"
    ),
    Apply: lambda world, _effect, _answer: f"commits: {promises.content(world)}",
    OpensSnapshot: lambda *_: "has the database take its snapshot, by a write",
    Writes: lambda _world, effect, _answer: f"changes {effect.change.name}, uncommitted",
    SetsSavepoint: lambda *_: "sets a savepoint",
    RollsBackTo: lambda *_: "rolls back to the savepoint",
    Releases: lambda *_: "releases the savepoint",
    RollsBack: lambda *_: "rolls back",
    Got: _got,
    Heard: _heard,
    Paid: lambda *_: "owes the store nothing more",
}
