"""
Rules about the code itself that no linter of ours knows.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ormcache

PACKAGE = Path(ormcache.__file__).parent
CORE = sorted(PACKAGE.glob("*.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))
# What runs inside an application; servers for tests and the demo are started by one process.
LOCKING = [
    path
    for path in MODULES
    if path.relative_to(PACKAGE).parts[0] not in {"demo", "testing"}
    and re.search(r"\b(Lock|Condition|Event|Semaphore)\(", path.read_text())
]


FOREIGN = ("sqlalchemy", "redis", "msgspec", "sqlglot", "typer", "pytest", "cryptography")


def test_importing_the_package_imports_nothing_foreign():
    program = f"import sys, ormcache; print([m for m in {FOREIGN} if m in sys.modules])"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_exist_and_are_documented():
    for name in ormcache.__all__:
        assert (getattr(ormcache, name).__doc__ or "").strip(), name


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_can_execute_what_it_reads(path: Path):
    tree = ast.parse(path.read_text())
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    called = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert not imported & {"pickle", "marshal", "shelve", "dill"}
    assert not called & {"eval", "exec", "compile"}


@pytest.mark.parametrize("path", CORE, ids=lambda p: p.name)
def test_the_core_owns_no_thread_and_does_not_sleep(path: Path):
    imported = {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"threading", "asyncio", "socket", "random"}


@pytest.mark.parametrize("path", LOCKING, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_lock_stays_locked_in_a_forked_child(path: Path):
    text = path.read_text()
    assert "begin_anew" in text or "renew_lock" in text


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_applications_own_generator_of_chance_is_left_alone(path: Path):
    # It may have been seeded; and a thread of ours would draw from it at any moment.
    drawn = re.findall(r"\brandom\.(\w+)\(", path.read_text())
    assert set(drawn) <= {"Random", "SystemRandom"}
