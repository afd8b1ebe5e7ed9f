"""
`python -m ormcache.testing.torture`: what does its user give it?
"""

from __future__ import annotations

import argparse
import random
import sys

from ormcache.errors import ConfigurationError
from ormcache.testing.servers import ServerUnavailable
from ormcache.testing.torture.faults import FAULTS
from ormcache.testing.torture.report import as_json, as_table
from ormcache.testing.torture.run import Options, torture

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """
    Return 0 where every promise was kept, 1 where one was broken, 2 where there was no torture,
    130 where it was interrupted.
    """
    given = _parser().parse_args(arguments)
    seed = given.seed if given.seed is not None else random.SystemRandom().getrandbits(32)
    options = Options(
        databases=tuple(given.database),
        store=given.store,
        seconds=given.seconds,
        seed=seed,
        readers=given.readers,
        writers=given.writers,
        faults=tuple(given.fault),
    )
    _say(f"seed {seed}")
    try:
        result = torture(options, _say)
    except (ConfigurationError, ServerUnavailable) as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("interrupted; everything that was started or made is gone again")
        return 130
    except ModuleNotFoundError as error:
        _say(f"{error}: what talks to the databases and to the store must be installed")
        return 2
    for story in result.stories:
        _say(story)
    print(as_json(result) if given.json else as_table(result))  # noqa: T201 - what was asked for
    return int(result.wrong)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the outcome alone is standard output


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ormcache.testing.torture",
        description="Break everything around the cache, and check every read.",
    )
    add = parser.add_argument
    add(
        *("--database", "-d"),
        action="append",
        default=[],
        help="URL of a PostgreSQL, MySQL, MariaDB or MongoDB database; may be given several times. "
        "Tables named ormcache_torture_* are made in it, and dropped. Default: servers of ours",
    )
    add(
        "--store", help="URL of a Redis or Valkey, which is not harmed itself. Default: one of ours"
    )
    add("--seconds", type=float, default=60.0, help="how long, about; default 60")
    add("--readers", type=int, default=2, help="reading processes for each database; default 2")
    add("--writers", type=int, default=2, help="writing processes for each database; default 2")
    add("--seed", type=int, help="repeats the choices of an earlier run")
    names = ", ".join(fault.name for fault in FAULTS)
    add("--fault", action="append", default=[], help=f"only this one; may be repeated: {names}")
    add("--json", action="store_true", help="the outcome for a program")
    return parser


if __name__ == "__main__":
    sys.exit(main())
