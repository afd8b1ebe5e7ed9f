"""
Who wants to know that another server has taken over, or the same one has begun anew?

Replication is asynchronous and a snapshot is old: whoever takes over may lack what was acknowledged
last. No old entry becomes valid by that (see `dialog.greet`), but what a server heard while others
already believed its successor is lost. Whoever has to say it again is told here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

__all__ = ["Reigns"]


class Reigns:
    """
    Who reigns where, as far as the connections of a store know: of threads and event loops alike.

    `met(place, generation)` is called with who reigns at a place, in the middle of the operation
    that found out: it may note that down and no more.
    """

    def __init__(self) -> None:
        self.current: defaultdict[str, bytes] = defaultdict(bytes)
        """The generation met last at each place."""
        self.met: Callable[[str, bytes], object] = lambda _place, _generation: None

    def meet(self, place: str, generation: bytes) -> None:
        """
        Hear who reigns at *place* now.
        """
        self.current[place] = generation
        self.met(place, generation)
