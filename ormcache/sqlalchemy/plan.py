"""
What does this statement depend on, change, and may it be cached?

Everything structural is worked out once per compiled statement and kept, until a policy or the
database's catalog changes; an execution then only adds its parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ormcache.entry import FORMAT
from ormcache.fingerprint import digest
from ormcache.model import Reason, Scope, bulk_scope, database_scope, table_scope
from ormcache.policy import Policy

from .facts import Kind, SqlFacts, TableName
from .options import declared_tables, override
from .slices import SlicedTable, Slicing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine.interfaces import Compiled

    from ormcache.policy import Policies

    from .catalog import Catalog
    from .identity import Identity

__all__ = ["Plan", "column_layout", "make_plan", "readable", "tables_that_count"]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is known of one statement on one database, before its parameters.
    """

    facts: SqlFacts
    tables: tuple[str, ...]
    """As the statement names them; for people."""
    reads: tuple[Scope, ...]
    """What a result depends on: first the whole database, then tables in a fixed order."""
    writes: frozenset[Scope]
    """What it changes, widened by what the database does besides."""
    slicing: Slicing
    """What is known of the rows that it reads and changes."""
    policy: Policy | None
    refusal: tuple[Reason, str] | None
    """Why its result is never cached, or None."""
    key: str
    """The part of the fingerprint that all its executions share."""
    commits_itself: bool
    """Whether it writes what no rollback undoes: then the statement is the commit."""
    catalog: Catalog
    """What it was made from."""


def make_plan(
    facts: SqlFacts,
    options: dict[str, Any],
    identity: Identity,
    catalog: Catalog,
    policies: Policies,
    layout: str,
    *,
    any_schema: bool = False,
) -> Plan:
    """
    Return the plan of a statement.

    *any_schema*: the connection's search path is not the one the catalog knows, so a name without
    a schema may be any table of that name.
    """
    declared = _declared(options)
    named = tables_that_count(facts, options)
    lacking = ", ".join(sorted(readable(t) for t in named if policies.for_table(*t) is None))
    policy = _policy(named, policies, options.get("ormcache"))
    depends_on = declared_tables(policy.depends_on) if policy else frozenset()
    sources = _placed(named | depends_on, catalog, any_schema=any_schema)
    widened = catalog.reads(sources or frozenset())
    unresolvable = "a table may be in any schema" if sources is None else widened.unresolvable
    whole = database_scope(identity.database)
    reads = (whole, *sorted(_scopes(identity, widened.tables)))
    written = _written(facts, declared, catalog, any_schema=any_schema)
    slicer = _Slicer(identity, catalog, policies)
    plainly = not any_schema and declared is None
    return Plan(
        facts=facts,
        tables=tuple(sorted(readable(t) for t in named | (facts.writes or frozenset()))),
        reads=reads,
        writes=frozenset({whole}) if written is None else _scopes(identity, written),
        slicing=Slicing(
            reads=slicer.reads(facts.reads, depends_on) if plainly else {},
            changed=slicer.changed(facts, written) if plainly else None,
            bulk=slicer.bulk(facts, written, plainly=plainly),
            unsliced=slicer.unsliced(named),
        ),
        policy=policy,
        refusal=_refusal(
            facts, named, policy, lacking, identity, catalog, unresolvable, declared is not None
        ),
        key=digest((str(FORMAT), identity.database, identity.session, layout, *reads)),
        commits_itself=not catalog.nontransactional.isdisjoint(written or ()),
        catalog=catalog,
    )


def tables_that_count(facts: SqlFacts, options: dict[str, Any]) -> frozenset[TableName]:
    """
    Return the tables whose policies a read is under: those it declares, else those it names.
    """
    declared = _declared(options)
    return facts.reads if declared is None or facts.kind is not Kind.READ else declared


def _declared(options: dict[str, Any]) -> frozenset[TableName] | None:
    return declared_tables(options["ormcache_tables"]) if "ormcache_tables" in options else None


def column_layout(compiled: Compiled | None) -> str:
    """
    Return a text for the result columns' names and types.

    A model can change its columns' types between two deploys while the SQL stays alike.
    """
    columns = getattr(compiled, "_result_columns", None)
    if not columns:
        return ""
    return "|".join(f"{c.keyname}:{_type_name(c.type)}" for c in columns)


def _type_name(kind: Any) -> str:
    name = f"{type(kind).__module__}.{type(kind).__qualname__}"
    inner = getattr(kind, "impl", None)
    # Addresses differ between processes that mean the same type.
    shown = re.sub(r" at 0x[0-9a-f]+", "", repr(kind))
    return f"{name}({shown})" + (
        f"<{_type_name(inner)}>" if inner is not None and inner is not kind else ""
    )


def _policy(named: Iterable[TableName], policies: Policies, said: Any) -> Policy | None:
    found = [policies.for_table(*table) for table in named]
    every = [policy for policy in found if policy is not None]
    combined = Policy.strictest(every) if len(every) == len(found) else None
    return override(combined, said)


def _refusal(
    facts: SqlFacts,
    named: frozenset[TableName],
    policy: Policy | None,
    lacking: str,
    identity: Identity,
    catalog: Catalog,
    unresolvable: str | None,
    declared: bool,  # noqa: FBT001
) -> tuple[Reason, str] | None:
    if identity.problem is not None:
        return Reason.DATABASE, identity.problem
    if facts.kind is not Kind.READ or facts.writes is None or facts.writes or facts.changes_session:
        return Reason.STATEMENT, _no_plain_read(facts)
    if facts.uncacheable is not None and not (declared and _only_unknown(facts)):
        return Reason.STATEMENT, facts.uncacheable
    if policy is None:
        return Reason.NO_POLICY, lacking or "reads no table"
    if not policy.enabled:
        return Reason.NEVER, ""
    if not named:
        return Reason.STATEMENT, "reads no table"
    if unresolvable is not None:
        return Reason.STATEMENT, unresolvable
    unseen = [t for t in named if not declared and catalog.resolve(t).isdisjoint(catalog.tables)]
    if unseen:
        # A temporary table, or one made by someone else since the catalog was read.
        return Reason.STATEMENT, f"table {readable(unseen[0])} is not in the catalog"
    return None


def _no_plain_read(facts: SqlFacts) -> str:
    if facts.kind is Kind.READ:
        return "it changes the session"
    said = facts.uncacheable if facts.kind is Kind.UNKNOWN else None
    return said or f"a {facts.kind.value} statement"


def _only_unknown(facts: SqlFacts) -> bool:
    # Declaring the tables answers "what does it read?", not "is it the same every time?".
    said = facts.uncacheable or ""
    return said.startswith(("not parsable", "unknown function"))


def _written(
    facts: SqlFacts, declared: frozenset[TableName] | None, catalog: Catalog, *, any_schema: bool
) -> frozenset[TableName] | None:
    """
    Return every table that the statement may change, or None where it may be any.
    """
    if declared is None and _calls_a_writer(facts, catalog):
        return None
    if facts.kind is Kind.READ and facts.writes == frozenset():
        return frozenset()
    named = facts.writes if declared is None else declared
    placed = None if named is None else _placed(named, catalog, any_schema=any_schema)
    return None if placed is None else catalog.writes(placed)


def _calls_a_writer(facts: SqlFacts, catalog: Catalog) -> bool:
    # A SELECT may write too: what an unknown function does is asked of the catalog.
    return any(catalog.function_effect(name) in ("writes", "unknown") for name in facts.functions)


def _placed(
    tables: Iterable[TableName], catalog: Catalog, *, any_schema: bool
) -> frozenset[TableName] | None:
    """
    Return where *tables* may be, or None where one of them may be anywhere.
    """
    placed: set[TableName] = set()
    for table in tables:
        if any_schema and table.schema is None:
            here = frozenset(t for t in catalog.tables if t.name == table.name)
        else:
            here = catalog.resolve(table)
        if not here:
            return None
        placed |= here
    return frozenset(placed)


class _Slicer:
    """
    Tells which tables of a statement may be sliced.
    """

    def __init__(self, identity: Identity, catalog: Catalog, policies: Policies) -> None:
        self._identity = identity
        self._catalog = catalog
        self._policies = policies

    def reads(
        self, named: frozenset[TableName], depends_on: frozenset[TableName]
    ) -> dict[TableName, SlicedTable]:
        """
        Return the tables of a read, by the name they have in it.

        Not one that it also reads by another name or through a view: it is not pinned there.
        """
        found: dict[TableName, SlicedTable] = {}
        for name in named:
            place = self._place(name)
            others = self._catalog.reads((named - {name}) | depends_on).tables
            if place is not None and place not in others:
                self._add(found, name, place)
        return found

    def changed(
        self, facts: SqlFacts, written: frozenset[TableName] | None
    ) -> tuple[TableName, SlicedTable] | None:
        """
        Return the one table whose rows a change names, or None.
        """
        names = tuple(facts.writes or ())
        if facts.kind is not Kind.WRITE or not written or len(names) != 1:
            return None
        name = names[0]
        found: dict[TableName, SlicedTable] = {}
        if (place := self._place(name)) is not None:
            self._add(found, name, place)
        return (name, found[name]) if found else None

    def bulk(
        self, facts: SqlFacts, written: frozenset[TableName] | None, *, plainly: bool
    ) -> frozenset[Scope]:
        """
        Return what ends every slice of the tables that are changed besides.
        """
        one = self.changed(facts, written) if plainly else None
        scopes = _scopes(self._identity, written or ())
        return frozenset(bulk_scope(s) for s in scopes if one is None or s != one[1].scope)

    def unsliced(self, named: frozenset[TableName]) -> tuple[str, ...]:
        """
        Return the columns, as `table.column`, that a policy names in vain.
        """
        found = []
        for place in filter(None, map(self._place, sorted(named, key=repr))):
            policy, rows = self._policies.for_table(*place), self._catalog.rows_of(place)
            usable = rows.columns if rows is not None else ()
            wanted = policy.slices if policy is not None else ()
            found += [f"{place.name}.{column}" for column in wanted if column not in usable]
        return tuple(found)

    def _place(self, name: TableName) -> TableName | None:
        here = self._catalog.resolve(name) & self._catalog.tables
        return next(iter(here)) if len(here) == 1 else None

    def _add(self, found: dict[TableName, SlicedTable], name: TableName, place: TableName) -> None:
        rows = self._catalog.rows_of(place)
        if rows is None:
            return
        policy = self._policies.for_table(*place)
        (scope,) = _scopes(self._identity, [place])
        table = SlicedTable(scope, rows, policy.slices if policy is not None else ())
        if table.slices:
            found[name] = table


def _scopes(identity: Identity, tables: Iterable[TableName]) -> frozenset[Scope]:
    return frozenset(table_scope(identity.database, t.schema or "", t.name) for t in tables)


def readable(table: TableName) -> str:
    """
    Return a table's name as people write it.
    """
    return f"{table.schema}.{table.name}" if table.schema else table.name
