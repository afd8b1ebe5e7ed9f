"""
Did any process read what it must not have read?

Every process keeps a journal of what it read and wrote, with times of one clock that all of them
share; afterwards `check` compares each read with what had been committed before it began.

The things that are read and written are *registers*: one number each, in one row or in several that
are always written together. A register's values never repeat, and those that are committed grow,
so a value tells who wrote it, and of two the older one.

    journal     what one process did, in records that survive its SIGKILL
    past        what was committed, when, and by whom
    check       which reads were wrong, counted by phase
    story       what happened around a wrong read, to be read by a person
"""

from ormcache.testing.history.check import Finding, Phase, Tally, check
from ormcache.testing.history.journal import Journal, Kind, Record, now, records
from ormcache.testing.history.past import Past
from ormcache.testing.history.story import tell

__all__ = [
    "Finding",
    "Journal",
    "Kind",
    "Past",
    "Phase",
    "Record",
    "Tally",
    "check",
    "now",
    "records",
    "tell",
]
