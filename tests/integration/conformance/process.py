"""
Another process of the application: a real one, that does as it is told and can be killed.
"""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tests.fixtures.ways import Way

PATIENCE = 60
Where = tuple[str, str, None, Way]
"""What a `Database` is made of, without its server."""


class Worker:
    """
    A process with an application of its own over the same database and namespace.

    *clock_behind*: seconds by which its host's clock is late.
    """

    def __init__(
        self,
        database: Where,
        store_url: str,
        namespace: str,
        *,
        clock_behind: float = 0,
        **settings: Any,
    ) -> None:
        application = (database, store_url, namespace)
        # A fork of a process that has done nothing but import what takes long, and nothing of ours:
        # that of a test is full of threads and connections.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["pytest", "redis.asyncio", "sqlalchemy.orm", "sqlglot"])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=self.serve, args=(theirs, clock_behind, application, settings), daemon=True
        )
        self._process.start()
        theirs.close()
        self._ask("ready")

    @property
    def serve(self) -> Callable[..., None]:
        """
        What the process does.
        """
        return _serve

    def name(self) -> str | None:
        """
        The product's name, as that process sees it.
        """
        return self._ask("name")

    def rename(self, name: str) -> None:
        """
        Have it rename the product and commit; returns when its `commit()` has.
        """
        self._ask("rename", name)

    def rename_and_die(self, name: str, moment: str, meanwhile: Callable[[], object] = int) -> None:
        """
        Have it rename the product and be killed at a moment of that commit.

        It waits after its announcement for *meanwhile* to be done here.
        """
        self._pipe.send(("rename_and_die", name, moment))
        self._answer("announced")
        meanwhile()
        self._pipe.send("go on")
        self._process.join(PATIENCE)
        assert self._process.exitcode == -signal.SIGKILL

    def collapse(self, seconds: float) -> None:
        """
        Have its reads collapse with those of other processes.
        """
        self._ask("collapse", seconds)

    def die_while_loading(self) -> None:
        """
        Have it read the product's name, and be killed when the database has answered.
        """
        self._pipe.send(("die_while_loading",))
        self._process.join(PATIENCE)
        assert self._process.exitcode == -signal.SIGKILL

    def close(self) -> None:
        self._process.kill()
        self._process.join(PATIENCE)
        self._process.close()
        self._pipe.close()

    def _ask(self, *command: object) -> Any:
        self._pipe.send(command)
        return self._answer(command[0])

    def _answer(self, wanted: str) -> Any:
        assert self._pipe.poll(PATIENCE), f"the process did not answer {wanted!r}"
        heard, answer = self._pipe.recv()
        assert heard == wanted
        return answer


def _serve(
    pipe: Connection, clock_behind: float, application: tuple[Any, ...], settings: dict[str, Any]
) -> None:
    if clock_behind:
        _set_clock_back(clock_behind)
    # Not before: whoever takes a function out of `time` is to get the late one.
    from sqlalchemy import util

    from tests.fixtures.apps import App, Database

    database, store_url, namespace = application
    app = App(Database(*database), store_url, namespace, **settings)
    if app.is_async:
        asyncio.run(util.greenlet_spawn(_obey, app, pipe))
    else:
        _obey(app, pipe)


def _obey(app: Any, pipe: Connection) -> None:
    while True:
        command, *arguments = pipe.recv()
        pipe.send((command, _COMMANDS[command](app, pipe, *arguments)))


def _set_clock_back(seconds: float) -> None:
    for name in ("time", "monotonic"):
        for suffix, unit in (("", 1), ("_ns", 10**9)):
            right = getattr(time, name + suffix)
            setattr(time, name + suffix, lambda right=right, unit=unit: right() - seconds * unit)


def _name(app: Any, _pipe: Connection) -> str | None:
    from tests.integration.conformance.steps import name_of

    return name_of(app)


def _rename(app: Any, _pipe: Connection, name: str) -> None:
    from tests.integration.conformance.steps import rename

    rename(app, name)


def _collapse(app: Any, _pipe: Connection, seconds: float) -> None:
    app.cache.policy("products", ttl=300, collapse=seconds, across_processes=True)


def _die_while_loading(app: Any, pipe: Connection) -> None:
    from sqlalchemy import event

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    event.listen(app.engine, "after_cursor_execute", die)
    _name(app, pipe)


def _rename_and_die(app: Any, pipe: Connection, name: str, moment: str) -> None:
    from tests.integration.conformance.gaps import hook

    def wait() -> None:
        pipe.send(("announced", None))
        pipe.recv()
        if moment == "after announce":
            die()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    hook(app).at("after announce", wait)
    if moment != "after announce":
        hook(app).at(moment, die)
    _rename(app, pipe, name)


_COMMANDS: dict[str, Callable[..., Any]] = {
    "ready": lambda _app, _pipe: None,
    "name": _name,
    "rename": _rename,
    "rename_and_die": _rename_and_die,
    "collapse": _collapse,
    "die_while_loading": _die_while_loading,
}
