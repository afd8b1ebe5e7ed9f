"""
Who wants to know that another server has taken over, or the same one has begun anew?

Replication is asynchronous and a snapshot is old: whoever takes over may lack what was acknowledged
last. No old entry becomes valid by that (see `dialog.greet`), but what a server heard while others
already believed its successor is lost. Whoever has to say it again is told here.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Reigns"]


class Reigns:
    """
    What the connections of a store report to, those of threads and of event loops alike.

    `met(place, generation)` is called with who reigns at a place, in the middle of the operation
    that found out: it may note that down and no more.
    """

    def __init__(self) -> None:
        self.met: Callable[[str, bytes], object] = lambda _place, _generation: None
