"""
What do we know about one SQL text?
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class TableName(NamedTuple):
    """
    A table or view as a statement names it, casefolded; `schema` is None when none was written.

    Folding the case of quoted names too can only join two tables into one, never part them.
    In MySQL the database is the schema.
    """

    schema: str | None
    name: str


class Kind(Enum):
    """What a statement mainly is."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"
    SESSION = "session"
    TRANSACTION = "transaction"
    CALL = "call"
    UNKNOWN = "unknown"


NOTHING: frozenset[TableName] = frozenset()


@dataclass(frozen=True, slots=True)
class SqlFacts:
    """
    What a SQL text reads, writes, calls and changes besides.

    Attributes:
        kind: What the statement mainly is; the gravest of several.
        reads: Every table or view it reads. Aliases and CTE names are left out.
        writes: Tables it changes by name. None: cannot tell, may be anything in the database.
        functions: Functions it calls that are not known to be deterministic builtins, lower
            case, with their schema if one was written.
        uncacheable: Why its result must not be stored, or None when it may be.
        ordered: It has an ORDER BY at the top.
        implicit_commit: Executing it may commit the transaction in progress.
        changes_session: It changes what later statements on the connection mean.
    """

    kind: Kind
    reads: frozenset[TableName] = NOTHING
    writes: frozenset[TableName] | None = NOTHING
    functions: frozenset[str] = frozenset()
    uncacheable: str | None = None
    ordered: bool = False
    implicit_commit: bool = False
    changes_session: bool = False
