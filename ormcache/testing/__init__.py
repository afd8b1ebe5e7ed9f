"""
What do ormcache's own tests stand on, that yours may use as well?

    assert_reads, assert_database_statements     what a test expects of the cache
    plugin                                       the fixture that pytest gets by itself
    servers                                      real databases and stores for a test run
    store_contract, codec_contract               what a store or codec of your own must pass
    clock                                        a clock that a test moves
"""

from __future__ import annotations

from .assertions import assert_database_statements, assert_reads

__all__ = ["assert_database_statements", "assert_reads"]
