"""
What has happened on this physical connection, and in the transaction that is open on it?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ormcache.freshness import Snapshot
from ormcache.touched import TouchedScopes

from .sessionstate import SessionState

if TYPE_CHECKING:
    from .generated import Generated
    from .schema import KnownSchema

__all__ = ["ConnectionState"]


class ConnectionState:
    """
    Lives as long as the physical connection; a transaction's part is emptied when it ends.
    """

    __slots__ = (
        "asked",
        "began_with",
        "committing",
        "failed",
        "generated",
        "loading",
        "manual",
        "schema",
        "session",
        "snapshot",
        "touched",
        "unsure",
        "xid",
    )

    def __init__(self) -> None:
        self.schema: KnownSchema | None = None
        """The database at the other end; None until it has been asked."""
        self.failed = False
        """Whether a statement failed in this transaction: the next one may have to fail too."""
        self.session = SessionState()
        self.touched = TouchedScopes()
        self.snapshot: Snapshot | None = None
        self.generated: Generated | None = None
        """Rows whose keys the database is making."""
        self.loading = False
        """Whether the statement on its way to the database belongs to a cacheable read."""
        self.committing = False
        """Whether a commit is under way, within which a dialect may commit or roll back again."""
        self.manual = False
        """Whether a BEGIN was sent as SQL: then autocommit does not commit each statement."""
        self.unsure = False
        """Whether a failure may have ended the transaction that was begun by hand."""
        self.asked = False
        """Whether questions of our own were sent in this transaction: its snapshot is taken."""
        self.began_with: str | None = None
        """The savepoint that began the transaction: SQLite commits when it is released."""
        self.xid: object = None
        """The two-phase transaction in progress."""

    def __repr__(self) -> str:
        return f"<ConnectionState {self.touched!r} {self.snapshot!r}>"

    def means_the_same_as(self, other: ConnectionState, unless_known: KnownSchema | None) -> bool:
        """
        Return whether a statement means the same here as where *other* is the state.

        *unless_known*: the database that is assumed where a state does not know its own yet.
        """
        return (
            (self.schema or unless_known) is (other.schema or unless_known)
            and self.session.unknown == other.session.unknown
            and self.session.settings == other.session.settings
        )

    def asks(self) -> None:
        """
        A question of our own is about to be sent in whatever transaction is open.
        """
        self.asked = True
        if self.snapshot is not None:
            self.snapshot.taken = True

    def committed(self) -> None:
        """
        The transaction was committed, or may have been.
        """
        self.session.committed()
        self._end()

    def rolled_back(self) -> None:
        """
        The transaction was rolled back.
        """
        self.session.rolled_back()
        self._end()

    def _end(self) -> None:
        self.touched.clear()
        self.snapshot = None
        self.generated = None
        self.manual = False
        self.unsure = False
        self.asked = False
        self.began_with = None
        self.xid = None
        self.failed = False
