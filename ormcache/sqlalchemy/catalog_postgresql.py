"""
What does a PostgreSQL server know about its tables?

Only system catalogs that every role may read are asked: a failing query would abort the
transaction it runs in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from .catalog_model import Catalog, Effect, Query, Uuid, Whole, gathered, row_names, table_name
from .facts import TableName
from .functions import words
from .sqltext import analyze

_SEARCH_PATH: Final = """
    SELECT schema::text
    FROM unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (schema, place)
    ORDER BY place
"""

_RELATIONS: Final = """
    SELECT n.nspname::text, c.relname::text, c.relkind::text,
        EXISTS (
            SELECT FROM pg_catalog.pg_rewrite r
            WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
        ),
        EXISTS (
            SELECT FROM pg_catalog.pg_trigger t
            WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
        ),
        EXISTS (
            SELECT FROM pg_catalog.pg_trigger t
            WHERE t.tgrelid = c.oid AND (t.tgtype & 64) <> 0 AND t.tgenabled <> 'D'
        ),
        c.relrowsecurity,
        pg_catalog.row_security_active(c.oid),
        CASE WHEN c.relkind = 'v' THEN pg_catalog.pg_get_viewdef(c.oid) END
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""

_EDGES: Final = """
    WITH relation AS (
        SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind AS kind
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    )
    SELECT 'view', v.schema, v.name, t.schema, t.name
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    JOIN relation v ON v.oid = r.ev_class AND v.kind = 'v'
    JOIN relation t ON t.oid = d.refobjid AND t.oid <> v.oid
    WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION
    SELECT 'policy', t.schema, t.name, s.schema, s.name
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_policy p ON p.oid = d.objid
    JOIN relation t ON t.oid = p.polrelid
    JOIN relation s ON s.oid = d.refobjid AND s.oid <> t.oid
    WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION
    SELECT 'inherits', c.schema, c.name, p.schema, p.name
    FROM pg_catalog.pg_inherits i
    JOIN relation c ON c.oid = i.inhrelid
    JOIN relation p ON p.oid = i.inhparent
    UNION
    SELECT 'cascade', t.schema, t.name, c.schema, c.name
    FROM pg_catalog.pg_constraint k
    JOIN relation c ON c.oid = k.conrelid
    JOIN relation t ON t.oid = k.confrelid
    WHERE k.contype = 'f'
        AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
"""

# By the number of bytes of whole numbers; a UUID has 16. Partitions and inherited tables show in
# others, see `parents`. A domain is a type of its own, and may compare in another way.
_COLUMNS: Final = """
    SELECT n.nspname::text, c.relname::text, a.attname::text,
        CASE WHEN a.attgenerated = '' AND a.atttypid IN (
            'pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype,
            'pg_catalog.int8'::pg_catalog.regtype, 'pg_catalog.uuid'::pg_catalog.regtype
        ) THEN a.attlen::int END,
        COALESCE(a.attnum = ANY (i.indkey::int2[]), false)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relpersistence <> 't'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""

# An aggregate is never marked volatile itself, the function it steps with may be. The functions
# of these extensions are volatile for being random, not for changing anything.
_FUNCTIONS: Final = """
    SELECT n.nspname::text, p.proname::text,
        bool_or(
            (p.provolatile = 'v' OR s.provolatile = 'v' OR p.prokind = 'p')
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_depend d
                JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                    AND d.objid = p.oid AND d.deptype = 'e'
                    AND e.extname IN ('pgcrypto', 'uuid-ossp')
            )
        )
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
    LEFT JOIN pg_catalog.pg_proc s ON s.oid = a.aggtransfn
    GROUP BY 1, 2
"""

# Builtins that execute SQL given to them as text.
_EXECUTING: Final = words("""
    cursor_to_xml cursor_to_xmlschema database_to_xml database_to_xml_and_xmlschema
    query_to_xml query_to_xml_and_xmlschema query_to_xmlschema schema_to_xml
    schema_to_xml_and_xmlschema ts_rewrite ts_stat
    """)
_UUID: Final = 16
_WORST: Final[tuple[Effect, ...]] = ("builtin", "reads", "writes")


def load(query: Query) -> Catalog:
    """The catalog of the database that the query runs in, as its role sees it."""
    relations = [_Relation(row) for row in query(_RELATIONS)]
    edges = [
        (kind, table_name(*one), table_name(*other))
        for kind, *names in query(_EDGES)
        for one, other in [(names[:2], names[2:])]
    ]
    return Catalog(
        dialect="postgresql",
        search_path=tuple(schema.casefold() for (schema,) in query(_SEARCH_PATH)),
        tables=frozenset(each.name for each in relations if each.kind != "S"),
        triggered=frozenset(each.name for each in relations if each.triggered),
        view_sources=gathered((one, other) for kind, one, other in edges if kind == "view"),
        policy_sources=gathered((one, other) for kind, one, other in edges if kind == "policy"),
        unreadable={each.name: why for each in relations if (why := each.unreadable())},
        unreadable_in_views={
            each.name: f"row-level security on {each.name.name}"
            for each in relations
            if each.has_policies
        },
        cascades=gathered((one, other) for kind, one, other in edges if kind == "cascade"),
        parents=gathered((one, other) for kind, one, other in edges if kind == "inherits"),
        unplaceable=frozenset(each.name for each in relations if each.diverts),
        row_names=row_names(
            (table_name(schema, name), column, _exact(size), in_key)
            for schema, name, column, size, in_key in query(_COLUMNS)
        ),
        functions=_effects(query(_FUNCTIONS)),
    )


class _Relation:
    """One row of the relations, by names."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        schema, name, self.kind, rules, self.triggered, instead, *policies, definition = row
        self.name: TableName = table_name(schema, name)
        self.has_policies, self._policies_bind_us = policies
        self.diverts = rules or instead
        self._definition: str | None = definition

    def unreadable(self) -> str | None:
        """Why a read of it must not be stored, or None."""
        if self.kind == "S":
            return f"sequence {self.name.name}"
        if self.kind == "f":
            return f"foreign table {self.name.name}"
        if self._policies_bind_us:
            return f"row-level security on {self.name.name}"
        if self.kind == "v":
            why = analyze(self._definition or "", "postgresql", "").uncacheable
            return f"view {self.name.name}: {why}" if why else None
        return None


def _exact(size: int | None) -> Uuid | Whole | None:
    if size is None:
        return None
    return Uuid() if size == _UUID else Whole(-(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1)


def _effects(rows: Iterable[tuple[Any, ...]]) -> dict[str, Effect]:
    effects: dict[str, Effect] = {}
    for schema, name, volatile in rows:
        effect: Effect = "writes" if volatile else "reads"
        if schema == "pg_catalog":
            effect = "writes" if name in _EXECUTING else "builtin"
        for key in (f"{schema}.{name}".lower(), name.lower()):
            effects[key] = max(effect, effects.get(key, effect), key=_WORST.index)
    return effects
