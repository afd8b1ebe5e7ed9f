"""
Does the cache keep its promises while everything around it is being broken?

    python -m ormcache.testing.torture --seconds 60
    python -m ormcache.testing.torture --database postgresql://… --store redis://… --seconds 600

Several processes write and read the same rows, through the cache, while writers are killed, the
store is killed, paused, flushed and filled, and the network is slowed and cut. All that they do is
recorded, and checked afterwards: see `ormcache.testing.history`.

    faults        what is done, and in which order
    harm, proxy   how it is done
    registers     what is read and written
    application   what all applications do; sql and mongo say how, tables in which tables
    job, worker   one process; unlucky makes it stall or die between two steps
    crew          the processes of one act
    run           all acts, one after the other, and their histories checked
    report        the table
"""

from ormcache.testing.torture.report import as_json, as_table
from ormcache.testing.torture.run import Options, Result, torture

__all__ = ["Options", "Result", "as_json", "as_table", "torture"]
