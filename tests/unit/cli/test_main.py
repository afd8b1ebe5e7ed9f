"""
The command line as far as it needs no server.
"""

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from ormcache.cli.main import app


def run(*arguments: str):
    return CliRunner().invoke(app, arguments)


def test_version():
    result = run("--version")

    assert (result.exit_code, result.output) == (0, f"ormcache {version('ormcache')}\n")


def test_help_lists_the_commands():
    assert "demo" in run("--help").output
    assert "--database-url" in run("demo", "--help").output


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    result = run("demo")

    assert result.exit_code == 1
    assert result.stderr == "Error: the demo needs matplotlib: pip install 'ormcache[demo]'\n"


def test_mongodb_needs_an_extra_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "pymongo", None)

    result = run("demo", "--mongo")

    assert result.exit_code == 1
    assert result.stderr == "Error: the demo needs pymongo: pip install 'ormcache[demo-mongo]'\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--database-url", "mysql://u:secret@host/d"], "the demo needs PostgreSQL"),
        (["--database-url", "u:secret@host"], "--database-url is not a URL"),
        (["--mongo", "--database-url", "postgresql://u:secret@host/d"], "looks like mongodb://"),
        (["--mongo", "--database-url", "mongodb://u:sec:ret@host"], "not a URL that PyMongo takes"),
        (["--picture", "no-such-folder/demo.png"], "there is no folder"),
    ],
)
def test_a_wrong_option_is_explained_without_secrets(arguments, message):
    result = run("demo", *arguments)

    assert result.exit_code == 1
    assert message in result.stderr
    assert "secret" not in result.output
    assert "Traceback" not in result.output


def test_help_loads_no_heavy_library():
    heavy = "sqlalchemy matplotlib pandas numpy psycopg pymongo redis".split()
    code = f"import sys, ormcache.cli.main; print([m for m in {heavy} if m in sys.modules])"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == "[]\n"
