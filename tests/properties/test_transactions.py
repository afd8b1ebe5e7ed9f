"""
Does a database with a cache in front of it do the same as one without, whatever transactions do?

Each client is two sessions that do the same things, one on a cached database and one on another
database of the same server that no cache knows: that one is the model. Two clients share each of
two applications, which share the store. What they return, and what they raise, must be equal.

One thread plays all clients, so none may wait for another's lock: of each family of tables, one
client writes at a time. On MariaDB every client says its isolation level: where it does not, hits
before the transaction's first query may be older than what that finds, which is documented.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine, create_engine, insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ormcache import Outcome, Policy
from ormcache.testing.servers import Server
from tests.fixtures.apps import App, MakeApp
from tests.fixtures.databases import Database
from tests.fixtures.ways import usual_way
from tests.properties.ledger import (
    DIARY,
    READS,
    STOCK,
    VIEWS,
    WRITES,
    Base,
    Day,
    Item,
    Note,
    Work,
    Write,
    show,
)

EXAMPLES, STEPS = 20, 50
CLIENTS = 4
NUMBER = st.integers(0, CLIENTS - 1)
ROW = st.integers(1, 5)
LOOKS = st.lists(st.tuples(NUMBER, st.sampled_from(READS), ROW), min_size=2, max_size=6)
AUTOCOMMIT = "AUTOCOMMIT"
LEVELS = {
    "postgresql": (None, "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", AUTOCOMMIT),
    "mariadb": ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", AUTOCOMMIT),
    "sqlite": (None, AUTOCOMMIT),
}
ENGINES = {"sqlite": {"connect_args": {"timeout": 0.05}}}


@pytest.fixture
def apps(make_app: MakeApp, database: Database) -> list[App]:
    engine = ENGINES.get(database.name, {})
    return [make_app(default=Policy(ttl=300), engine=dict(engine)) for _ in range(2)]


@pytest.fixture
def model(database: Database, tmp_path) -> Iterator[Engine]:
    """
    The database that no cache knows.
    """
    driver = usual_way(database.name).driver
    if database.server is None:
        url = f"sqlite:///{tmp_path / 'model.db'}"
    else:
        url = driver.url(database.server.create_database(f"model_{uuid4().hex[:8]}"))
    engine = create_engine(url, **driver.engine(dict(ENGINES.get(database.name, {}))))
    yield engine
    engine.dispose()


class Client:
    """
    A session and its model's, doing the same.
    """

    def __init__(self, cached: Session, model: Session, level: str | None) -> None:
        self.cached, self.model, self.level = cached, model, level
        self.savepoints: list[tuple[Any, Any]] = []

    def both(self, work: Work, k: int) -> bool:
        """
        Do *work* on both; return whether it went well.
        """
        expected = _ending(self.model, work, k)
        assert _ending(self.cached, work, k) == expected
        if expected[0] == "raised":
            self.end("rollback")
        return expected[0] == "returned"

    def end(self, how: str) -> None:
        self.savepoints.clear()
        endings = []
        for session in (self.model, self.cached):
            endings.append(_ending(session, lambda session, _: getattr(session, how)(), 0))
            session.close()
        assert endings[0] == endings[1]


def _ending(session: Session, work: Work, k: int) -> tuple[str, object]:
    try:
        return "returned", work(session, k)
    except SQLAlchemyError as exc:
        return "raised", type(exc)


class Transactions(RuleBasedStateMachine):
    """
    Clients begin, read, write and end in whatever order.
    """

    apps: list[App]
    model_engine: Engine
    store: redis.Redis
    name: str
    seen: Counter[Outcome]

    def __init__(self) -> None:
        super().__init__()
        self.clients: dict[int, Client] = {}
        self.writers: dict[str, int] = {}
        self.columns = 0
        # What the last run left behind must not decide how this one ends.
        self.apps[0].cache.clear()
        self._on_both(_remake)
        for number in range(CLIENTS):
            self._begin(number, number)

    def teardown(self) -> None:
        for client in self.clients.values():
            client.model.close()
            client.cached.close()
        for app in self.apps:
            self.seen.update(app.log.outcomes())

    # -- transactions ------------------------------------------------------------------------

    @rule(number=NUMBER, level=st.integers(0, 9), how=st.sampled_from(["commit", "rollback"]))
    def session(self, number: int, level: int, how: str) -> None:
        self.clients.pop(number).end(how)
        self._left(number)
        self._begin(number, level)

    def _begin(self, number: int, level: int) -> None:
        app, levels = self.apps[number % 2], LEVELS[self.name]
        chosen = levels[level % len(levels)]
        options = {} if chosen is None else {"isolation_level": chosen}
        engines = [e.execution_options(**options) for e in (app.engine, self.model_engine)]
        self.clients[number] = Client(app.Session(bind=engines[0]), Session(engines[1]), chosen)

    @rule(number=NUMBER, how=st.sampled_from(["commit", "commit", "rollback"]))
    def transaction(self, number: int, how: str) -> None:
        client = self.clients[number]
        if client.both(lambda session, _: getattr(session, how)(), 0):
            client.savepoints.clear()
        self._left(number)

    @rule(number=NUMBER, what=st.sampled_from(["begin", "commit", "rollback"]))
    def savepoint(self, number: int, what: str) -> None:
        client = self.clients[number]
        if client.level == AUTOCOMMIT:
            return
        if what == "begin":
            client.both(lambda session, _: session.flush(), 0)
            client.savepoints.append((client.model.begin_nested(), client.cached.begin_nested()))
        elif client.savepoints:
            endings = [
                _ending(None, lambda _, __, point=point: getattr(point, what)(), 0)
                for point in client.savepoints.pop()
            ]
            assert endings[0] == endings[1]

    # -- reads and writes --------------------------------------------------------------------

    @rule(several=LOOKS)
    def read(self, several: list[tuple[int, Work, int]]) -> None:
        for number, work, k in several:
            if not self.clients[number].both(work, k):
                self._left(number)

    @rule(number=NUMBER, write=st.sampled_from(WRITES), k=ROW, several=LOOKS)
    def write(
        self, number: int, write: Write, k: int, several: list[tuple[int, Work, int]]
    ) -> None:
        # Whoever holds the family's rows writes; on SQLite there is one writer in all.
        families = (STOCK, DIARY) if self.name == "sqlite" else (write.family,)
        number = next((self.writers[f] for f in families if f in self.writers), number)
        client = self.clients[number]
        well = client.both(write.work, k)
        if not well:
            self._left(number)
        elif client.level != AUTOCOMMIT or client.model.new or client.model.dirty:
            self.writers.update(dict.fromkeys(families, number))
            # Its own writes first, while they are its own.
            self.read([(number, work, k) for _, work, k in several])
        self.read(several)

    # -- what happens besides ----------------------------------------------------------------

    @rule(number=NUMBER, view=st.sampled_from(VIEWS), column=st.booleans())
    def schema(self, number: int, view: str, *, column: bool) -> None:
        for client in range(CLIENTS):  # it would wait for all of them
            self.session(client, client, "commit")
        self.columns += column

        def change(connection: Connection) -> None:
            show(connection, view)
            if column:
                name = f"extra_{self.columns}"
                connection.exec_driver_sql(f"ALTER TABLE ledger_items ADD {name} INTEGER DEFAULT 7")

        self._on_both(change, number % 2)

    @rule(what=st.sampled_from(["*", "*:e:*", "*:t:*"]))
    def eviction(self, what: str) -> None:
        if keys := self.store.keys(what):
            self.store.delete(*keys)

    def _left(self, number: int) -> None:
        self.writers = {family: n for family, n in self.writers.items() if n != number}

    def _on_both(self, work: Any, number: int = 0) -> None:
        for engine in (self.apps[number].engine, self.model_engine):
            with engine.begin() as connection:
                work(connection)


def _remake(connection: Connection) -> None:
    connection.exec_driver_sql("DROP VIEW IF EXISTS ledger_view")
    Base.metadata.drop_all(connection)
    Base.metadata.create_all(connection)
    connection.execute(insert(Item), [{"id": k, "kind": k % 3, "n": k} for k in range(1, 5)])
    connection.execute(insert(Note), [{"item_id": k, "words": "first"} for k in range(1, 5)])
    connection.execute(insert(Day), [{"n": k} for k in range(1, 5)])
    show(connection, VIEWS[0])


@pytest.mark.timeout(600)  # a failure takes time to be made small
def test_a_cached_database_does_what_its_model_does(
    apps: list[App], model: Engine, database: Database, redis_server: Server, namespace: str
):
    class Here(Transactions):
        pass

    Here.apps, Here.model_engine, Here.name = apps, model, database.name
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
