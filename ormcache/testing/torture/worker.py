"""
What does one process of the torture do from its start to its end?
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal

from ormcache.testing.history.journal import Journal
from ormcache.testing.torture.application import Application
from ormcache.testing.torture.job import Job
from ormcache.testing.torture.mongo import MongoApplication
from ormcache.testing.torture.sql import SqlApplication

__all__ = ["is_mongo", "work"]

_READERS_NICE = 5


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
        application = _application(job, journal)
        application.read()
        job.ready.release()
        while not job.stopped() and os.getppid() == parent:
            if job.role == "reader":
                application.read()
            else:
                application.keep_pace()
                application.write()
        application.close()


def is_mongo(url: str) -> bool:
    """
    Whether a database's URL is one of MongoDB.
    """
    return url.startswith(("mongodb://", "mongodb+srv://"))


def _application(job: Job, journal: Journal) -> Application:
    make = MongoApplication if is_mongo(job.database_url) else SqlApplication
    return make(job, journal)
