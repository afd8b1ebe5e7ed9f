"""
What does PostgreSQL say it has done?

The extension `pg_stat_statements` counts every statement and the time spent in it. Its counters
are read before and after and never reset: on a database that others use, they are not ours.
"""

from __future__ import annotations

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ormcache.demo.database import Work

__all__ = ["install", "work_so_far"]


# Without BEGIN and ROLLBACK, which cost a database next to nothing: they would double the number.
_SO_FAR = text(r"""
    SELECT coalesce(sum(calls), 0), coalesce(sum(total_plan_time + total_exec_time), 0) / 1000
      FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND userid = current_user::regrole
       AND query !~* '^\s*(begin|start|commit|rollback|set|show|deallocate)\M'
       AND query !~* 'pg_stat_statements'
    """)


def install(engine: Engine) -> None:
    """
    Make the counters available, on a server of ours.
    """
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_stat_statements"))


def work_so_far(engine: Engine) -> Work | None:
    """
    Return what this user's statements in this database add up to; None where nobody counts them.
    """
    try:
        with engine.connect() as connection:
            statements, seconds = connection.execute(_SO_FAR).one()
    except DBAPIError:
        return None
    return Work(int(statements), float(seconds))
