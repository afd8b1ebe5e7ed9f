"""
What does the user hold?

Wiring only: settings, the store, the policies and the observers meet here; the read and the write
path are in `reading` and `writing`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, Self

from .audience import Audience
from .codecs import open_sealer
from .counts import Counts
from .drive import AsyncPerformer, Performer, arun, run
from .errors import ConfigurationError
from .fingerprint import NoIdentityError, canonical
from .flights import Flights
from .policy import Policy
from .rulebook import Rulebook
from .waiting.loops import LoopWaiting
from .waiting.threads import ThreadWaiting
from .writing import commit

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from .explanation import Explanation
    from .model import Outcome, Reason, Scope
    from .policy import Policies
    from .protocols import AsyncStore, Codec, Observer, Store, Waiting
    from .recording import Recording

__all__ = ["Cache", "Mode", "OnOutage"]

log = logging.getLogger("ormcache")

Mode = Literal["on", "off", "shadow"]
OnOutage = Literal["proceed", "refuse"]

_MODES = ("on", "off", "shadow")
_ON_OUTAGE = ("proceed", "refuse")


class Cache:
    """
    A query-result cache to enable on sessions and engines.

    Args:
        store: Where entries and tokens live; see `Cache.from_url`.
        async_store: The same for event loops; needed for async engines, and made from *store* where
            that can make one, as ormcache's own can.
        default: The policy of tables that have none. None: such tables are not cached.
        policy_file: Path of a TOML file whose policies override the others; read again within
            about a second after it changed.
        mode: `"on"`; `"off"`: the database answers, writes still invalidate; `"shadow"`: the
            database answers and the would-be hit is compared with it.
        lease_seconds: How long a writer that died keeps its tables uncached.
        on_outage: What becomes of a commit whose invalidation the store cannot be told of:
            `"proceed"`: it is made, and the invalidation delivered later; `"refuse"`: it raises
            `CommitRefusedError`, and nothing is committed. docs/outage.md says what each promises.
        codec: How rows become bytes.
        observers: Told about each read and commit.
        trust_listeners: True: the application's own listeners on connections and cursors, and its
            `creator`, do not change what a statement means (they trace, count or authenticate);
            hits then need no connection even where there are such.
        secret: At least 16 random bytes, as `str` or `bytes`, shared by the processes of this
            application: what it has not sealed is a miss, and the store's keys tell nothing about
            parameters. Several while one replaces another, the newest first.
        encrypt: Also keep entries from whoever can read the store; needs `ormcache[crypto]`.

    Raises:
        ConfigurationError: A setting is wrong.
    """

    def __init__(
        self,
        store: Store,
        *,
        async_store: AsyncStore | None = None,
        default: Policy | None = None,
        policy_file: str | Path | None = None,
        mode: Mode = "on",
        lease_seconds: float = 10.0,
        on_outage: OnOutage = "proceed",
        codec: Codec | None = None,
        observers: Iterable[Observer] = (),
        trust_listeners: bool = False,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        encrypt: bool = False,
    ) -> None:
        if not 0 < lease_seconds <= 3600:
            msg = f"setting 'lease_seconds' must be above 0 and at most 3600, got {lease_seconds!r}"
            raise ConfigurationError(msg)
        if default is not None and not isinstance(default, Policy):
            msg = f"setting 'default' must be a Policy, got {default!r}"
            raise ConfigurationError(msg)
        if on_outage not in _ON_OUTAGE:
            raise ConfigurationError.unknown("value of 'on_outage'", str(on_outage), _ON_OUTAGE)
        self.refuses = on_outage == "refuse"
        """Whether a commit that the store cannot be told of is refused."""
        self.store = store
        self.async_store = async_store or _asynchronous(store)
        self.store_rests: Callable[[], bool] = getattr(store, "rests", bool)
        """Whether the store is left alone just now, as it failed; a store need not tell."""
        self._codec = codec
        self.sealer = open_sealer(secret, encrypt=encrypt)
        self.lease_seconds = lease_seconds
        self.trust_listeners = trust_listeners
        self.flights = Flights()
        self.waiting = ThreadWaiting(self.flights)
        self.async_waiting = LoopWaiting(self.flights)
        self.audience = Audience(observers)
        self._counts = Counts()
        self.count = self._counts.add
        """Count a read by its outcome and reason."""
        self.mode = mode
        self._rules = Rulebook(default, policy_file)
        self._vary: dict[str, Callable[[], object]] = {}
        self._bypass: ContextVar[bool] = ContextVar("ormcache_bypass", default=False)
        self._refresh: ContextVar[bool] = ContextVar("ormcache_refresh", default=False)
        self._enabled: list[Any] = []
        self._store_failing = False

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        namespace: str = "default",
        timeout: float = 0.05,
        recovery_grace: float = 5.0,
        **settings: Any,
    ) -> Self:
        """
        Return a cache on the store at *url*: `redis://`, `rediss://`, `valkey://`, `unix://`,
        `redis+sentinel://`, `redis+cluster://` (docs/topologies.md) or `memory://` (this process
        only).

        *namespace* keeps applications that share a server apart. *timeout* in seconds bounds every
        single operation of the store. After an outage that it has noticed, this process leaves the
        store alone for *recovery_grace* seconds more, in which others deliver what they owe it.

        Raises:
            ConfigurationError: The URL, the namespace or a setting is wrong. That nothing answers
                there is no error: reads and writes go on against the database.
        """
        from .stores import open_store

        for name in settings:
            if name not in _SETTINGS:
                raise ConfigurationError.unknown(
                    "cache setting", name, _SETTINGS | {"namespace", "recovery_grace", "timeout"}
                )
        store = open_store(url, namespace, timeout=timeout, recovery_grace=recovery_grace)
        return cls(store, **settings)

    def __repr__(self) -> str:
        return f"<Cache mode={self.mode!r} store={self.store!r} enabled={len(self._enabled)}>"

    # -- what is cached ----------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        """
        `"on"`, `"off"` or `"shadow"`; may be changed at any time.
        """
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in _MODES:
            raise ConfigurationError.unknown("mode", str(mode), _MODES)
        self._mode: Mode = mode
        self.active = mode != "off"
        self.shadowing = mode == "shadow"

    @property
    def codec(self) -> Codec:
        """
        How rows become bytes; ormcache's own unless another was given.
        """
        if self._codec is None:
            # On first use: an application without SQL need not have what it is built on.
            from .codecs.rows import RowCodec

            self._codec = RowCodec()
        return self._codec

    def enable(self, target: object) -> None:
        """
        Cache the reads of *target*, and see every write of its engines.

        *target* is a `Session` class or object, a `sessionmaker`, a `scoped_session`, an `Engine`,
        or the asynchronous kind of any of these. Reads are cached on enabled sessions, and on every
        connection of an enabled engine; writes are seen on every connection of the engines of
        either. Enabling the same target again changes nothing.

        Raises:
            ConfigurationError: *target* is none of these, another cache is enabled on it, a policy
                names a table that no metadata knows, or an async engine meets a store that has no
                asynchronous kind.
        """
        from .sqlalchemy import enable, models

        if any(enabled.target is target for enabled in self._enabled):
            return
        self._rules.models = models
        self._rules.check()
        self._enabled.append(enable(self, target))

    def disable(self, target: object) -> None:
        """
        Undo `enable`: *target* is as if it had never been enabled.
        """
        for enabled in self._enabled:
            if enabled.target is target:
                enabled.remove()
                self._enabled.remove(enabled)
                return
        msg = f"this cache is not enabled on {target!r}"
        raise ConfigurationError(msg)

    def policy(self, target: object, policy: Policy | None = None, **settings: Any) -> None:
        """
        Set the policy of a table, given by name, `Table` or model, or of a MongoDB collection,
        given as `"database.collection"`. A name may be a pattern: `"shop.*"`, `"audit_*"`.

        Either a `Policy` or its settings: `cache.policy("orders", ttl=60)`.

        Raises:
            ConfigurationError: A setting is wrong, or no metadata knows the table.
        """
        if policy is not None and settings:
            msg = "give either a Policy or its settings, not both"
            raise ConfigurationError(msg)
        if policy is not None and not isinstance(policy, Policy):
            msg = f"expected a Policy, got {policy!r}; settings go by name: policy(table, ttl=60)"
            raise ConfigurationError(msg)
        made = policy or Policy(**settings)
        table = target if isinstance(target, str) else _table_of(target)
        self._rules.set(table, made)

    def explain(
        self,
        statement: object,
        parameters: object = None,
        *more: object,
        bind: object = None,
        **options: object,
    ) -> Explanation:
        """
        Return whether and why *statement* would be cached, and what would change that.

            print(cache.explain(select(Product).where(Product.id == 7)))
            print(cache.explain(products.find({"_id": 7})))
            print(cache.explain(products.aggregate, [{"$count": "n"}]))

        The answer is that of the read path, which decides all but the last step: neither the
        statement nor a flush is sent to the database, nothing is asked of the store. Where
        a read would first open a connection or read the catalog, this does so, too.

        Args:
            statement: A `select()`, `text()`, legacy `Query`, DML or DDL; a string is for `text()`.
                Of a MongoDB collection: a cursor of `find()`, or a method that reads.
            parameters: As for `Session.execute`; of a method, its first argument.
            more: Further arguments of a method, as are *options*.
            bind: Where it would run: an `Engine`, `Connection`, `Session` (its transaction and
                unflushed changes count), `sessionmaker` or `scoped_session`. By default what the
                cache is enabled on.

        Raises:
            ConfigurationError: It is not clear on which engine, or the cache is not enabled there.
        """
        if _is_of_pymongo(statement):
            from .pymongo.explain import explain as explain_read

            if bind is not None:
                raise ConfigurationError("bind= is for SQL: a collection knows its client")
            return explain_read(self, statement, _arguments(parameters, more), options)
        if more or options:
            msg = "a statement is explained like this: explain(statement, parameters, bind=...)"
            raise ConfigurationError(msg)
        from .sqlalchemy.explain import explain

        return explain(self, self._enabled, statement, parameters, bind)

    async def aexplain(
        self, read: object, argument: object = None, *more: object, **options: object
    ) -> Explanation:
        """
        As `explain`, for what an asynchronous MongoDB collection reads.

            print(await cache.aexplain(products.count_documents, {"category": 7}))
        """
        if not _is_of_pymongo(read):
            msg = (
                "aexplain() takes a cursor of MongoDB's, or a method that reads with its "
                "arguments: aexplain(products.find_one, {...}); a SQL statement is explained by "
                "await session.run_sync(lambda s: cache.explain(statement, bind=s))"
            )
            raise ConfigurationError(msg)
        from .pymongo.explain import aexplain

        return await aexplain(self, read, _arguments(argument, more), options)

    def vary(self, name: str, value: Callable[[], object]) -> None:
        """
        Make what *value* returns part of every read whose policy has *name* in its `vary`.

        Called at each such read; it returns what tells the reads apart, such as a tenant's id.
        """
        if not callable(value):
            msg = f"vary({name!r}) takes a function that returns the current value, got {value!r}"
            raise ConfigurationError(msg)
        self._vary[name] = value

    def varied(self, name: str) -> str | None:
        """
        Return the current value registered under *name*, as a text exact in value and type.

        None where nothing is registered. A function that raises has no identity to tell: the
        read is a bypass.
        """
        value = self._vary.get(name)
        if value is None:
            return None
        try:
            return canonical(value())
        except Exception as exc:
            raise NoIdentityError(f"vary {name!r} raised {type(exc).__name__}") from exc

    def policies(self) -> Policies:
        """
        Return the policies in force: looks for changed models and a changed policy file.
        """
        return self._rules.in_force()

    # -- blocks ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def bypass(self) -> Iterator[None]:
        """
        Within the block, the database answers. Writes invalidate as always.
        """
        token = self._bypass.set(True)
        try:
            yield
        finally:
            self._bypass.reset(token)

    @contextlib.contextmanager
    def refresh(self) -> Iterator[None]:
        """
        Within the block, the database answers and the entries are replaced.
        """
        token = self._refresh.set(True)
        try:
            yield
        finally:
            self._refresh.reset(token)

    def record(self) -> AbstractContextManager[Recording]:
        """
        Within the block, note how each read and commit ends.

            with cache.record() as log:
                ...
            print(log)

        Sees what the block itself does, and the tasks and threads that inherit its context (such
        as `asyncio.to_thread`); nothing of other threads and tasks. Blocks may be nested.
        """
        return self.audience.recording()

    @property
    def bypassing(self) -> bool:
        """
        Whether this is inside a `bypass()` block.
        """
        return self._bypass.get()

    @property
    def refreshing(self) -> bool:
        """
        Whether this is inside a `refresh()` block.
        """
        return self._refresh.get()

    # -- the store ---------------------------------------------------------------------------

    def clear(self) -> None:
        """
        Empty this cache's namespace and no other.

        Raises:
            StoreError: The store did not answer.
        """
        self.store.clear()

    async def aclear(self) -> None:
        """
        As `clear`, without blocking the event loop.
        """
        assert self.async_store is not None
        await self.async_store.clear()

    def close(self) -> None:
        """
        Disable everything this cache is enabled on and let go of the store's connections.
        """
        for enabled in reversed(self._enabled):
            enabled.remove()
        self._enabled.clear()
        closing = getattr(self.store, "close", None)
        if closing is not None:
            closing()

    async def aclose(self) -> None:
        """
        As `close`; lets go of the running event loop's connections, too.
        """
        closing = getattr(self.async_store, "close", None)
        if closing is not None:
            await closing()
        self.close()

    def performer(
        self, database: Callable[[], object], store: Store, waiting: Waiting | None = None
    ) -> Performer:
        """
        Return what carries out the effects of one read or write; a read that may collapse with
        others needs *waiting*.
        """
        return Performer(store, self.lease_seconds, database, waiting)

    def commit(
        self,
        scopes: frozenset[Scope],
        database: Callable[[], object],
        *,
        refused: Callable[[BaseException], bool],
        store: Store,
        may_refuse: bool = True,
    ) -> None:
        """
        Let *database* make changes to *scopes* permanent, as the protocol wants it.

        *refused*: whether what *database* raised proves that nothing became permanent, or will.

        Raises:
            CommitRefusedError: The store cannot be told, and the cache's setting is to refuse then,
                unless *may_refuse* is false: it was promised that this can be committed.
        """
        if not scopes:
            database()
            return
        perform = self.performer(database, store)
        committed = False
        delivered = False
        try:
            path = commit(scopes, refused, refuse=self.refuses and may_refuse)
            delivered = run(path, perform).delivered
            committed = True
        finally:
            self.heard_commit(
                scopes,
                committed=committed,
                delivered=delivered,
                store_seconds=perform.store_seconds,
            )

    async def acommit(
        self,
        scopes: frozenset[Scope],
        database: Callable[[], Awaitable[object]],
        *,
        refused: Callable[[BaseException], bool],
    ) -> None:
        """
        As `commit`, awaited, on the asynchronous store.
        """
        assert self.async_store is not None
        perform = AsyncPerformer(self.async_store, self.lease_seconds, database)
        committed = False
        delivered = False
        try:
            path = commit(scopes, refused, refuse=self.refuses)
            delivered = (await arun(path, perform)).delivered
            committed = True
        finally:
            self.heard_commit(
                scopes,
                committed=committed,
                delivered=delivered,
                store_seconds=perform.store_seconds,
            )

    def heard_commit(
        self, scopes: frozenset[Scope], *, committed: bool, delivered: bool, store_seconds: float
    ) -> None:
        """
        Hear how a commit ended that somebody performed, and tell whoever looks.
        """
        if committed:
            self._store_answered(delivered)
        if self.audience:
            self.audience.hear_commit(
                scopes, committed=committed, delivered=delivered, store_seconds=store_seconds
            )

    # -- observing ---------------------------------------------------------------------------

    @property
    def counts(self) -> Counter[Outcome]:
        """
        Reads by outcome since this object was made, in this process.
        """
        return self._counts.outcomes()

    @property
    def reasons(self) -> Counter[Reason]:
        """
        The same by reason: of bypasses, of misses that left nothing behind, and of those where
        what was stored is not believed.
        """
        return self._counts.reasons()

    @property
    def observers(self) -> tuple[Observer, ...]:
        """
        Whoever is told about each read and commit.
        """
        return self.audience.observers

    def observe(self, observer: Observer) -> None:
        """
        Tell *observer* about every read and commit from now on.
        """
        self.audience.add(observer)

    def unobserve(self, observer: Observer) -> None:
        """
        Stop telling *observer*.
        """
        self.audience.remove(observer)

    def _store_answered(self, well: bool) -> None:  # noqa: FBT001
        if well:
            self._store_failing = False
        elif not self._store_failing:
            self._store_failing = True
            log.warning("ormcache: the store does not answer; the database does, %r", self.store)


_SETTINGS = frozenset(
    {
        "codec",
        "default",
        "encrypt",
        "lease_seconds",
        "mode",
        "observers",
        "on_outage",
        "policy_file",
        "secret",
        "trust_listeners",
    }
)


def _is_of_pymongo(target: object) -> bool:
    if "ormcache.pymongo" not in sys.modules:
        return False  # nobody has a client of ours
    from .pymongo.explain import is_of_pymongo

    return is_of_pymongo(target)


def _arguments(first: object, more: tuple[object, ...]) -> tuple[object, ...]:
    # No method that reads tells a first argument that is None from one that is left out.
    return () if first is None and not more else (first, *more)


def _table_of(target: object) -> str:
    from .sqlalchemy.models import policy_name

    return policy_name(target)


def _asynchronous(store: Store) -> AsyncStore | None:
    making = getattr(store, "asynchronous", None)
    made: AsyncStore | None = making() if making is not None else None
    return made
