"""
How does an operation go through a cluster: whom to ask what, and what to do about redirections?

An operation is a few *legs*, each a dialog with the node that serves one slot. They go side by
side: a round sends each node the next commands of all its legs, and then reads the answers. A read
that finds everything quiet is one round.

Written once, as a generator that yields what is to be sent; `cluster_wire` carries it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError as BrokenConnection,
    MovedError,
    ReadOnlyError,
    TimeoutError as NoAnswer,
    TryAgainError,
)

from ormcache.errors import StoreError
from ormcache.stores.dialog import Command, Dialog, Talk
from ormcache.stores.places import Node
from ormcache.stores.slots import SlotMap

__all__ = ["Exchange", "Journey", "Leg", "Step", "Visit", "conduct"]

_T = TypeVar("_T")

_ELSEWHERE = (
    *(MovedError, ClusterDownError, TryAgainError, ReadOnlyError),
    *(BrokenConnection, StoreError, OSError),
)
"""
Answers, and absences of one, after which the slot may be served elsewhere, or soon.
"""

_PATIENCE = 5


@dataclass(frozen=True, slots=True)
class Visit:
    """
    Have a connection to *node*. Answer: its generation, or nothing where it *need not serve*.
    """

    node: Node
    need_not_serve: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    Send each node its commands, then read. Answer: for each node as many answers, or exceptions.
    """

    batch: dict[Node, list[Command]]


Step = Visit | Exchange

Journey = Generator[Step, Any, _T]
"""
An operation under way.
"""


class Leg:
    """
    A dialog with the node that serves *slot*, or with *node*.
    """

    def __init__(
        self, dialog: Dialog[Any], *, slot: int | None = None, node: Node | None = None
    ) -> None:
        self._dialog = dialog
        self._slot = slot
        self._node = node
        self._asking: Node | None = None
        self._at: Node | None = None
        self._talk: Talk[Any] | None = None
        self._command: Command = ()
        self._troubles = 0
        self._error: BaseException | None = None
        self._result: Any = None
        self.over = False

    def goal(self, slots: SlotMap) -> Node:
        """
        Return the node to talk with, or raise `StoreError` where there is none.
        """
        if self._asking is not None or self._node is not None or self._slot is None:
            node = self._asking or self._node
            assert node is not None
            return node
        return slots.owner(self._slot)

    def stand(self, node: Node, generation: bytes) -> None:
        """
        Be at *node*; a dialog that went on elsewhere begins anew, for tokens are of one server.
        """
        if self._talk is None or self._at != node:
            self._at, self._talk = node, self._dialog(generation)
            self._step(next)

    def commands(self) -> list[Command]:
        """
        Return what to send next.
        """
        return [self._command] if self._asking is None else [("ASKING",), self._command]

    def hear(self, answers: Iterator[Any], slots: SlotMap) -> None:
        """
        Take the answers to `commands`.
        """
        *_, answer = [next(answers) for _ in self.commands()]
        if isinstance(answer, AskError) and not isinstance(answer, MovedError):
            # One slot is on its way to another node, and this key is there already.
            self.stumble(answer, slots)
            self._asking = (answer.host, answer.port)
        elif isinstance(answer, (*_ELSEWHERE, NoAnswer)):
            self.stumble(answer, slots)
        elif isinstance(answer, Exception):
            self._step(lambda talk: talk.throw(answer))
        else:
            self._step(lambda talk: talk.send(answer))

    def stumble(self, problem: Exception, slots: SlotMap) -> None:
        """
        Hear that it went wrong; begin anew with a new map, some times.
        """
        self._talk = self._asking = None
        self._troubles += 1
        slots.doubted = True
        if self._troubles >= _PATIENCE or isinstance(problem, NoAnswer | TimeoutError):
            self._end(error=problem)

    def result(self) -> Any:
        """
        Return what the dialog returned, or raise what went wrong.
        """
        if self._error is not None:
            raise self._error
        return self._result

    def _step(self, go: Any) -> None:
        try:
            self._command = go(self._talk)
        except StopIteration as stop:
            self._end(result=stop.value)
        except Exception as exc:  # noqa: BLE001 - the other legs go on; `result` raises it
            self._end(error=exc)

    def _end(self, *, result: Any = None, error: Exception | None = None) -> None:
        self._result, self._error = result, error
        self.over = True


def conduct(legs: Sequence[Leg], slots: SlotMap) -> Journey[list[Any]]:
    """
    Return what the dialogs of all *legs* returned.

    Each is taken as far as it goes, whatever becomes of the others: an invalidation that one node
    does not take must still arrive at the rest.
    """
    while waiting := [leg for leg in legs if not leg.over]:
        if slots.doubted:
            yield from _look(slots)
        visited = _by_node(waiting, slots)
        for node in list(visited):
            if not (yield from _arrive(node, visited[node], slots)):
                del visited[node]
        answers = yield Exchange(
            {
                node: [each for leg in group for each in leg.commands()]
                for node, group in visited.items()
            }
        )
        for node, group in visited.items():
            replies = iter(answers[node])
            for leg in group:
                leg.hear(replies, slots)
    return [leg.result() for leg in legs]


def _by_node(legs: Iterable[Leg], slots: SlotMap) -> dict[Node, list[Leg]]:
    groups: dict[Node, list[Leg]] = {}
    for leg in legs:
        try:
            groups.setdefault(leg.goal(slots), []).append(leg)
        except StoreError as exc:
            leg.stumble(exc, slots)
    return groups


def _arrive(node: Node, group: Sequence[Leg], slots: SlotMap) -> Journey[bool]:
    try:
        generation = yield Visit(node)
    except Exception as exc:  # noqa: BLE001 - whatever it is, `result` raises it
        for leg in group:
            leg.stumble(exc, slots)
        return False
    for leg in group:
        leg.stand(node, generation)
    return True


def _look(slots: SlotMap) -> Journey[None]:
    problem: Exception = StoreError("no node of the cluster is known")
    for node in slots.to_ask():
        try:
            yield Visit(node, need_not_serve=True)
            answers = yield Exchange({node: [("CLUSTER", "SLOTS")]})
            slots.learn(answers[node][0], node)
        except Exception as exc:  # noqa: BLE001 - the last one is raised when nobody is left
            problem = exc
        else:
            return
    raise problem
