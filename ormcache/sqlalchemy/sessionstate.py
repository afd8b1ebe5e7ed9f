"""
What has this connection been told that changes what the same SQL means?

`SET search_path`, `SET ROLE`, `set_config('app.tenant_id', …)`: a setting whose name and value are
known can become part of the fingerprint, if the policy's `vary` names it. Whatever cannot be
followed exactly makes the connection *unknown*, and an unknown connection is not cached.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

__all__ = ["Local", "SessionState"]

_SET = re.compile(
    r"""\s*SET\s+(?:(?P<extent>LOCAL|SESSION)\s+)?(?P<name>[\w.@"`]+)\s*(?:=|\bTO\b)\s*(?P<value>.+?)\s*;?\s*$""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_SET_ROLE = re.compile(
    r"\s*SET\s+(?:(LOCAL|SESSION)\s+)?ROLE\s+(?P<value>[\w\"']+)\s*;?\s*$", re.IGNORECASE
)
# In each driver's spelling, with the cast that SQLAlchemy renders for some drivers.
_BOUND = r"(?:%\(\w+\)s|%s|\$\d+)(?:::\w+)?"
_INTERPOLATED = re.compile(r"%(\(\w+\))?s")
_SET_CONFIG = re.compile(
    rf"""\s*SELECT\s+(?:pg_catalog\.)?set_config\s*\(\s*
        (?P<name>'[^']+'|{_BOUND})\s*,\s*
        (?P<value>'[^']*'|{_BOUND})\s*,\s*
        (?P<local>true|false|{_BOUND})\s*\)
        (?:\s+AS\s+\w+)?\s*;?\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_OF_TRANSACTION = re.compile(
    r"\s*(SET\s+(LOCAL\s+)?TRANSACTION|BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE
)
_SEVERAL = re.compile(r",\s*[\w.@]+\s*:?=")
_SHOWN = frozenset("ALL DATABASE LOCAL ROLE SESSION TABLE TEMP TEMPORARY TRANSACTION".split())
_PLACEHOLDER = re.compile(r"%\((?P<name>\w+)\)s|%(?P<next>s)|\$(?P<number>\d+)")


class Local(Enum):
    """
    How long a setting holds that is said to be LOCAL.
    """

    TRANSACTION = "until the transaction ends"
    SESSION = "as long as any other: to MySQL it is another word for SESSION"
    NOTHING = "not at all, as there is no transaction"


class SessionState:
    """
    The settings that one physical connection has been given since it was opened.
    """

    __slots__ = ("_local", "_pending", "_session", "_unknown", "_unknown_until_end")

    def __init__(self) -> None:
        self._session: dict[str, str] = {}
        self._local: dict[str, str] = {}
        self._pending = False
        self._unknown: str | None = None
        self._unknown_until_end: str | None = None

    @property
    def unknown(self) -> str | None:
        """
        What was said that cannot be followed, or None.
        """
        return self._unknown or self._unknown_until_end

    @property
    def settings(self) -> dict[str, str]:
        """
        The settings in force, by lower-case name.
        """
        return {**self._session, **self._local} if self._local else self._session

    @property
    def lasts(self) -> bool:
        """
        Whether anything was said that outlives the transaction, and so goes back to the pool.
        """
        return bool(self._session or self._unknown)

    def said(self, sql: str, parameters: Any, meaning: Local = Local.TRANSACTION) -> None:
        """
        A statement that changes the session is about to be sent; *meaning*: that of LOCAL in it.
        """
        of_transaction = _OF_TRANSACTION.match(sql)
        if of_transaction and not (of_transaction[2] and meaning is Local.SESSION):
            self._unknown_until_end = _first_words(sql)
            return
        setting = _parse(sql, parameters)
        if setting is None:
            self._unknown = self._unknown or _first_words(sql)
            return
        name, value, local = setting
        if not local or meaning is Local.SESSION:
            self._session[name] = value
            self._local.pop(name, None)  # the later one is in force, whatever its extent
            self._pending = True
        elif meaning is Local.TRANSACTION:
            self._local[name] = value

    def committed(self) -> None:
        """
        The transaction was committed.
        """
        self._end()

    def rolled_back(self) -> None:
        """
        The transaction was rolled back, and with it perhaps what it had set for the session.
        """
        if self._pending:
            self._unknown = self._unknown or "a SET that was rolled back"
        self._end()

    def rolled_back_to_savepoint(self) -> None:
        """
        A savepoint was rolled back, and with it perhaps a setting made since.
        """
        if self._pending or self._local:
            self._unknown_until_end = "a SET that was rolled back"
            if self._pending:
                self._unknown = self._unknown_until_end

    def _end(self) -> None:
        if self._local or self._pending or self._unknown_until_end:
            self._local = {}
            self._pending = False
            self._unknown_until_end = None


def _parse(sql: str, parameters: Any) -> tuple[str, str, bool] | None:
    if found := _SET_ROLE.match(sql):
        return "role", found["value"], (found[1] or "").upper() == "LOCAL"
    if found := _SET.match(sql):
        name, value = found["name"], found["value"]
        if _INTERPOLATED.search(value) or _SEVERAL.search(value):
            return None
        return name.strip('"`').lower(), value, (found["extent"] or "").upper() == "LOCAL"
    if found := _SET_CONFIG.match(sql):
        given = [_argument(found, key, parameters) for key in ("name", "value", "local")]
        if any(value is None for value in given):
            return None
        return str(given[0]).lower(), str(given[1]), str(given[2]).lower() == "true"
    return None


def _argument(call: re.Match[str], key: str, parameters: Any) -> str | None:
    text = call[key]
    if text.startswith("'"):
        return text[1:-1]
    if not (bound := _PLACEHOLDER.match(text)):
        return text
    place: Any = bound["name"]
    if bound["number"]:
        place = int(bound["number"]) - 1
    elif bound["next"]:
        place = call.string[: call.start(key)].count("%s")
    try:
        return str(parameters[place])
    except (TypeError, LookupError):
        return None


def _first_words(sql: str) -> str:
    # Keywords only: what follows them may be a value.
    words = [word.upper() for word in re.findall(r"[A-Za-z_]+", sql)[:3]]
    return " ".join(word for at, word in enumerate(words) if at == 0 or word in _SHOWN)
