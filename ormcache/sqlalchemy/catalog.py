"""
What does the database itself know: views, cascades, inheritance, functions?
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import catalog_mysql, catalog_postgresql, catalog_sqlite
from .catalog_model import Catalog, Effect, Query, ReadWidening

__all__ = ["Catalog", "Effect", "Query", "ReadWidening", "load_catalog"]

_LOADERS: Final[dict[str, Callable[[Query], Catalog]]] = {
    "postgresql": catalog_postgresql.load,
    "mysql": catalog_mysql.load,
    "mariadb": catalog_mysql.load,
    "sqlite": catalog_sqlite.load,
}


def load_catalog(dialect: str, query: Query) -> Catalog:
    """
    The catalog of the database that a connection is in, read with at most seven queries.

    It is as of now and as this role sees it: load it again after the schema has changed. Needs no
    privileges; what the role may not see makes the answers more careful.

    Args:
        dialect: SQLAlchemy's `dialect.name`.
        query: Runs one SQL text without parameters and returns its rows.

    Raises:
        ValueError: ormcache does not know this dialect.
    """
    loader = _LOADERS.get(dialect)
    if loader is None:
        known = ", ".join(sorted(_LOADERS))
        raise ValueError(f"no catalog for the dialect {dialect!r}; there is one for {known}")
    return loader(query)
