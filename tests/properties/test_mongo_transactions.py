"""
Does a MongoDB with a cache in front of it do the same as one without, whatever its clients do?

As `test_transactions`: each client is two that do the same things, one on a cached database and one
on another database that no cache knows. What they return, and what they raise, must be equal. Of
each family of collections, one transaction writes at a time, as others would wait for it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pymongo
import pytest
import redis
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from pymongo.errors import PyMongoError

from ormcache import Outcome
from ormcache.testing.servers import Server
from tests.fixtures.mongo import MakeMongoApp, MongoApp
from tests.properties.mongo_ledger import READS, VIEWS, WRITES, Work, Write, remake, show

EXAMPLES, STEPS = 40, 50
CLIENTS = 4
NUMBER = st.integers(0, CLIENTS - 1)
ROW = st.integers(1, 5)
LOOKS = st.lists(st.tuples(NUMBER, st.sampled_from(READS), ROW), min_size=2, max_size=6)
CACHED, MODEL = "ormcache_ledger", "model_ledger"


@pytest.fixture
def apps(make_mongo: MakeMongoApp) -> list[MongoApp]:
    return [make_mongo(), make_mongo()]


@pytest.fixture
def model(mongodb_server: Server) -> Iterator[Any]:
    with pymongo.MongoClient(mongodb_server.url) as client:
        yield client
        client.drop_database(MODEL)
        client.drop_database(CACHED)


class Client:
    """
    A client and its model's, doing the same.
    """

    def __init__(self, cached: Any, model: Any) -> None:
        self._sides = ((model, model[MODEL]), (cached, cached[CACHED]))
        self._sessions: list[Any] = []
        self._open = ExitStack()

    @property
    def in_transaction(self) -> bool:
        return bool(self._sessions)

    def begin(self) -> None:
        for client, _ in self._sides:
            session = self._open.enter_context(client.start_session())
            session.start_transaction()
            self._sessions.append(session)

    def end(self, how: str) -> None:
        sessions, self._sessions = self._sessions, []
        endings = [_ending(getattr(session, how)) for session in sessions]
        self._open.close()
        assert endings[:1] == endings[1:]

    def both(self, work: Work, k: int) -> bool:
        """
        Do *work* on both; return whether it went well.
        """
        sessions = self._sessions or [None, None]
        endings = []
        for (_, db), session in zip(self._sides, sessions, strict=True):
            txn = {} if session is None else {"session": session}
            endings.append(_ending(lambda db=db, txn=txn: work(db, txn, k)))
        assert endings[0] == endings[1]
        well = endings[0][0] == "returned"
        if not well and self.in_transaction:
            self.end("abort_transaction")
        return well


def _ending(work: Any) -> tuple[str, object]:
    try:
        return "returned", work()
    except PyMongoError as exc:
        return "raised", (type(exc), getattr(exc, "code", None))


class Transactions(RuleBasedStateMachine):
    """
    Clients begin, read, write and end in whatever order.
    """

    apps: list[MongoApp]
    model: Callable[[], Any]
    """A function, for a client has an attribute of every name, Hypothesis's own included."""
    store: redis.Redis
    seen: Counter[Outcome]

    def __init__(self) -> None:
        super().__init__()
        # What the last run left behind must not decide how this one ends.
        self.apps[0].cache.clear()
        model = self.model()
        remake(model[MODEL])
        remake(self.apps[0].client[CACHED])
        self.clients = [Client(self.apps[n % 2].client, model) for n in range(CLIENTS)]
        self.writers: dict[str, int] = {}

    def teardown(self) -> None:
        for client in self.clients:
            if client.in_transaction:
                client.end("abort_transaction")
        for app in self.apps:
            self.seen.update(app.log.outcomes())

    @rule(number=NUMBER, how=st.sampled_from(["commit", "commit", "abort"]))
    def transaction(self, number: int, how: str) -> None:
        client = self.clients[number]
        if client.in_transaction:
            self._left(number)
            client.end(f"{how}_transaction")
        else:
            client.begin()

    @rule(looks=LOOKS)
    def read(self, looks: list[tuple[int, Work, int]]) -> None:
        for number, work, k in looks:
            self._do(number, work, k)

    @rule(number=NUMBER, write=st.sampled_from(WRITES), k=ROW, looks=LOOKS)
    def write(self, number: int, write: Write, k: int, looks: list[tuple[int, Work, int]]) -> None:
        number = self.writers.get(write.family, number)
        if self._do(number, write.work, k) and self.clients[number].in_transaction:
            self.writers[write.family] = number
        # By whoever has written first, while it is its own.
        self.read([(number, work, k) for _, work, k in looks])
        self.read(looks)

    @rule(number=NUMBER, view=st.sampled_from(VIEWS), renamed=st.booleans())
    def catalog(self, number: int, view: list[dict[str, Any]], *, renamed: bool) -> None:
        for each, client in enumerate(self.clients):  # it would wait for all of them
            if client.in_transaction:
                self.transaction(each, "commit")

        def change(db: Any, _txn: dict[str, Any], _k: int) -> None:
            show(db, view)
            if renamed:
                db.days.rename("weeks")
                db.weeks.rename("days")

        assert self.clients[number].both(change, 0)

    @rule(what=st.sampled_from(["*", "*:e:*", "*:t:*"]))
    def eviction(self, what: str) -> None:
        if keys := self.store.keys(what):
            self.store.delete(*keys)

    def _do(self, number: int, work: Work, k: int) -> bool:
        well = self.clients[number].both(work, k)
        if not self.clients[number].in_transaction:
            self._left(number)
        return well

    def _left(self, number: int) -> None:
        self.writers = {family: n for family, n in self.writers.items() if n != number}


@pytest.mark.timeout(600)  # a failure takes time to be made small
def test_a_cached_database_does_what_its_model_does(
    apps: list[MongoApp], model: Any, redis_server: Server
):
    class Here(Transactions):
        pass

    Here.apps, Here.model = apps, staticmethod(lambda: model)
    Here.seen = seen = Counter()
    with redis.Redis.from_url(redis_server.url) as Here.store:
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    for outcomes in ((Outcome.HIT,), (Outcome.STALE, Outcome.MISS), (Outcome.BYPASS,)):
        assert sum(seen[outcome] for outcome in outcomes) > 0.02 * seen.total(), seen
