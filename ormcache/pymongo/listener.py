"""
How is every write of a client seen, whoever makes it?

PyMongo tells a listener of each command before it is sent and after it has ended, on the thread or
event loop that sends it. That is the one place all writes pass, in any version, through any
library on top.

With a synchronous client, `CommandListener` alone keeps the whole promise: the announcement is made
before the command is sent, the settlement before the call returns.

On an event loop nobody may wait in a listener. `AsyncCommandListener` alone hands both over to a
thread: they are made, and usually within a millisecond, but the awaited call may return before, so
a read that follows it at once may still be answered from the cache. That, and nothing more, is what
it guarantees alone. `AsyncMongoClient` therefore announces and settles by itself, awaited; the
listener then only notes how each command ended, and remains for whatever that client's own methods
do not cover.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from pymongo import monitoring

from ormcache.errors import ConfigurationError, StoreError
from ormcache.model import Intent, Scope

from .commands import COMMIT, in_transaction, scopes_changed, unacknowledged
from .sent import COVERED, HandedOver, Held, Refused, Sent, Unanswered
from .transactions import Attempt, Transactions, Unheard, attempt_of

if TYPE_CHECKING:
    from ormcache.cache import Cache

__all__ = ["AsyncCommandListener", "CommandListener"]

log = logging.getLogger("ormcache")


class _Command:
    """
    A write on its way, and what its end must be known by.
    """

    __slots__ = ("attempt", "commits", "scopes", "sent", "session", "unheard_anyway")

    def __init__(
        self, scopes: frozenset[Scope], sent: Sent, command: Mapping[str, Any], *, commits: bool
    ) -> None:
        self.scopes = scopes
        self.sent = sent
        self.attempt: Attempt | None = attempt_of(command)
        self.session = command.get("lsid")
        self.commits = commits
        self.unheard_anyway = unacknowledged(command)


class CommandListener(monitoring.CommandListener):
    """
    Invalidates what a synchronous client writes.

        client = pymongo.MongoClient(uri, event_listeners=[CommandListener(cache)])

    *alone*: no client of ours announces the writes before they come here.

    Raises:
        ConfigurationError: The cache is to refuse writes, which a listener alone cannot.
    """

    def __init__(self, cache: Cache, *, alone: bool = True) -> None:
        if alone and cache.refuses:
            msg = (
                "on_outage='refuse' needs ormcache.pymongo.MongoClient or AsyncMongoClient: "
                "PyMongo drops what a listener raises, so a listener alone cannot refuse a write; "
                "give it a cache with on_outage='proceed'"
            )
            raise ConfigurationError(msg)
        self._cache = cache
        self.transactions = Transactions()
        self._open: dict[Hashable, _Command] = {}
        self._unheard: Unheard[Intent] = Unheard()
        self._writing_cursors: dict[int, frozenset[Scope]] = {}
        """A `$merge` that is asked for in an empty first batch is carried out by the `getMore`."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._cache!r}>"

    # -- what PyMongo calls; what is raised here it drops -------------------------------------

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """
        A command is about to be sent.
        """
        scopes = self._scopes(event)
        if scopes:
            key = _key(event)
            sent = self._send(scopes, attempt_of(event.command) or key)
            commits = event.command_name == COMMIT
            self._open[key] = _Command(scopes, sent, event.command, commits=commits)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """
        A command was carried out, or one that nobody acknowledges was sent.
        """
        command = self._open.pop(_key(event), None)
        if command is None:
            return
        self._note_cursor(event.reply, command.scopes)
        if command.unheard_anyway:
            command.sent.end(Unanswered())
            return
        command.sent.end(None)
        if command.commits:
            self.transactions.ended(command.session)
        for intent in self._unheard.take(command.attempt):
            # Earlier attempts of the same write: the server takes them for what it has done.
            self._settle(intent)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """
        A command was refused, or nobody heard what became of it.
        """
        command = self._open.pop(_key(event), None)
        if command is None:
            return
        if _answered(event.failure, commits=command.commits):
            command.sent.end(Refused())
            if command.commits:
                self.transactions.ended(command.session)
        elif (intent := command.sent.end(Unanswered())) is not None:
            self._unheard.add(command.attempt, intent)

    # -- what to do about it -----------------------------------------------------------------

    def _scopes(self, event: monitoring.CommandStartedEvent) -> frozenset[Scope]:
        """
        Return what is to be announced before the command is sent.
        """
        name, command = event.command_name, event.command
        match name:
            case "commitTransaction":
                return self.transactions.touched(command.get("lsid"))
            case "abortTransaction":
                self.transactions.ended(command.get("lsid"))
            case "getMore":
                return self._writing_cursors.pop(command[name], frozenset())
            case "killCursors":
                for cursor in command.get("cursors", ()):
                    self._writing_cursors.pop(cursor, None)
        scopes = scopes_changed(event.database_name, name, command)
        if scopes and in_transaction(command):
            self.transactions.touch(command, scopes)
            return frozenset()
        return scopes

    def _send(self, scopes: frozenset[Scope], attempt: Hashable) -> Sent:
        covered = COVERED.get()
        if covered is not None and scopes <= covered.scopes:
            return covered.sent(attempt)
        return self._perform(scopes)

    def _perform(self, scopes: frozenset[Scope]) -> Sent:
        return Held(self._cache, scopes)

    def _settle(self, intent: Intent) -> None:
        try:
            self._cache.store.settle(intent)
        except StoreError:
            log.debug("ormcache: a lease is left to run out")

    def _note_cursor(self, reply: Mapping[str, Any], scopes: frozenset[Scope]) -> None:
        cursor = reply.get("cursor")
        if isinstance(cursor, Mapping) and cursor.get("id"):
            self._writing_cursors[cursor["id"]] = scopes


class AsyncCommandListener(CommandListener):
    """
    Invalidates what an asynchronous client writes, without holding up its event loop.
    """

    def _perform(self, scopes: frozenset[Scope]) -> Sent:
        return HandedOver(self._cache, scopes)


def _key(event: monitoring._CommandEvent) -> Hashable:
    return event.connection_id, event.request_id


def _answered(failure: Mapping[str, Any], *, commits: bool) -> bool:
    """
    Return whether the server itself has refused, so that nothing can follow.

    Of a commit it says so only where the whole transaction is to be repeated: another error may
    mean that it waits for other members in vain, having committed.
    """
    if "errtype" in failure:  # PyMongo's own words for an error of the connection
        return False
    return not commits or "TransientTransactionError" in failure.get("errorLabels", ())
