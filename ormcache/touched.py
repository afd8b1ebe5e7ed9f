"""
What has this transaction changed?

Scopes are kept per savepoint, because ROLLBACK TO SAVEPOINT undoes what came after it and nothing
else, and RELEASE publishes nothing: only the root transaction's commit does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import bulk_scope, is_slice, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Scope

__all__ = ["TouchedScopes"]

_MOST_SLICES = 1000


class TouchedScopes:
    """
    The scopes that one transaction has touched, with its open savepoints.
    """

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: list[tuple[str | None, set[Scope]]] = [(None, set())]

    def __repr__(self) -> str:
        names = [name for name, _ in self._frames[1:]]
        return f"<TouchedScopes {sorted(self.all())}, savepoints={names}>"

    def __bool__(self) -> bool:
        return any(scopes for _, scopes in self._frames)

    def touch(self, scopes: Iterable[Scope]) -> None:
        """
        Note a change, before the statement that makes it is sent: it may fail half done.
        """
        frame = self._frames[-1][1]
        frame.update(scopes)
        if len(frame) > _MOST_SLICES:
            _coarsen(frame)

    def has(self, scope: Scope) -> bool:
        """
        Return whether *scope* was touched since the innermost savepoint.
        """
        return scope in self._frames[-1][1]

    def refine(self, scope: Scope, narrower: Iterable[Scope]) -> None:
        """
        What was touched as *scope*, since the innermost savepoint, turned out to be *narrower*.
        """
        self._frames[-1][1].discard(scope)
        self.touch(narrower)

    def all(self) -> frozenset[Scope]:
        """
        Return everything touched and not undone.
        """
        touched: set[Scope] = set().union(*(scopes for _, scopes in self._frames))
        if len(touched) > _MOST_SLICES:
            _coarsen(touched)
        return frozenset(touched)

    def overlaps(self, scopes: Iterable[Scope]) -> bool:
        """
        Return whether any of *scopes* was touched.
        """
        wanted = set(scopes)
        return any(not wanted.isdisjoint(touched) for _, touched in self._frames)

    def savepoint(self, name: str) -> None:
        """
        A savepoint was set; a name may repeat and then hides the earlier one.
        """
        self._frames.append((name, set()))

    def release(self, name: str) -> None:
        """
        A savepoint was released: what it covered belongs to its parent now.
        """
        position = self._find(name)
        if position is None:
            return
        for _, scopes in self._frames[position:]:
            self._frames[position - 1][1].update(scopes)
        del self._frames[position:]

    def rollback_to(self, name: str) -> None:
        """
        What was touched since the savepoint is undone; the savepoint itself stays.
        """
        position = self._find(name)
        if position is None:
            return
        self._frames[position][1].clear()
        del self._frames[position + 1 :]

    def clear(self) -> None:
        """
        The transaction ended.
        """
        self._frames = [(None, set())]

    def _find(self, name: str) -> int | None:
        for position in range(len(self._frames) - 1, 0, -1):
            if self._frames[position][0] == name:
                return position
        return None


def _coarsen(scopes: set[Scope]) -> None:
    """
    Replace slices by the scope that ends every slice of their table.
    """
    slices = set(filter(is_slice, scopes))
    scopes -= slices
    scopes |= {bulk_scope(table_of(each)) for each in slices}
