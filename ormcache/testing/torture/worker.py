"""
What does one process of the torture do from its start to its end?
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from ormcache.testing.history.journal import Journal
from ormcache.testing.torture.application import Application
from ormcache.testing.torture.job import Job
from ormcache.testing.torture.registers import Registers

__all__ = ["Workload", "is_mongo", "work", "workload"]

_READERS_NICE = 5


class Workload(NamedTuple):
    """
    What knows how to deal with one kind of database.
    """

    application: Callable[[Job, Journal], Application]
    prepare: Callable[[str, list[Registers]], None]
    """Makes the tables of the database at a URL anew, with rows for some registers."""
    remove: Callable[[str], None]
    """Drops them."""


def work(job: Job) -> None:
    """
    Read or write until told to stop.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    # The outages that it would warn about are ours.
    logging.getLogger("ormcache").setLevel(logging.CRITICAL)
    if job.role == "reader":
        # Readers never rest: what they wait for is not to be kept waiting by others of them.
        os.nice(_READERS_NICE)
    faulthandler.register(signal.SIGUSR1)  # for `Crew.join`: where does it hang?
    parent = os.getppid()
    with job.journal() as journal:
        application = workload(job.database_url).application(job, journal)
        application.read()
        job.ready.release()
        while not job.stopped() and os.getppid() == parent:
            if job.role == "reader":
                application.read()
            else:
                application.keep_pace()
                application.write()
        application.close()


def workload(database_url: str) -> Workload:
    """
    Return what is done to a database of this kind.

    Importing it needs the database's library, so only that is imported which is used.
    """
    if is_mongo(database_url):
        from ormcache.testing.torture import mongo

        return Workload(mongo.MongoApplication, mongo.prepare, mongo.remove)
    from ormcache.testing.torture import sql

    return Workload(sql.SqlApplication, sql.prepare, sql.remove)


def is_mongo(url: str) -> bool:
    """
    Whether a database's URL is one of MongoDB.
    """
    return url.startswith(("mongodb://", "mongodb+srv://"))
