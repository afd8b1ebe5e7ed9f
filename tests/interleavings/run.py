"""
`make explore`: every configuration, to its last state.
"""

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from time import perf_counter
from typing import NamedTuple

from tests.interleavings.configurations import Configuration, complete
from tests.interleavings.explore import explore
from tests.interleavings.stories import story

_HEAD = ("configuration", "states", "steps", "hits", "violations", "seconds")
_LINE = "{:<84} {:>9} {:>9} {:>7} {:>10} {:>8}"


class Found(NamedTuple):
    """
    What the exploration of one configuration, or a part of it, came to.
    """

    states: int = 0
    steps: int = 0
    served: int = 0
    stories: tuple[str, ...] = ()
    seconds: float = 0.0

    def __add__(self, other: "Found") -> "Found":  # type: ignore[override]  # not a concatenation
        return Found(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def explored(configuration: int, part: int) -> Found:
    """
    Explore one setting of one configuration, told by their numbers: programs cannot be pickled.
    """
    setting = complete()[configuration].settings[part]
    found = explore(setting)
    told = (story(setting, found.moves),) if found.violation else ()
    return Found(found.states, found.steps, found.served, told, found.seconds)


def main(workers: int = 2) -> int:
    """
    Explore everything and print the table; the exit status is 1 where a promise was broken.
    """
    begin = perf_counter()
    total = Found()
    _out(_LINE.format(*_HEAD))
    with ProcessPoolExecutor(workers) as pool:
        waiting = {
            pool.submit(explored, number, part): configuration
            for number, configuration in enumerate(complete())
            for part in range(len(configuration.settings))
        }
        found: dict[Configuration, list[Found]] = {each: [] for each in waiting.values()}
        for future in as_completed(waiting):
            configuration = waiting[future]
            parts = found[configuration]
            parts.append(future.result())
            if len(parts) == len(configuration.settings):
                of_all = sum(parts[1:], parts[0])
                total += of_all
                _print(str(configuration), of_all)
    _print(f"together, in {perf_counter() - begin:.0f} seconds", total)
    return 1 if total.stories else 0


def _print(name: str, found: Found) -> None:
    states, steps, served, stories, seconds = found
    _out(_LINE.format(name, states, steps, served, len(stories), f"{seconds:.1f}"))
    for told in stories:
        _out(told)


def _out(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the table is what this is run for


if __name__ == "__main__":
    sys.exit(main())
