"""
What does the cache do for an application, shown on real data and real servers?

The 336,776 flights that left New York in 2013 lie in a database; two applications read them in the
same sequence of reads and writes: one from the database, one through ormcache.

    database    what a database must be able to do to take part
    postgresql  PostgreSQL, read through SQLAlchemy
    mongodb     MongoDB, read through PyMongo
    source      the data set's files
    workload    how often each question is asked, and what is written in between
    measure     a sequence carried out, timed and compared
    freshness   a change seen by another application
    play        all of it, in order
    servers     where the database and Valkey come from, and who tidies up
    report      the table
    picture     the picture

Each database's folder has the same four: `database` puts it together, `data` loads, `questions`
asks, `server` says where it comes from. `ormcache demo` starts it all, in `ormcache/cli/demo.py`.
Importing this folder installs and imports nothing.
"""

FLIGHTS = 336_776
"""How many flights the data set has."""
