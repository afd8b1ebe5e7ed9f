"""
How is a server program installed on Debian and Ubuntu?
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.process import last

POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by packages whether they may start their service."""


def require_apt(title: str, packages: Sequence[Sequence[str]]) -> None:
    """
    Raises SourceFailed unless these packages could be installed here.
    """
    if not packages:
        raise SourceFailed(f"Debian and Ubuntu have no package of {title}")
    if not shutil.which("apt-get"):
        raise SourceFailed("not a Debian or Ubuntu system (there is no apt-get)")
    if os.geteuid() != 0:
        wanted = " ".join(packages[0])
        raise SourceFailed(f"not running as root; a system administrator can install {wanted}")


def install(title: str, choices: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """
    The names of the packages now installed: the first choice that the system has.

    Says what it does before it does it, and lets no package start a service.
    """
    problem = SourceFailed("nothing to install")
    for refresh in (False, True):
        # Lists that are absent or out of date look like packages that do not exist.
        if refresh:
            _apt("update")
        for packages in choices:
            if _known(packages):
                _announce(title, packages)
                try:
                    with _no_service():
                        _apt("install", "--yes", "--no-install-recommends", *packages)
                except SourceFailed as error:
                    problem = error
                else:
                    return tuple(packages)
            else:
                problem = SourceFailed(f"apt knows no package {' '.join(packages)}")
    raise problem


def _announce(title: str, packages: Sequence[str]) -> None:
    print(  # noqa: T201 - a change of the whole system must not pass in silence
        f"ormcache: no {title} server found; installing for the whole system with apt: "
        f"{' '.join(packages)}",
        file=sys.stderr,
        flush=True,
    )


def _known(packages: Sequence[str]) -> bool:
    """
    Whether apt could install these packages (it answers for a meta name without a version).
    """
    answer = subprocess.run(
        ["apt-cache", "policy", *packages],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    candidates = [line for line in answer.splitlines() if line.strip().startswith("Candidate:")]
    return len(candidates) == len(packages) and not any("(none)" in line for line in candidates)


def _apt(*arguments: str) -> None:
    done = subprocess.run(
        # Another installation may be under way; it is waited for, 120 seconds at most.
        ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=120", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SourceFailed(f"apt-get {arguments[0]} failed: {last(done.stdout)}")


@contextlib.contextmanager
def _no_service() -> Iterator[None]:
    """
    While it lasts, no package starts a service, unless the system has a policy of its own.
    """
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
