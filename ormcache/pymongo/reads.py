"""
The way of one read through the MongoDB edge: what it asks for, under which key, and the answer.

Written once, as a generator like the core's own: a client's thread or its event loop performs what
it yields, which is the core's effects and one more, `AskCatalog`.

What is never cached, beside what the policies and the operators say: reads inside a transaction (it
is a snapshot, older than the tokens, and may have written), snapshot sessions, reads that may be
answered by a secondary (they lag), and a read concern other than `local`. A `majority` read may lie
behind a write with a weaker write concern that has already returned, and would fill the cache with
rows that are older than the tokens: of a thousand such reads, each right after its write, nearly
every one did, in a replica set of one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import bson
from pymongo import ReadPreference

from ormcache.codecs.bson import BsonCodec, StreamCodec, documents, split
from ormcache.effects import Effect, Fetch, fetch, load
from ormcache.errors import StoreError
from ormcache.fingerprint import NoIdentityError
from ormcache.model import Outcome, Reason
from ormcache.policy import Policy
from ormcache.reading import Answer, ReadRequest, read, reason_of

from .asked import Asked
from .attached import Attached
from .catalog import AskCatalog, KnownCatalog
from .names import Namespace
from .plan import Plan, Refusal, Said
from .shape import shape_of

if TYPE_CHECKING:
    from ormcache.drive import AsyncPerformer, Performer

__all__ = ["Read", "Wanted", "bound_session"]

_CODEC = StreamCodec()
_DOCUMENT_BY_DOCUMENT = BsonCodec()
"""
For shadow mode, which counts the documents that differ.
"""
_LOCAL = (None, "local")
_BY_THE_CATALOG = (Reason.STATEMENT, Reason.ISOLATION)
"""
Why a read may be refused because of what the catalog says: of a view, or of the default concern.
"""

Wanted: TypeAlias = Effect | AskCatalog


class Read:
    """
    One read of *collection*, an object of ours; *session* is the caller's, if any.
    """

    __slots__ = ("_asked", "_attached", "_collection", "_said", "_session", "policy")

    def __init__(self, collection: Any, asked: Asked, session: Any) -> None:
        client = collection.database.client
        self._attached: Attached = client._ormcache
        self._collection = collection
        self._said: Said | None = collection._ormcache_said
        self._session = session or bound_session(client)
        self._asked = asked
        self.policy: Policy | None = None
        """How much of the answer is wanted for the cache; None: nothing."""

    def path(self) -> Generator[Wanted, Any, Answer]:
        """
        Answer the read; raises only what the database raised while loading.
        """
        request, known = yield from self.wanted()
        if isinstance(request, ReadRequest):
            assert known is not None  # by which it was planned
            return (yield from _watched(request, known))
        if known is not None and request[0] in _BY_THE_CATALOG:
            yield from self._look_again(known)
        self.policy = None
        yield from load()
        return Answer(Outcome.BYPASS, *request)

    def tell(self, answer: Answer, perform: Performer | AsyncPerformer) -> None:
        """
        Count how the read ended and tell whoever looks.
        """
        cache, namespace = self._attached.cache, self._asked.namespace
        cache.count(answer.outcome, answer.reason)
        if cache.audience:
            if answer.rows is not None:  # counted one by one
                ((stream,),) = answer.rows.rows
                answer = replace(answer, rows=documents(split(stream)))
            cache.audience.hear_read(
                answer,
                statement=shape_of(str(namespace), self._asked.command),
                tables=tuple(sorted(map(str, self._named()))),
                store_seconds=perform.store_seconds,
                database_seconds=perform.database_seconds,
                waited_seconds=perform.waited_seconds,
            )

    # -- what to ask -------------------------------------------------------------------------

    def wanted(self) -> Generator[Wanted, Any, tuple[ReadRequest | Refusal, KnownCatalog | None]]:
        """
        Return what to ask the cache for, or why nothing, and the catalog by which that was decided.
        """
        if (refusal := self._refused()) is not None:
            return refusal, None
        known = yield from self._catalog()
        if not isinstance(known, KnownCatalog):
            return known, None
        return self._request(known), known

    def plan(self, known: KnownCatalog) -> Plan:
        """
        Return how reads of these collections are cached.
        """
        asked = self._asked
        return self._attached.plan(known, asked.namespace, asked.facts.reads, self._said)

    def _named(self) -> frozenset[Namespace]:
        return self._asked.facts.reads | {self._asked.namespace}

    def _refused(self) -> Refusal | None:
        """
        Return why this read is not cached, as far as that needs no server.
        """
        cache, collection, session = self._attached.cache, self._collection, self._session
        if not cache.active:
            return Reason.OFF, ""
        if cache.bypassing:
            return Reason.ASKED, "bypass()"
        if cache.store_rests():
            return Reason.STORE, "it is left alone for a while"
        if self._asked.facts.refusal is not None:
            return Reason.STATEMENT, self._asked.facts.refusal
        if session is not None and session.in_transaction:
            return Reason.ISOLATION, "a transaction"
        if session is not None and session.options.snapshot:
            return Reason.ISOLATION, "a snapshot session"
        if collection.read_preference != ReadPreference.PRIMARY:
            return Reason.ISOLATION, "a read preference other than primary"
        if collection.read_concern.level not in _LOCAL:
            return Reason.ISOLATION, f"read concern {collection.read_concern.level}"
        if collection.database.client.options.auto_encryption_opts is not None:
            return Reason.STATEMENT, "automatic encryption"
        return None

    def _catalog(self) -> Generator[Wanted, Any, KnownCatalog | Refusal]:
        attached, database = self._attached, self._asked.namespace.database
        known = attached.catalog(database)
        if known is not None:
            return known
        try:
            # Before the server is asked: what changes meanwhile makes the catalog stale again.
            states = (yield from fetch(None, KnownCatalog.scopes(database))).tokens
        except StoreError as exc:
            return reason_of(exc), str(exc)
        try:
            told = yield AskCatalog(database)
        except Exception as exc:  # noqa: BLE001 - the read itself meets the error where it is one
            return Reason.DATABASE, f"the catalog cannot be read: {type(exc).__name__}"
        return attached.learn(database, told, states)

    def _look_again(self, known: KnownCatalog) -> Generator[Wanted, Any, None]:
        """
        Ask for the tokens, so that a refusal for which the catalog is the reason ends with it.
        """
        asked = Fetch(None, KnownCatalog.scopes(self._asked.namespace.database))
        with contextlib.suppress(StoreError):
            known.watch(asked, (yield asked))

    def _request(self, known: KnownCatalog) -> ReadRequest | Refusal:
        attached, collection = self._attached, self._collection
        deployment = attached.deployment.look(collection.database.client.topology_description)
        if deployment is None:
            return Reason.DATABASE, "no server that takes writes has told who it is"
        if not known.catalog.reads_local and collection.read_concern.level is None:
            return Reason.ISOLATION, "the deployment's default read concern"
        plan = self.plan(known)
        if plan.refusal is not None:
            return plan.refusal
        policy = plan.policy
        try:
            key = self._key(deployment, plan)
        except NoIdentityError as exc:
            return Reason.PARAMETERS, str(exc)
        self.policy = policy
        cache = attached.cache
        return ReadRequest(
            key=key,
            scopes=plan.scopes,
            ttl=policy.ttl,
            max_rows=policy.max_rows,
            max_bytes=policy.max_bytes,
            codec=_DOCUMENT_BY_DOCUMENT if cache.shadowing else _CODEC,
            sealer=cache.sealer,
            not_served=Reason.ASKED if cache.refreshing else None,
            shadow=cache.shadowing,
            ordered=self._asked.ordered,
            collapse=policy.collapse,
            across_processes=policy.across_processes,
        )

    def _key(self, deployment: str, plan: Plan) -> str:
        """
        Return the fingerprint: the command as BSON tells types and order, and, for a filter, what
        the collection's codec options make of it. They decide nothing else: an entry is decoded
        by whoever reads it.
        """
        try:
            command = bson.encode(self._asked.command, codec_options=self._collection.codec_options)
        except Exception as exc:  # the caller's own types have their own errors
            raise NoIdentityError(type(exc).__name__) from exc
        parts = [plan.key, deployment, command.hex()]
        for name in plan.policy.vary:
            value = self._attached.cache.varied(name)
            if value is None:
                raise NoIdentityError(f"vary {name!r}: register it with Cache.vary")
            parts += ("vary", name, value)
        return self._attached.cache.sealer.name(parts)


def _watched(request: ReadRequest, known: KnownCatalog) -> Generator[Effect, Any, Answer]:
    """
    Go the core's way of a read; where its tokens show that the catalog may have changed since the
    read was planned, store nothing: it may depend on more than its scopes say.
    """
    path = read(request)
    effect = next(path)
    try:
        while True:
            try:
                answer = yield effect
            except GeneratorExit:
                path.close()  # now, for others may be waiting for it
                raise
            except BaseException as exc:  # noqa: BLE001 - the path decides what to do about it
                effect = path.throw(exc)
            else:
                if isinstance(effect, Fetch):
                    known.watch(effect, answer)
                    if known.stale:
                        request.not_filled = Reason.DATABASE
                effect = path.send(answer)
    except StopIteration as stop:
        ended: Answer = stop.value
        return ended


def bound_session(client: Any) -> Any:
    """
    Return the session that a `with session.bind()` block gives to every call inside it.
    """
    bound = getattr(client, "_get_bound_session", None)
    return None if bound is None else bound()
