"""
What are the scopes of a MongoDB deployment?

    mongodb/shop.products    one collection
    mongodb/shop.*           a database: its views may have changed, or anything in it
    mongodb/*                everything

No scope names the deployment. Two clients may know one deployment by different addresses, see its
members change at different times, and must still agree on these names, or a write would miss a
read; two deployments that share them only end each other's entries. What must never be shared is
the entries: a read's key names the deployment, see `identity`.
"""

from __future__ import annotations

from typing import NamedTuple

from ormcache.model import Scope, database_scope, table_scope

__all__ = ["EVERYTHING", "Namespace", "collection_scope", "database_wide"]

_PRODUCT = "mongodb"
_BUCKETS = "system.buckets."
_SYSTEM = "system."
_SYSTEMS_OWN = ("admin", "config", "local")

EVERYTHING = database_scope(_PRODUCT)
"""
What a write touches that nobody can place.
"""


class Namespace(NamedTuple):
    """
    A collection, a view or a time series, by database and name.
    """

    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"

    @property
    def is_the_servers(self) -> bool:
        """
        Whether the server writes it by itself, as the profiler's log or the oplog.
        """
        return self.database in _SYSTEMS_OWN or (
            self.collection.startswith(_SYSTEM) and not self.collection.startswith(_BUCKETS)
        )

    @classmethod
    def parse(cls, full_name: str) -> Namespace:
        """
        Return what `database.collection` names; a collection's own name may contain dots.
        """
        database, _, collection = full_name.partition(".")
        return cls(database, collection)


def collection_scope(namespace: Namespace) -> Scope:
    """
    Return the scope of one collection; a time series and its buckets have one between them.
    """
    return table_scope(_PRODUCT, namespace.database, namespace.collection.removeprefix(_BUCKETS))


def database_wide(database: str) -> Scope:
    """
    Return the scope that every read in a database depends on.
    """
    return table_scope(_PRODUCT, database, "*")
