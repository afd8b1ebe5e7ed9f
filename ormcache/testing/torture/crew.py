"""
Who starts the processes of an act, replaces those that were killed, and ends them all?
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import NamedTuple

from ormcache.testing.torture.job import Job
from ormcache.testing.torture.worker import work

__all__ = ["Crew", "WorkerEnded"]

_TICK = 0.05
_FIRST_WORDS = 120.0
_LAST_WORDS = 30.0


class WorkerEnded(RuntimeError):
    """
    A process ended by itself.
    """


class _Worker(NamedTuple):
    job: Job
    process: ForkServerProcess


class Crew:
    """
    The processes that do *jobs*.
    """

    def __init__(self, context: ForkServerContext, jobs: list[Job], chance: random.Random) -> None:
        self._context = context
        self._chance = chance
        self._workers = [self._start(job) for job in jobs]
        self.kills = 0

    def wait_until_ready(self) -> None:
        """
        Wait until every process has read something.
        """
        end = time.monotonic() + _FIRST_WORDS
        for worker in self._workers:
            while not worker.job.ready.acquire(timeout=_TICK):
                self._replace()
                if time.monotonic() > end:
                    self._show_stacks()
                    raise WorkerEnded(f"not all processes began within {_FIRST_WORDS:.0f} s")

    def kill_a_writer(self) -> None:
        """
        Send SIGKILL to one of the writers.
        """
        writers = [w for w in self._workers if w.job.role == "writer" and w.process.is_alive()]
        if writers:
            self._chance.choice(writers).process.kill()

    def wait(self, seconds: float) -> None:
        """
        Let them work, and replace those that are killed.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(_TICK, left))
            self._replace()

    def join(self) -> None:
        """
        Wait for the end of all; they have been told.
        """
        for worker in self._workers:
            worker.process.join(_LAST_WORDS)
            if worker.process.is_alive():
                self._show_stacks()
                raise WorkerEnded(f"{worker.job.name} did not end when told to")

    def abandon(self) -> None:
        """
        End all at once.
        """
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()

    def _show_stacks(self) -> None:
        """
        Have those that are left print where they are.
        """
        for worker in self._workers:
            if worker.process.is_alive() and worker.process.pid is not None:
                os.kill(worker.process.pid, signal.SIGUSR1)
        time.sleep(1)

    def _replace(self) -> None:
        for place, (job, process) in enumerate(self._workers):
            if process.is_alive():
                continue
            process.join()
            if process.exitcode != -signal.SIGKILL:
                raise WorkerEnded(f"{job.name} ended with exit code {process.exitcode}")
            self.kills += 1
            self._workers[place] = self._start(replace(job, incarnation=job.incarnation + 1))

    def _start(self, job: Job) -> _Worker:
        process = self._context.Process(target=work, args=(job,), name=job.name, daemon=True)
        process.start()
        return _Worker(job, process)
