"""
How does a commit go on whose steps are separate calls?

A command listener is told that a command is about to be sent, and later how it ended. Between the
two the core's `commit` path waits at its `Apply`: `Held` in the thread that sends the command,
`HandedOver` in a thread of its own where the caller must not wait. Where somebody else announces
and settles it, `Covered` only notes how it ended.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from ormcache.effects import Announce, Apply, Effect
from ormcache.model import Intent, Scope
from ormcache.writing import Committed, commit

if TYPE_CHECKING:
    from ormcache.cache import Cache

__all__ = ["COVERED", "Covered", "HandedOver", "Held", "Sent", "Unanswered"]


class Refused(Exception):
    """
    The server has answered: nothing of the command can follow.
    """


class Unanswered(Exception):
    """
    Nobody heard what became of the command; it may still be carried out.
    """


class Sent(Protocol):
    """
    A command that is on its way.
    """

    def end(self, failure: Exception | None) -> Intent | None:
        """
        It has ended: well, `Refused` or `Unanswered`. Returns the intent that it has left open.
        """
        ...


class Held:
    """
    The commit path of one command, performed in the threads that call.
    """

    def __init__(self, cache: Cache, scopes: frozenset[Scope]) -> None:
        self._cache = cache
        self._scopes = scopes
        self._path = commit(scopes, _refused)
        self._intent: Intent | None = None
        self._perform = cache.performer(int, cache.store)  # nothing is applied by it
        self._go_on(partial(next, self._path))

    def end(self, failure: Exception | None) -> Intent | None:
        committed = None
        try:
            send = self._path.send if failure is None else self._path.throw
            committed = self._go_on(partial(send, failure))
        except (Refused, Unanswered):
            pass  # the path raises what it was told
        self._cache.heard_commit(
            self._scopes,
            committed=committed is not None,
            delivered=committed is not None and committed.delivered,
            store_seconds=self._perform.store_seconds,
        )
        return self._intent if isinstance(failure, Unanswered) else None

    def _go_on(self, send: Callable[[], Effect]) -> Committed | None:
        """
        Perform what the path asks for, up to its `Apply` or its end.
        """
        try:
            effect = send()
            while not isinstance(effect, Apply):
                if isinstance(effect, Announce):
                    self._intent = effect.intent
                try:
                    answer = self._perform(effect)
                except BaseException as exc:  # noqa: BLE001 - the path decides what to do about it
                    effect = self._path.throw(exc)
                else:
                    effect = self._path.send(answer)
        except StopIteration as stop:
            ended: Committed = stop.value
            return ended
        return None


class HandedOver:
    """
    The commit path of one command, performed by a thread of its own as fast as it can.
    """

    def __init__(self, cache: Cache, scopes: frozenset[Scope]) -> None:
        self._outcome: SimpleQueue[Exception | None] = SimpleQueue()
        work = partial(
            cache.commit,
            scopes,
            self._wait,
            refused=_refused,
            store=cache.store,
            may_refuse=False,  # the command is on its way
        )
        threading.Thread(target=_quietly, args=(work,), daemon=True).start()

    def end(self, failure: Exception | None) -> Intent | None:
        self._outcome.put(failure)
        return None

    def _wait(self) -> None:
        # However long: a settlement that came too early would be none.
        failure = self._outcome.get()
        if failure is not None:
            raise failure


class Covered:
    """
    Scopes that the caller itself announces and settles, and the commands that have not ended well.
    """

    def __init__(self, scopes: frozenset[Scope]) -> None:
        self.scopes = scopes
        self.unanswered: set[Hashable] = set()

    def sent(self, key: Hashable) -> Sent:
        """
        A command was sent; *key* is the same for every attempt of one write.
        """
        self.unanswered.add(key)
        return _CoveredCommand(self, key)


class _CoveredCommand:
    def __init__(self, covered: Covered, key: Hashable) -> None:
        self._covered = covered
        self._key = key

    def end(self, failure: Exception | None) -> Intent | None:
        if not isinstance(failure, Unanswered):
            self._covered.unanswered.discard(self._key)
        return None


COVERED: ContextVar[Covered | None] = ContextVar("ormcache_mongo_covered", default=None)
"""
What the call that is running announces and settles by itself.
"""


def _refused(failure: BaseException) -> bool:
    return isinstance(failure, Refused)


def _quietly(work: Callable[[], None]) -> None:
    with contextlib.suppress(Refused, Unanswered):
        work()
