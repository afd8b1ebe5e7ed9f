"""
Another process of a MongoDB application: a real one, that does as it is told and can be killed.
"""

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tests.fixtures.mongo import MongoApp
from tests.integration.conformance.process import Worker
from tests.integration.conformance_mongo.steps import hook, name_of, rename


class MongoWorker(Worker):
    """
    `Worker` for MongoDB; with `transactions` its renames are.
    """

    @property
    def serve(self) -> Callable[..., None]:
        return _serve


def _serve(
    pipe: Connection, _clock: float, application: tuple[Any, ...], settings: dict[str, Any]
) -> None:
    (kind, url), store_url, namespace = application
    transactions = settings.pop("transactions", False)
    app = MongoApp(kind, url, store_url, namespace, **settings)
    change = _rename_in_a_transaction if transactions else rename
    while True:
        command, *arguments = pipe.recv()
        answer = None
        match command:
            case "name":
                answer = name_of(app)
            case "rename":
                change(app, *arguments)
            case "rename_and_die":
                _prepare_to_die(app, pipe, arguments[1])
                change(app, arguments[0])
        pipe.send((command, answer))


def _rename_in_a_transaction(app: MongoApp, name: str) -> None:
    with app.client.start_session() as session:
        session.start_transaction()
        rename(app, name, session=session)
        session.commit_transaction()


def _prepare_to_die(app: MongoApp, pipe: Connection, moment: str) -> None:
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
