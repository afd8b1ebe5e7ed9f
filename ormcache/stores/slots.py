"""
Which node of a cluster serves a slot, as far as anybody told us?
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS

from ormcache.errors import StoreError
from ormcache.stores.places import Cluster, Node
from ormcache.stores.reigns import Reigns

__all__ = ["SlotMap"]

_Owners = tuple[Node | None, ...]


class SlotMap:
    """
    The map that a node drew last, replaced as a whole, so that reading it takes no lock.

    A map that is out of date does no harm: who does not serve a slot says so.
    """

    def __init__(self, place: Cluster, reigns: Reigns) -> None:
        self._place = place
        self._reigns = reigns
        self._owners: _Owners = ()
        self._nodes: tuple[Node, ...] = ()
        self.doubted = True

    def owner(self, slot: int) -> Node:
        """
        Return the primary that serves *slot*, or raise `StoreError` where there is none.
        """
        node = self._owners[slot] if self._owners else None
        if node is None:
            msg = f"no node of the cluster serves slot {slot}"
            raise StoreError(msg)
        return node

    @property
    def primaries(self) -> tuple[Node, ...]:
        """
        Every node that serves a slot.
        """
        return tuple(sorted({node for node in self._owners if node is not None}))

    def to_ask(self) -> list[Node]:
        """
        Return the nodes that may draw a new map; those known first, in another order each time.
        """
        known = random.SystemRandom().sample(self._nodes, len(self._nodes))
        return [*known, *(seed for seed in self._place.seeds if seed not in known)]

    def learn(self, answer: Any, asked: Node) -> None:
        """
        Take over what the node *asked* answers to CLUSTER SLOTS, or raise `StoreError`.
        """
        if isinstance(answer, Exception):
            raise answer
        self._owners, self._nodes = _read(answer, asked)
        self.doubted = False
        # A slot that moves between them ends no reign: it takes its tokens along.
        primaries = ",".join(f"{host}:{port}" for host, port in self.primaries)
        self._reigns.meet(self._place.text, primaries.encode())


def _read(answer: Any, asked: Node) -> tuple[_Owners, tuple[Node, ...]]:
    owners: list[Node | None] = [None] * SLOTS
    nodes: dict[Node, None] = {}
    try:
        for first, last, *servers in answer:
            found = [_node(server, asked) for server in servers]
            owners[first : last + 1] = [found[0]] * (last - first + 1)
            nodes |= dict.fromkeys(found)
    except (TypeError, ValueError, IndexError) as exc:
        msg = f"a node of the cluster answers CLUSTER SLOTS with {type(answer).__name__}"
        raise StoreError(msg) from exc
    if len(owners) != SLOTS or not nodes:
        msg = "the cluster has no slots yet"
        raise StoreError(msg)
    return tuple(owners), tuple(nodes)


def _node(server: Sequence[Any], asked: Node) -> Node:
    host, port = server[0], int(server[1])
    # A node that does not know its own address leaves it out: it is where we asked.
    return (bytes(host).decode() if host not in (None, b"", b"?") else asked[0]), port
