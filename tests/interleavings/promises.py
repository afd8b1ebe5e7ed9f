"""
What must hold, whatever happens in whatever order?

- P2: a read that begins after a commit has returned does not return older data than that commit.
- P3: no read returns a change that is not committed, or is rolled back; a transaction reads its
  own; and where it reads from a snapshot, exactly that: before the snapshot is taken, hits of one
  moment, afterwards nothing newer and nothing older.
- P4: the same as P2 for a commit whose writer was killed, once its lease has run out.
- One statement returns rows of one moment.
- No going backwards: once a read has returned a version, a read that begins later returns no
  older one.

What a lease covers, and what not. Between COMMIT and settle the database is ahead of the store.
While the writer's lease is in force, nobody notices. Where it is not, because the store lost it
or never got it, or because the writer needs longer than it lasts, that one commit is *exposed*
until it has been settled: a reader may see it and the next one not, and a snapshot may be answered
from the other side of it. P2 and everything else hold all the same. What cannot hold is P4 for a
commit that reaches the database after the lease has run out, or whose lease the store has lost.
"""

from typing import TYPE_CHECKING

from tests.interleavings.states import Reading, version

if TYPE_CHECKING:
    from tests.interleavings.world import World

__all__ = [
    "Violation",
    "commit_returns",
    "content",
    "debt_paid",
    "lease_lost",
    "lease_time_passes",
    "read_begins",
    "read_ends",
    "snapshot_begins",
    "told",
]

Versions = tuple[tuple[int, int, bool], ...]


class Violation(Exception):
    """
    A promise was broken.
    """


def told(rows: Versions) -> str:
    """
    Return rows as a story tells them.
    """
    return ", ".join(f"[{i}] version {v}{' with its own change' * dirty}" for i, v, dirty in rows)


def content(world: "World") -> str:
    """
    Return what the database holds now.
    """
    items = range(len(world.promised))
    return ", ".join(f"[{i}] is version {version(world.log, len(world.log), i)}" for i in items)


def snapshot_begins(world: "World", slot: int) -> None:
    """
    Note what is promised to all reads of a transaction that reads from one snapshot.
    """
    world.change(slot, floors=_promised_now(world))


def read_begins(world: "World", slot: int, items: tuple[int, ...]) -> None:
    """
    Note what is promised to a read that begins now.
    """
    transaction = world.actors[slot].transaction
    if transaction.keeps and not transaction.floors.promised:
        snapshot_begins(world, slot)
    floors = world.actors[slot].transaction.floors if transaction.keeps else _promised_now(world)
    if owes := world.actors[slot].owes:
        own = [version(world.log, owes, i) for i in range(len(world.promised))]
        floors = floors._replace(promised=tuple(map(max, floors.promised, own)))
    of_these = [tuple(floor * (i in items) for i, floor in enumerate(each)) for each in floors[1:]]
    world.actors[slot] = world.actors[slot]._replace(reading=Reading(items, *of_these))


def _promised_now(world: "World") -> Reading:
    return Reading((), world.promised, tuple(map(max, world.seen, world.promised)))


def read_ends(world: "World", slot: int, rows: Versions, *, served: bool) -> None:
    """
    Compare what a read returns with what was promised to it.
    """
    actor = world.actors[slot]
    written = actor.transaction.written
    for item, _, dirty in rows:
        if dirty and item not in written:
            _break(world, slot, f"[{item}] with a change that was never committed", "P3")
        if item in written and not dirty:
            _break(world, slot, f"[{item}] without its own change", "P3")
    _check_moment(world, slot, rows)
    for item, got, _ in rows:
        _check_age(world, slot, item, got)
    seen = list(world.seen)
    for item, got, _ in rows:
        seen[item] = max(seen[item], got)
    world.seen = tuple(seen)


def _check_moment(world: "World", slot: int, rows: Versions) -> None:
    transaction = world.actors[slot].transaction
    pairs = tuple((item, got) for item, got, _ in rows)
    if not _moments(world, pairs):
        _break(world, slot, "rows that the database never held together", "P1")
    if not transaction.keeps:
        return
    if transaction.snapshot >= 0:
        for item, got in pairs:
            held = version(world.log, transaction.snapshot, item)
            if _covered(world, item, *sorted((got, held))):
                age = "newer" if got > held else "older"
                _break(
                    world, slot, f"[{item}] version {got}, {age} than {held} in its snapshot", "P3"
                )
        return
    if world.exposed:
        return
    served = tuple(sorted({*transaction.served, *pairs}))
    if not _moments(world, served):
        _break(world, slot, "rows of another moment than its hits before", "P3")
    world.change(slot, served=served)


def _covered(world: "World", item: int, low: int, high: int) -> bool:
    """
    Return whether *item* got from version *low* to *high* by a commit that a lease covered.
    """
    return any(
        low < version(world.log, number, item) <= high
        and item in commit
        and number not in world.exposed
        for number, commit in enumerate(world.log, 1)
    )


def _moments(world: "World", pairs: tuple[tuple[int, int], ...]) -> bool:
    """
    Return whether there was a moment at which every item had its version.
    """
    log = world.log
    return any(
        all(version(log, moment, item) == got for item, got in pairs)
        for moment in range(len(log) + 1)
    )


def _check_age(world: "World", slot: int, item: int, got: int) -> None:
    reading = world.actors[slot].reading
    promised, seen = reading.promised[item], reading.seen[item]
    if got < promised:
        what = f"[{item}] version {got}, although the commit of version {promised} had returned"
        _break(world, slot, what, "P2/P4")
    if _covered(world, item, got, seen):
        what = f"[{item}] version {got}, although version {seen} had been read before"
        _break(world, slot, what, "no going backwards")


def _break(world: "World", slot: int, what: str, promise: str) -> None:
    raise Violation(f"{promise} is broken: {world.name(slot)} returns {what}")


def commit_returns(world: "World", slot: int, *, delivered: bool) -> None:
    """
    From now on every read that begins must see the commit.

    Only its own process must, where neither announce nor settle reached the store: that is a
    debt, which is paid before anybody in this process believes the store again.
    """
    transaction = world.actors[slot].transaction
    if not transaction.commit:
        return
    if delivered or not transaction.exposed:
        _promise(world, transaction.commit)
    else:
        world.actors[slot] = world.actors[slot]._replace(owes=transaction.commit)


def debt_paid(world: "World", slot: int) -> None:
    """
    The store has heard of the commit: from now on everybody must see it.
    """
    actor = world.actors[slot]
    if actor.owes:
        _promise(world, actor.owes)
        world.actors[slot] = actor._replace(owes=0)


def lease_time_passes(world: "World") -> None:
    """
    Every lease granted so far runs out: what was committed under it must be seen from now on.
    """
    for slot, actor in enumerate(world.actors):
        t = actor.transaction
        if t.commit and not t.exposed:
            _promise(world, t.commit)
        elif t.announced:
            world.change(slot, exposed=True)
    for number, orphan in enumerate(world.orphans):
        if orphan.commit and not orphan.exposed:
            _promise(world, orphan.commit)
        else:
            world.orphans[number] = orphan._replace(exposed=True)
    world.orphans = [orphan for orphan in world.orphans if not orphan.commit]


def lease_lost(world: "World", scope: str | None) -> None:
    """
    The store loses the leases of *scope* (None: all): the gaps they covered are open.
    """
    for slot, actor in enumerate(world.actors):
        t = actor.transaction
        if t.announced and (scope is None or scope in t.scopes):
            world.change(slot, exposed=True)
            _expose(world, t.commit)
    for number, orphan in enumerate(world.orphans):
        if scope is None or scope in orphan.scopes:
            world.orphans[number] = orphan._replace(exposed=True)
            _expose(world, orphan.commit)


def _expose(world: "World", commit: int) -> None:
    if commit and commit not in world.exposed:
        world.exposed = (*world.exposed, commit)


def _promise(world: "World", commit: int) -> None:
    promised = list(world.promised)
    for item in world.log[commit - 1]:
        promised[item] = max(promised[item], version(world.log, commit, item))
    world.promised = tuple(promised)
