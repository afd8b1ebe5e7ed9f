"""
What time is it, when a test decides?
"""

from __future__ import annotations

__all__ = ["MovableClock"]


class MovableClock:
    """
    A clock that stands still until it is moved; pass it wherever a `Clock` is taken.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """
        Return the seconds it was set to.
        """
        return self.now

    def advance(self, seconds: float) -> None:
        """
        Move forward by *seconds*.
        """
        self.now += seconds

    def __repr__(self) -> str:
        return f"<MovableClock at {self.now}>"
