"""
Which slots of a cluster does an operation touch, and how do their answers become one?

A table's scopes share a slot, and what is atomic is one scope's change: token and lease. That is
all the protocol asks of a store. An announcement over several tables is complete before the COMMIT
is sent, however its parts arrived; a settle is complete before `commit()` returns. Whoever reads in
between sees some scopes changed and some not, as with two writers at once: each scope by itself is
either in doubt or has a token that an older entry does not carry.

A fetch brings the entry from one node and the tokens from others, in any order. That is sound. An
entry is served when the tokens it carries equal the ones that came with it, and a token is never
given twice. So each token it carries was current when its reader fetched it, before the reader's
query, and was current again (so: all the time between) when this fetch read it, after this fetch
began. A commit that returned before this fetch began has replaced the tokens of its scopes by then;
an entry that carries the new ones was read after it. When the entry itself was read makes no
difference, for its bytes and the tokens in them do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from redis.crc import key_slot

from ormcache.model import Fetched, Intent, Scope, TokenState
from ormcache.stores.dialog import Vocabulary
from ormcache.stores.layout import Layout
from ormcache.stores.places import Node
from ormcache.stores.rounds import Leg

__all__ = ["Reading", "Spread"]

_REMEMBERED = 10_000


class Reading(NamedTuple):
    """
    The legs of a fetch, and what makes one answer of theirs.
    """

    legs: list[Leg]
    join: Callable[[Sequence[Fetched]], Fetched]


class Spread:
    """
    The operations of a store, spread over the slots of a cluster.
    """

    def __init__(self, layout: Layout, say: Vocabulary) -> None:
        self._layout = layout
        self._say = say
        # As many as there are scopes: tables, and slices of them.
        self._slot_of = lru_cache(_REMEMBERED)(lambda scope: key_slot(layout.token(scope)))

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Reading:
        """
        Return the legs of `Store.fetch`.
        """
        parts: dict[int, list[int]] = {}
        for position, scope in enumerate(scopes):
            parts.setdefault(self._slot_of(scope), []).append(position)
        legs = [
            Leg(self._say.fetch(None, [scopes[at] for at in part]), slot=slot)
            for slot, part in parts.items()
        ]
        if key is not None:
            legs.append(Leg(self._say.fetch(key, ()), slot=key_slot(self._layout.entry(key))))

        def join(answers: Sequence[Fetched]) -> Fetched:
            states: dict[int, TokenState] = {}
            for part, (_, found) in zip(parts.values(), answers, strict=False):
                states.update(zip(part, found, strict=True))
            entry = None if key is None else answers[-1].entry
            return Fetched(entry, tuple([states[at] for at in range(len(scopes))]))

        return Reading(legs, join)

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool) -> list[Leg]:
        """
        Return the leg of `Store.save`.
        """
        saving = self._say.save(key, entry, ttl, absent=absent)
        return [Leg(saving, slot=key_slot(self._layout.entry(key)))]

    def announce(self, intent: Intent, lease_seconds: float) -> list[Leg]:
        """
        Return the legs of `Store.announce`.
        """
        return [
            Leg(self._say.announce(part, lease_seconds), slot=slot)
            for slot, part in self._by_slot(intent)
        ]

    def settle(self, intent: Intent) -> list[Leg]:
        """
        Return the legs of `Store.settle`.
        """
        return [Leg(self._say.settle(part), slot=slot) for slot, part in self._by_slot(intent)]

    def page(self, node: Node, cursor: bytes | str) -> list[Leg]:
        """
        Return the leg that brings the next cursor and some keys of this namespace on *node*.
        """
        return [Leg(self._say.page(cursor), node=node)]

    def remove(self, names: Sequence[bytes]) -> list[Leg]:
        """
        Return the legs that remove keys.
        """
        slots: dict[int, list[bytes]] = {}
        for name in names:
            slots.setdefault(key_slot(name), []).append(name)
        return [Leg(self._say.remove(part), slot=slot) for slot, part in slots.items()]

    def info(self, nodes: Sequence[Node]) -> list[Leg]:
        """
        Return the legs of `Store.info`: one for each node, or for whoever serves the first slot
        while no node is known.
        """
        if not nodes:
            return [Leg(self._say.info(), slot=0)]
        return [Leg(self._say.info(), node=node) for node in nodes]

    def _by_slot(self, intent: Intent) -> list[tuple[int, Intent]]:
        slots: dict[int, list[Scope]] = {}
        for scope in intent.scopes:
            slots.setdefault(self._slot_of(scope), []).append(scope)
        return [(slot, Intent(intent.lease, tuple(part))) for slot, part in slots.items()]
