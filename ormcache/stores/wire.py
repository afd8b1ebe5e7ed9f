"""
How does one operation reach the server and come back within its deadline?

Over an idle connection or a new one (see `link`). A connection is used again only after a clean
answer: one that was left in the middle could hand the previous command's answer to the next.
"""

from __future__ import annotations

import os
import time
from typing import TypeVar

from redis.exceptions import ConnectionError as BrokenConnection

from ormcache.errors import StoreError
from ormcache.stores.address import Address
from ormcache.stores.dialog import Dialog
from ormcache.stores.link import Link
from ormcache.stores.reigns import Reigns

__all__ = ["MOST_IDLE", "Wire", "failed"]

_T = TypeVar("_T")

MOST_IDLE = 64


class Wire:
    """
    Links to one address, shared by threads, none by two operations at once.

    *timeout* is the seconds that one operation may take, connecting included.
    """

    def __init__(self, address: Address, timeout: float, reigns: Reigns | None = None) -> None:
        self.address = address
        self.timeout = timeout
        self.reigns = reigns or Reigns()
        # The last one given back is the next one taken: append and pop are atomic, so no lock
        # that a fork could leave locked.
        self._idle: list[Link] = []
        self._pid = os.getpid()

    def run(self, dialog: Dialog[_T]) -> _T:
        """
        Return what *dialog* returns; it may be begun twice.

        Every operation of a store may be: settling or announcing again is bumping again. The same
        goes for a command that is carried out late, after its operation was given up: a bump more,
        or a lease that runs out.

        Raises:
            StoreError: It did not work out in time, or at all.
        """
        deadline = time.monotonic() + self.timeout
        try:
            return self.perform(dialog, deadline)
        except Exception as exc:
            raise failed(self.address.text, exc) from exc

    def perform(self, dialog: Dialog[_T], deadline: float) -> _T:
        """
        Return what *dialog* returns, or raise whatever went wrong until *deadline*.
        """
        link = self.take()
        if link is not None:
            try:
                return self._use(link, dialog, deadline)
            except BrokenConnection:
                # Closed while idle: the server was restarted, or has a time limit. The others
                # are as old, and a fresh one tells whether it really is gone.
                self.close()
        return self._use(self.open(deadline), dialog, deadline)

    def close(self) -> None:
        """
        Close the links that are idle.
        """
        while (link := self.take()) is not None:
            link.close()

    def open(self, deadline: float) -> Link:
        """
        Return a new link.
        """
        return Link(self.address, deadline, self.reigns)

    def give(self, link: Link) -> None:
        """
        Keep *link*, on which nothing is under way, for the next operation.
        """
        if len(self._idle) < MOST_IDLE:
            self._idle.append(link)
        else:
            link.close()

    def _use(self, link: Link, dialog: Dialog[_T], deadline: float) -> _T:
        clean = False
        try:
            result = link.talk(dialog, deadline)
            clean = True
            return result
        finally:
            if clean:
                self.give(link)
            else:
                link.close()

    def take(self) -> Link | None:
        """
        Return an idle link, nobody else's from now on; None where there is none.
        """
        if self._pid != os.getpid():
            # After a fork: these sockets are the parent's, and its answers come in on them.
            self._idle = []
            self._pid = os.getpid()
        place = self.address.text
        try:
            while (link := self._idle.pop()).generation != self.reigns.current[place]:
                link.close()  # leads to a server that another has taken over from
        except IndexError:
            return None
        return link

    def __repr__(self) -> str:
        return f"<Wire to {self.address.text}, {len(self._idle)} idle>"


def failed(place: str, exc: Exception) -> StoreError:
    """
    Return the error for an operation at *place* that failed, of whatever kind.

    The library raises what it stumbles over when the peer talks nonsense.
    """
    said = str(exc) if isinstance(exc, StoreError) else f"{type(exc).__name__}: {exc}"
    return StoreError(f"{place}: {said}")
