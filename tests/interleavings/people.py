"""
Who takes part, by short names.
"""

from functools import cache

from ormcache.model import Scope
from tests.interleavings.markers import Change, Query
from tests.interleavings.programs import Program, changes, program, reads, transaction

__all__ = [
    "ANY",
    "BULK",
    "FIVE",
    "SIX",
    "T1",
    "T2",
    "TABLES",
    "changing",
    "keeper",
    "query",
    "reader",
    "writer",
]

T1, T2 = TABLES = (Scope("t1"), Scope("t2"))
ANY, BULK = Scope("t!any"), Scope("t!bulk")
FIVE, SIX = Scope("t#id=5"), Scope("t#id=6")


def query(*items: int) -> Query:
    """
    Return a statement that reads these tables.
    """
    name = "+".join(TABLES[item] for item in items)
    return Query(name, items, tuple(TABLES[item] for item in items))


def changing(*items: int) -> Change:
    """
    Return a statement that changes these tables.
    """
    name = "+".join(TABLES[item] for item in items)
    return Change(name, items, tuple(TABLES[item] for item in items))


@cache
def reader(*items: int) -> Program:
    """
    Return who reads these tables once, in a statement of its own.
    """
    return program(transaction(reads(query(*items))))


@cache
def writer(*items: int, ends: str = "commit") -> Program:
    """
    Return who changes these tables in one transaction.
    """
    return program(transaction(changes(changing(*items)), ends=ends))


@cache
def keeper(*queries: Query, chosen: bool = False) -> Program:
    """
    Return who reads several times from one snapshot.
    """
    steps = [reads(each) for each in queries]
    return program(transaction(*steps, keeps=TABLES, chosen=chosen))
