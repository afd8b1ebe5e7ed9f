"""
What does the policy file say?

A TOML file overrides policies without a deploy:

    [default]
    ttl = 60

    [tables.products]
    ttl = 30

    [tables."shop.audit_log"]
    enabled = false
"""

from __future__ import annotations

import logging
import os
import time
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from .errors import ConfigurationError
from .policy import Policy

__all__ = ["PolicyFile", "WatchedPolicyFile", "read_policy_file"]

log = logging.getLogger("ormcache")

_CHECK_SECONDS = 1.0


class PolicyFile(NamedTuple):
    """
    The content of a policy file.
    """

    default: Policy | None
    tables: dict[str, Policy]


def read_policy_file(path: str | Path) -> PolicyFile:
    """
    Return the policies in the file at *path*.

    Raises:
        ConfigurationError: The file is missing, not TOML, or says something unknown.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as exc:
        msg = f"the policy file {str(path)!r} cannot be read: {exc.strerror or exc}"
        raise ConfigurationError(msg) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        msg = f"the policy file {str(path)!r} is not valid TOML: {exc}"
        raise ConfigurationError(msg) from exc
    for section in content:
        if section not in ("default", "tables"):
            raise ConfigurationError.unknown(
                "section of the policy file", section, ("default", "tables")
            )
    default = _policy(path, "default", content["default"]) if "default" in content else None
    tables = _table(path, "tables", content.get("tables", {}))
    return PolicyFile(default, {name: _policy(path, name, said) for name, said in tables.items()})


class WatchedPolicyFile:
    """
    A policy file that may change while the application runs.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._looked = 0.0
        self._stamp: object = None

    def read(self) -> PolicyFile:
        """
        Return the policies in the file, or raise as `read_policy_file` does.
        """
        self._looked, self._stamp = time.monotonic(), self._stamp_now()
        return read_policy_file(self.path)

    def changed(self) -> PolicyFile | None:
        """
        Return the file's policies if it has changed; looks about once a second.

        A file that is being edited must not break a running application: what it held before
        stays in force, and a warning says so.
        """
        if time.monotonic() - self._looked < _CHECK_SECONDS:
            return None
        self._looked = time.monotonic()
        if self._stamp_now() == self._stamp:
            return None
        try:
            return self.read()
        except ConfigurationError as exc:
            log.warning("ormcache keeps the policies it has: %s", exc)
            return None

    def _stamp_now(self) -> object:
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - once a second on the read path
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _policy(path: str | Path, section: str, said: object) -> Policy:
    try:
        return Policy(**_table(path, section, said))
    except ConfigurationError as exc:
        msg = f"policy file {str(path)!r}, section {section!r}: {exc}"
        raise ConfigurationError(msg) from exc


def _table(path: str | Path, section: str, said: object) -> dict[str, Any]:
    if not isinstance(said, dict):
        msg = f"policy file {str(path)!r}: {section!r} must be a table of settings, got {said!r}"
        raise ConfigurationError(msg)
    return said
