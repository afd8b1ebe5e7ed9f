"""
Query results cached inside SQLAlchemy and PyMongo, fresh after every commit.

    cache = Cache.from_url("redis://localhost:6379/0", namespace="shop")
    cache.enable(Session)                                       # SQLAlchemy
    client = ormcache.pymongo.MongoClient(uri, cache=cache)     # MongoDB

    class Product(Base):
        __cache_policy__ = Policy(ttl=300)

The map of the package:

    errors, model, protocols, events     the words
    policy, rulebook, settings           what the user asked for
    reading, freshness, entry            the life of a read
    writing, touched                     the life of a write
    fingerprint                          when two reads are the same read
    seals                                what a secret adds to an entry
    effects, drive                       what the paths ask for, and who does it
    cache                                what the user holds
    explanation                          would this be cached, and why
    audience, recording                  who is told what became of reads and commits
    sqlalchemy/ pymongo/                 the edges to databases, one foreign library each
    stores/ codecs/                      those to the store
    web/                                 a report of each request, in its response
    testing/                             real servers and contracts, for users and for us
"""

from __future__ import annotations

from .cache import Cache
from .errors import (
    CommitRefusedError,
    ConfigurationError,
    OrmcacheError,
    StoreError,
    Undecodable,
    Unstorable,
)
from .events import CommitEvent, ReadEvent, ShadowDifference
from .explanation import Explanation
from .model import Outcome, Reason
from .policy import Policy
from .recording import Recording

__all__ = [
    "Cache",
    "CommitEvent",
    "CommitRefusedError",
    "ConfigurationError",
    "Explanation",
    "OrmcacheError",
    "Outcome",
    "Policy",
    "ReadEvent",
    "Reason",
    "Recording",
    "ShadowDifference",
    "StoreError",
    "Undecodable",
    "Unstorable",
]
