"""
What is said to a Redis or Valkey server, and what do its answers mean?

Every operation of the store is a *dialog*: a generator that yields commands and is sent the
answers, or has thrown in what the server refused. It neither waits nor knows who carries the
commands; `wire` does so for threads, `async_wire` for event loops.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeVar

from redis.exceptions import NoScriptError

from ormcache.errors import StoreError
from ormcache.model import Fetched, Intent, Scope, Token, TokenState, is_slice, new_token
from ormcache.stores.layout import Layout, lease_id, parse_token

__all__ = ["Command", "Dialog", "Talk", "Vocabulary", "facts", "greet"]

log = logging.getLogger("ormcache")

_T = TypeVar("_T")

Command = tuple[bytes | str | float, ...]
"""
A command and its arguments.
"""

Talk = Generator[Command, Any, _T]
"""
A dialog in progress.
"""

Dialog = Callable[[bytes], Talk[_T]]
"""
Begins a dialog over a connection to the run of the server that goes by the *generation* given.
"""

_LUA = files("ormcache.stores") / "lua"
_PAGE = 1000
_LONGEST_TTL = 10**9
_GENERATION = 12
_SLICE_KEPT = 24 * 3600 * 1000
"""How long the token of a slice is kept after it was made, in milliseconds."""


class _Script:
    """
    A script that the server runs as one step, sent once and then called by its digest.
    """

    def __init__(self, name: str) -> None:
        common, own = ((_LUA / f"{part}.lua").read_bytes() for part in ("leases", name))
        self._text = common + b"\n" + own
        # The digest is the server's name for the script, no matter of security.
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()

    def run(self, keys: Sequence[bytes], *arguments: bytes | str | int) -> Talk[Any]:
        try:
            return (yield ("EVALSHA", self._digest, len(keys), *keys, *arguments))
        except NoScriptError:
            return (yield ("EVAL", self._text, len(keys), *keys, *arguments))


_TOKENS = _Script("tokens")
_ANNOUNCE = _Script("announce")
_SETTLE = _Script("settle")


class Vocabulary:
    """
    The dialogs of a store's operations over the keys of one namespace.

    An invalidation has failed unless so many *replicas* have it within half of *timeout*.
    """

    def __init__(self, layout: Layout, replicas: int = 0, timeout: float = 0.0) -> None:
        self._layout = layout
        self._replicas = replicas
        self._patience = max(1, int(timeout * 500))

    def fetch(self, key: str | None, scopes: Sequence[Scope]) -> Dialog[Fetched]:
        """
        Return the dialog of `Store.fetch`; something must be asked for.
        """
        names = [self._layout.token(scope) for scope in scopes]
        kinds = _kinds(scopes)
        entries = [] if key is None else [self._layout.entry(key)]

        def dialog(generation: bytes) -> Talk[Fetched]:
            answer = yield ("MGET", *entries, *names)
            reply = _sized(answer, len(entries) + len(names))
            states = yield from _states(generation, names, kinds, reply[len(entries) :])
            return Fetched(reply[0] if entries else None, states)

        return dialog

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool) -> Dialog[bool]:
        """
        Return the dialog of `Store.save`.
        """
        milliseconds = max(1, int(min(ttl, _LONGEST_TTL) * 1000))
        name = self._layout.entry(key)

        def dialog(_: bytes) -> Talk[bool]:
            condition = ("NX",) if absent else ()
            answer = yield ("SET", name, entry, "PX", milliseconds, *condition)
            return answer is not None

        return dialog

    def announce(self, intent: Intent, lease_seconds: float) -> Dialog[None]:
        """
        Return the dialog of `Store.announce`.
        """
        names = [self._layout.token(scope) for scope in intent.scopes]
        milliseconds = max(1, int(lease_seconds * 1000))
        return lambda _: self._replicated(
            _ANNOUNCE.run(names, new_token(), lease_id(intent), milliseconds)
        )

    def settle(self, intent: Intent) -> Dialog[None]:
        """
        Return the dialog of `Store.settle`.
        """
        names = [self._layout.token(scope) for scope in intent.scopes]
        kinds = _kinds(intent.scopes)
        return lambda _: self._replicated(
            _SETTLE.run(names, new_token(), lease_id(intent), kinds, _SLICE_KEPT)
        )

    def _replicated(self, invalidation: Talk[Any]) -> Talk[None]:
        yield from invalidation
        if self._replicas:
            have = yield ("WAIT", self._replicas, self._patience)
            if have < self._replicas:
                msg = f"{have} of {self._replicas} replicas have the invalidation in time"
                raise StoreError(msg)

    def page(self, cursor: bytes | str) -> Dialog[tuple[bytes | str, list[bytes]]]:
        """
        Return the dialog that brings the next cursor and some keys of this namespace.
        """

        def dialog(_: bytes) -> Talk[tuple[bytes | str, list[bytes]]]:
            pattern = self._layout.pattern
            answer = yield ("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
            following, names = _sized(answer, 2)
            return following, names

        return dialog

    def remove(self, names: Sequence[bytes]) -> Dialog[None]:
        """
        Return the dialog that removes keys.
        """
        return _said("UNLINK", *names)

    def info(self) -> Dialog[dict[str, str]]:
        """
        Return the dialog of `Store.info`.
        """
        return _info


def _kinds(scopes: Sequence[Scope]) -> str:
    """
    Return which scopes are slices, one letter for each.
    """
    return "".join("s" if is_slice(scope) else "t" for scope in scopes)


def greet(*, clustered: bool = False) -> Talk[bytes]:
    """
    Return the generation of the server's reign, or raise `StoreError` where it cannot be used.

    A server that restarts, or a replica that takes over, may come back with tokens as they were
    some time ago, together with the entries that matched them. So each reign has tokens of its own:
    a reign is a run of a server, and ends when another is promoted in its place. What the server
    had acknowledged and then lost makes no old entry valid: the entry belongs to the reign before.
    """
    told = yield from facts()
    if not told.get("run_id"):
        msg = "the server does not tell its run_id, so its restarts could go unnoticed"
        raise StoreError(msg)
    if told.get("role", "master") != "master":
        msg = "the server is a replica, which lags behind; name the primary in the URL"
        raise StoreError(msg)
    if (told.get("cluster_enabled", "0") != "0") != clustered:
        msg = (
            "the server is no node of a cluster: its URL begins with redis://"
            if clustered
            else "the server is a node of a cluster: its URL begins with redis+cluster://"
        )
        raise StoreError(msg)
    if problem := _problem(told.get("maxmemory_policy", "")):
        _warn(problem, told["run_id"])
    # The run alone is not enough: who was demoted and is promoted again is still the same run.
    reign = told["run_id"] + told.get("master_replid", "")
    return hashlib.blake2b(reign.encode(), digest_size=_GENERATION // 2).hexdigest().encode()


def facts() -> Talk[dict[str, str]]:
    """
    Return what the server says about itself now.
    """
    answer = yield ("INFO",)
    lines = bytes(answer).decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name: value for name, separator, value in pairs if separator}


def _said(*command: bytes | str | float) -> Dialog[None]:
    def dialog(_: bytes) -> Talk[None]:
        yield command

    return dialog


def _info(_: bytes) -> Talk[dict[str, str]]:
    told = yield from facts()
    valkey = told.get("valkey_version")
    policy = told.get("maxmemory_policy", "unknown")
    shown = {
        "server": told.get("server_name", "valkey" if valkey else "redis"),
        "version": valkey or told.get("redis_version", "unknown"),
        "eviction": policy,
        "used_bytes": told.get("used_memory", "unknown"),
        "max_bytes": told.get("maxmemory", "unknown"),
    }
    if problem := _problem(policy):
        shown["problem"] = problem
    return shown


def _problem(policy: str) -> str | None:
    if not policy.startswith("allkeys-"):
        return None
    return (
        f"maxmemory-policy is {policy}, so tokens may be evicted: entries die early and a "
        "writer's announcement can be lost; use volatile-lru or another volatile- policy"
    )


@lru_cache(64)
def _warn(problem: str, run: str) -> None:
    """
    Warn of *problem*, once in each process for each run of a server.
    """
    log.warning("ormcache: %s (run_id %s)", problem, run[:_GENERATION])


def _states(
    generation: bytes, names: Sequence[bytes], kinds: str, found: Sequence[Any]
) -> Talk[tuple[TokenState, ...]]:
    """
    Return the state of every scope, asking the server once more about those that are not quiet.

    Some tokens are then newer than the entry that came with the first answer. That is sound: every
    token is read after the fetch began, so a commit that returned before it has already replaced
    its own; and a token is never given twice, so one that an entry carries and that is current now
    was current all the time between.
    """
    states = [_state(generation, raw) for raw in found]
    unclear = [place for place, state in enumerate(states) if state is None or state.in_doubt]
    if unclear:
        asked = [names[place] for place in unclear]
        theirs = "".join(kinds[place] for place in unclear)
        answer = yield from _TOKENS.run(asked, new_token(), theirs, _SLICE_KEPT)
        for place, raw in zip(unclear, _sized(answer, len(unclear)), strict=True):
            states[place] = _state(generation, raw)
    return tuple([_known(state) for state in states])


def _state(generation: bytes, raw: object) -> TokenState | None:
    held = parse_token(raw)
    if held is None:
        return None
    # The server's reign is part of the token: see `greet`.
    return TokenState(Token(b"%b.%b" % (held.token, generation)), held.leased)


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
