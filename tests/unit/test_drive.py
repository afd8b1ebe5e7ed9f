"""
Are effects carried out where they belong, in order, with every error thrown back in?
"""

from collections.abc import Generator
from typing import Any

import pytest

from ormcache.drive import Performer, run
from ormcache.effects import Announce, Apply, Claim, Effect, Fetch, Load, Save, Settle
from ormcache.errors import StoreError
from ormcache.model import Fetched, Intent, Scope, Token, TokenState

A = Scope("db/a")
INTENT = Intent("lease", (A,))
FETCHED = Fetched(b"entry", (TokenState(Token(b"t"), in_doubt=False),))


class NotingStore:
    """
    Notes what it is asked; `fetch` fails where told to.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.fails = False

    def fetch(self, key: str | None, scopes: tuple[Scope, ...]) -> Fetched:
        self.asked.append(("fetch", key, scopes))
        if self.fails:
            raise StoreError("down")
        return FETCHED

    def save(self, key: str, entry: bytes, ttl: float, *, absent: bool = False) -> bool:
        self.asked.append(("claim" if absent else "save", key, entry, ttl))
        return True

    def announce(self, intent: Intent, lease_seconds: float) -> None:
        self.asked.append(("announce", intent, lease_seconds))

    def settle(self, intent: Intent) -> None:
        self.asked.append(("settle", intent))


@pytest.mark.parametrize(
    ("effect", "asked", "answer"),
    [
        (Fetch("f", (A,)), ("fetch", "f", (A,)), FETCHED),
        (Fetch(None, (A,)), ("fetch", None, (A,)), FETCHED),
        (Save("f", b"entry", 3.0), ("save", "f", b"entry", 3.0), None),
        (Claim("lease", 0.5), ("claim", "lease", b"", 0.5), True),
        (Announce(INTENT), ("announce", INTENT, 10.0), None),
        (Settle(INTENT), ("settle", INTENT), None),
    ],
)
def test_what_is_the_stores_goes_to_the_store(effect: Effect, asked: tuple, answer: object):
    store = NotingStore()
    perform = Performer(store, 10.0, lambda: pytest.fail("this is not the database's"))
    assert perform(effect) == answer
    assert store.asked == [asked]
    assert perform.store_seconds > 0
    assert perform.database_seconds == 0


@pytest.mark.parametrize("effect", [Load(), Apply()])
def test_what_is_the_databases_goes_to_the_database(effect: Effect):
    store = NotingStore()
    perform = Performer(store, 10.0, lambda: "rows")
    assert perform(effect) == "rows"
    assert store.asked == []
    assert perform.database_seconds > 0
    assert perform.store_seconds == 0


def test_an_effect_nobody_knows_is_an_error():
    with pytest.raises(AssertionError):
        Performer(NotingStore(), 10.0, lambda: None)("no effect")


def test_time_is_counted_where_an_effect_fails_too():
    store = NotingStore()
    store.fails = True
    perform = Performer(store, 10.0, lambda: None)
    with pytest.raises(StoreError):
        perform(Fetch("f", ()))
    assert perform.store_seconds > 0


def path_of(*effects: Effect) -> Generator[Effect, object, list[object]]:
    answers: list[object] = []
    for effect in effects:
        try:
            answers.append((yield effect))
        except StoreError as exc:
            answers.append(str(exc))
    return answers


def test_a_path_is_driven_to_its_end_in_order():
    performed: list[Effect] = []

    def perform(effect: Effect) -> object:
        performed.append(effect)
        return len(performed)

    assert run(path_of(Load(), Apply(), Load()), perform) == [1, 2, 3]
    assert performed == [Load(), Apply(), Load()]


def test_a_path_without_effects_ends_at_once():
    assert run(path_of(), lambda _: pytest.fail("nothing was asked for")) == []


def test_an_error_is_thrown_into_the_path_which_may_go_on():
    def perform(effect: Effect) -> object:
        if isinstance(effect, Load):
            raise StoreError("down")
        return "done"

    assert run(path_of(Load(), Apply()), perform) == ["down", "done"]


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt(), SystemExit()])
def test_what_the_path_does_not_expect_is_raised(error: BaseException):
    def perform(effect: Effect) -> object:
        raise error

    with pytest.raises(type(error)) as raised:
        run(path_of(Load()), perform)
    assert raised.value is error
