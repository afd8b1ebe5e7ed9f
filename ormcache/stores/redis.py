"""
How do Redis and Valkey keep entries and tokens?
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Self

from redis.exceptions import NoScriptError

from ormcache.errors import StoreError
from ormcache.model import Fetched, Intent, Scope, Token, TokenState, new_token
from ormcache.stores.address import read_address
from ormcache.stores.layout import Layout, lease_id, parse_token
from ormcache.stores.wire import Link, Wire

__all__ = ["RedisStore"]

_LUA = files("ormcache.stores") / "lua"
_PAGE = 1000
_LONGEST_TTL = 10**9


class _Script:
    """
    A script that the server runs as one step, sent once and then called by its digest.
    """

    def __init__(self, name: str) -> None:
        common, own = ((_LUA / f"{part}.lua").read_bytes() for part in ("leases", name))
        self._text = common + b"\n" + own
        # The digest is the server's name for the script, no matter of security.
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()

    def run(self, link: Link, keys: Sequence[bytes], *arguments: bytes | str | int) -> Any:
        try:
            return link.ask("EVALSHA", self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return link.ask("EVAL", self._text, len(keys), *keys, *arguments)


_TOKENS = _Script("tokens")
_ANNOUNCE = _Script("announce")
_SETTLE = _Script("settle")


class RedisStore:
    """
    A store in a single Redis (6 or later) or Valkey server.

    The user it connects as needs INFO, MGET, SET, GET, DEL, EVAL, EVALSHA, TIME; for `clear`, SCAN
    and UNLINK.
    """

    def __init__(self, wire: Wire, layout: Layout) -> None:
        self._wire = wire
        self._layout = layout

    @classmethod
    def from_url(cls, url: str, namespace: str, *, timeout: float = 0.05) -> Self:
        """
        Return the store at *url*, connecting when it is first used.

        Raises:
            ConfigurationError: The URL or the namespace is wrong.
        """
        return cls(Wire(read_address(url), timeout), Layout(namespace))

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Fetched:
        names = [self._layout.token(scope) for scope in scopes]
        entries = [] if key is None else [self._layout.entry(key)]
        if not entries and not names:
            return Fetched(None, ())

        def work(link: Link) -> Fetched:
            reply = _sized(link.ask("MGET", *entries, *names), len(entries) + len(names))
            entry = reply[0] if entries else None
            return Fetched(entry, _states(link, names, reply[len(entries) :]))

        return self._wire.run(work)

    def save(self, key: str, entry: bytes, ttl: float) -> None:
        if ttl <= 0:
            return
        milliseconds = max(1, int(min(ttl, _LONGEST_TTL) * 1000))
        self._ask("SET", self._layout.entry(key), entry, "PX", milliseconds)

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        milliseconds = max(1, int(lease_seconds * 1000))
        names = [self._layout.token(scope) for scope in intent.scopes]
        lease = lease_id(intent)
        self._wire.run(lambda link: _ANNOUNCE.run(link, names, new_token(), lease, milliseconds))

    def settle(self, intent: Intent) -> None:
        names = [self._layout.token(scope) for scope in intent.scopes]
        lease = lease_id(intent)
        self._wire.run(lambda link: _SETTLE.run(link, names, new_token(), lease))

    def clear(self) -> None:
        """
        Remove every entry and token of this namespace, and nothing else.

        It walks over all keys of the server's database, page by page: the timeout bounds each
        page, not the whole.

        An open intent loses its lease here. What is read meanwhile is kept under a token created
        after this, and the settle, which comes after the commit, replaces that one, too.
        """
        cursor: bytes | str = "0"
        while True:
            cursor, names = self._page(cursor)
            if names:
                self._ask("UNLINK", *names)
            if int(cursor) == 0:
                return

    def info(self) -> dict[str, str]:
        facts = self._wire.run(Link.facts)
        valkey = facts.get("valkey_version")
        policy = facts.get("maxmemory_policy", "unknown")
        told = {
            "server": facts.get("server_name", "valkey" if valkey else "redis"),
            "version": valkey or facts.get("redis_version", "unknown"),
            "eviction": policy,
            "used_bytes": facts.get("used_memory", "unknown"),
            "max_bytes": facts.get("maxmemory", "unknown"),
        }
        if policy.startswith("allkeys-"):
            told["problem"] = (
                f"maxmemory-policy is {policy}, so tokens may be evicted: entries die early and a "
                "writer's announcement can be lost; use volatile-lru or another volatile- policy"
            )
        return told

    def close(self) -> None:
        """
        Close the connections that are idle; another operation opens a new one.
        """
        self._wire.close()

    def _page(self, cursor: bytes | str) -> list[Any]:
        pattern = self._layout.pattern
        return _sized(self._ask("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE), 2)

    def _ask(self, *command: bytes | str | float) -> Any:
        return self._wire.run(lambda link: link.ask(*command))

    def __repr__(self) -> str:
        return f"<RedisStore {self._layout.namespace!r} over {self._wire!r}>"


def _states(link: Link, names: Sequence[bytes], found: Sequence[Any]) -> tuple[TokenState, ...]:
    """
    Return the state of every scope, asking the server once more about those that are not quiet.

    Some tokens are then newer than the entry that came with the first answer. That is sound: every
    token is read after the fetch began, so a commit that returned before it has already replaced
    its own; and a token is never given twice, so one that an entry carries and that is current now
    was current all the time between.
    """
    states = [_state(link, raw) for raw in found]
    unclear = [place for place, state in enumerate(states) if state is None or state.in_doubt]
    if unclear:
        answer = _TOKENS.run(link, [names[place] for place in unclear], new_token())
        for place, raw in zip(unclear, _sized(answer, len(unclear)), strict=True):
            states[place] = _state(link, raw)
    return tuple(_known(state) for state in states)


def _state(link: Link, raw: object) -> TokenState | None:
    held = parse_token(raw)
    if held is None:
        return None
    # The server's run is part of the token: see Link.generation.
    return TokenState(Token(b"%b.%b" % (held.token, link.generation)), held.leased)


def _known(state: TokenState | None) -> TokenState:
    if state is None:
        msg = "the server answered with something that is no token"
        raise StoreError(msg)
    return state


def _sized(reply: Any, size: int) -> list[Any]:
    if not isinstance(reply, list) or len(reply) != size:
        msg = f"expected {size} values from the server, got {type(reply).__name__}"
        raise StoreError(msg)
    return reply
