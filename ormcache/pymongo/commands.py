"""
What does a command change?

Every command that is not known here to change nothing counts as a change to its whole database,
and to everything when it is run on `admin`: always on the safe side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ormcache.model import Scope

from .names import EVERYTHING, Namespace, collection_scope, database_wide
from .pipeline import analyze

__all__ = ["COMMIT", "in_transaction", "scopes_changed", "unacknowledged"]

COMMIT = "commitTransaction"

# In lower case; the oldest of them may be sent in either.
_CHANGES_NOTHING = frozenset(
    """
    aborttransaction authenticate availablequeryoptions balancerstatus buildinfo collstats
    committransaction compact configurefailpoint connectionstatus connpoolstats count
    createsearchindexes currentop datasize dbhash dbstats distinct dropsearchindex endsessions
    explain features filemd5 find fsync fsyncunlock getauditconfig getclusterparameter
    getcmdlineopts getdefaultrwconcern getlasterror getlog getmore getnonce getparameter
    getshardmap hello hostinfo isdbgrid ismaster killallsessions killallsessionsbypattern
    killcursors killop killsessions listcollections listcommands listdatabases listindexes
    listshards lockinfo logout logrotate netstat ping plancacheclear plancacheclearfilters
    plancachelistfilters plancachesetfilter profile refreshsessions reindex replsetgetconfig
    replsetgetstatus replsetstepdown rolesinfo rotatecertificates saslcontinue saslstart
    serverstatus setparameter shardingstate shutdown startsession top updatesearchindex usersinfo
    validate validatedbmetadata whatsmyuri
    """.split()
)

_ONE_COLLECTION = frozenset("insert update delete findandmodify createindexes".split())

_ITS_INDEXES = frozenset("dropindexes deleteindexes".split())

# May make, change or end a view, and with it what other reads depend on.
_DEFINITIONS = frozenset("create collmod drop converttocapped".split())


def scopes_changed(database: str, name: str, command: Mapping[str, Any]) -> frozenset[Scope]:
    """
    Return every scope that the command *name*, run in *database*, may change; most change none.

    *command* may be empty where PyMongo keeps its content to itself, as that of `createUser`.
    """
    target = command.get(name)
    name = name.lower()
    if name in _CHANGES_NOTHING:
        return frozenset()
    if name in _ONE_COLLECTION or name in _ITS_INDEXES:
        return _collections(database, target)
    if name in _DEFINITIONS:
        return _collections(database, target) | {database_wide(database)}
    match name:
        case "aggregate":
            return _of(analyze(database, command.get("pipeline")).writes)
        case "mapreduce":
            return _map_reduced(database, command.get("out"))
        case "bulkwrite":
            return _bulk(command.get("nsInfo"))
        case "renamecollection":
            return _renamed(target, command.get("to"))
    return frozenset({EVERYTHING if database == "admin" else database_wide(database)})


def in_transaction(command: Mapping[str, Any]) -> bool:
    """
    Return whether *command* is part of a transaction; `txnNumber` alone is a retryable write.
    """
    return command.get("autocommit") is False


def unacknowledged(command: Mapping[str, Any]) -> bool:
    """
    Return whether nobody will hear what becomes of *command*.
    """
    concern = command.get("writeConcern")
    return isinstance(concern, Mapping) and concern.get("w") == 0


def _of(namespaces: Iterable[Namespace]) -> frozenset[Scope]:
    return frozenset(map(collection_scope, namespaces))


def _collections(database: str, target: object) -> frozenset[Scope]:
    # Where the views are kept, which other reads depend on.
    if not isinstance(target, str) or target == "system.views":
        return frozenset({database_wide(database)})
    return _of([Namespace(database, target)])


def _map_reduced(database: str, out: object) -> frozenset[Scope]:
    if isinstance(out, str):
        return _of([Namespace(database, out)])
    if not isinstance(out, Mapping):
        return frozenset({database_wide(database)})
    if "inline" in out:
        return frozenset()
    named = next((out[way] for way in ("replace", "merge", "reduce") if way in out), None)
    return _collections(str(out.get("db", database)), named)


def _bulk(spaces: object) -> frozenset[Scope]:
    if not isinstance(spaces, list | tuple):
        return frozenset({EVERYTHING})
    names = [space.get("ns") if isinstance(space, Mapping) else None for space in spaces]
    if not names or not all(isinstance(name, str) for name in names):
        return frozenset({EVERYTHING})
    return _of(Namespace.parse(str(name)) for name in names)


def _renamed(*names: object) -> frozenset[Scope]:
    if not all(isinstance(name, str) for name in names):
        return frozenset({EVERYTHING})
    spaces = [Namespace.parse(str(name)) for name in names]
    return _of(spaces) | {database_wide(space.database) for space in spaces}
