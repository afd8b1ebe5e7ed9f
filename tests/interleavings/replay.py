"""
What does a program ask for next, having been answered so?

A generator cannot be copied. But it is deterministic: sent the same answers, it is at the same
place. So its place is kept as the answers, and the generator is built again from them, once for
each sequence of answers that the whole exploration meets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ormcache import model
from tests.interleavings.markers import Got
from tests.interleavings.programs import Path, Program, rows_of
from tests.interleavings.states import Failed, Loaded

__all__ = ["ENDED", "Names", "Places", "Raised"]


class Names:
    """
    Stands in for `secrets` in `ormcache.model`, so that tokens and leases have short names.
    """

    def __init__(self) -> None:
        self.prefix = ""
        self.count = 0

    def token_urlsafe(self, _size: int) -> str:
        """
        Return a name that was not used since the prefix was last set.
        """
        self.count += 1
        return f"{self.prefix}{self.count}"

    def begin(self, prefix: str) -> None:
        """
        Count from 1 again.
        """
        self.prefix, self.count = prefix, 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """
        Within the block, tokens and leases are named by this.
        """
        secrets, model.secrets = model.secrets, self
        try:
            yield
        finally:
            model.secrets = secrets


class Raised(NamedTuple):
    """
    A program ended by raising: the cache has broken it.
    """

    error: str


ENDED = None


class Places:
    """
    The places that programs have been seen at.
    """

    def __init__(self, programs: list[Program], names: Names) -> None:
        self._programs = programs
        self._names = names
        self._known: dict[tuple[int, int, tuple[Any, ...]], tuple[Any, int]] = {}

    def length(self, program: int) -> int:
        """
        Return how many transactions a program has.
        """
        return len(self._programs[program].transactions)

    def pending(self, program: int, stage: int, answers: tuple[Any, ...]) -> Any:
        """
        Return the effect that is asked for after *answers*, or `ENDED`, or `Raised`.
        """
        return self._place(program, stage, answers)[0]

    def reads_left(self, program: int, stage: int, answers: tuple[Any, ...]) -> bool:
        """
        Return whether a read is still to be answered.
        """
        here, *later = [each.reads for each in self._programs[program].transactions[stage:]]
        return any(later) or self._place(program, stage, answers)[1] < here

    def drop(self, program: int, stage: int, answers: tuple[Any, ...]) -> None:
        """
        Drop a generator as the death of its process does; it must not ask for anything more.
        """
        path = self._programs[program].transactions[stage]()
        self._lead(path, answers)
        path.close()

    def _place(self, program: int, stage: int, answers: tuple[Any, ...]) -> tuple[Any, int]:
        place = program, stage, answers
        try:
            return self._known[place]
        except KeyError:
            path = self._programs[program].transactions[stage]()
            found = self._known[place] = self._lead(path, answers)
            return found

    def _lead(self, path: Path, answers: tuple[Any, ...]) -> tuple[Any, int]:
        """
        Return what *path* asks for after *answers*, and how many reads have returned by then.
        """
        self._names.begin("lease")
        returned = 0
        try:
            effect = next(path)
            for answer in answers:
                returned += isinstance(effect, Got)
                failed = isinstance(answer, Failed)
                effect = path.throw(answer.error()) if failed else path.send(_fresh(answer))
        except StopIteration:
            return ENDED, returned
        except Exception as exc:  # noqa: BLE001 - whatever it is, it broke the program
            return Raised(repr(exc)), returned
        return effect, returned


def _fresh(answer: Any) -> Any:
    return rows_of(answer.rows) if isinstance(answer, Loaded) else answer
