"""
Which commands are there?
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

try:
    import typer
except ModuleNotFoundError as exc:
    if exc.name != "typer":
        raise
    # The script is installed with every choice of extras.
    raise SystemExit("the command line needs: pip install 'ormcache[cli]'") from None

from .demo import demo

__all__ = ["app"]

app = typer.Typer(
    name="ormcache",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # A traceback with the values of all variables may show a password.
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ormcache {version('ormcache')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    _show: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    """
    A query-result cache inside SQLAlchemy: repeated reads come from Redis, a commit invalidates
    them at once.
    """


app.command()(demo)
