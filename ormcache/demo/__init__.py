"""
What does the cache do for an application, shown on real data and real servers?

The 336,776 flights that left New York in 2013 lie in PostgreSQL; two applications read them through
SQLAlchemy in the same sequence of reads and writes: one from the database, one through ormcache.

    models      the tables, each with a policy
    data        the data set's files into the tables
    questions   the reads
    workload    how often each is asked, and what is written in between
    measure     a sequence carried out, timed and compared; a change seen by another application
    play        all of it, in order
    statements  what PostgreSQL says it has done meanwhile
    servers     where PostgreSQL and Valkey come from, and who tidies up
    report      the table
    picture     the picture

`ormcache demo` puts them together, in `ormcache/cli/demo.py`. Importing this folder installs and
imports nothing.
"""

FLIGHTS = 336_776
"""How many flights the data set has."""
