"""
How is the outcome shown?
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ormcache.testing.history import Tally
from ormcache.testing.torture.run import Result, Row

__all__ = ["as_json", "as_table"]

_COLUMNS = {
    "reads": "reads",
    "hits": "hits",
    "bypassed": "bypassed",
    "stale": "stale",
    "owed": "owed",
    "uncommitted": "uncommitted",
    "torn": "torn",
    "backwards": "backwards",
    "commits": "commits",
    "refused": "refused",
    "conflicts": "conflicts",
    "errors": "errors",
    "longest_without_hit": "no hit, s",
}


def as_table(result: Result) -> str:
    """
    Return a table of all rows, and what was tortured.
    """
    table = [("database", "fault", *_COLUMNS.values()), *map(_cells, result.rows)]
    table.append(("all", "", *_numbers(_total(result.rows))))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    lines.append(
        f"{result.killed} writers killed; seed {result.options.seed}; "
        f"{'; '.join(result.servers) or 'servers as given'}"
    )
    return "\n".join(lines)


def as_json(result: Result) -> str:
    """
    Return the same for a program.
    """
    rows = [
        {
            "database": row.database,
            "fault": row.fault.name,
            "wrong": row.wrong,
            **_counts(row.tally),
        }
        for row in result.rows
    ]
    told = {
        "seed": result.options.seed,
        "seconds": result.options.seconds,
        "servers": result.servers,
        "wrong": result.wrong,
        "writers_killed": result.killed,
        "rows": rows,
        "total": _counts(_total(result.rows)),
        "stories": result.stories,
    }
    return json.dumps(told, indent=2)


def _cells(row: Row) -> tuple[str, ...]:
    return (row.database, row.fault.name, *_numbers(row.tally))


def _numbers(tally: Tally) -> list[str]:
    return [
        f"{value:,}" if isinstance(value, int) else f"{value:.1f}"
        for value in (getattr(tally, name) for name in _COLUMNS)
    ]


def _total(rows: Sequence[Row]) -> Tally:
    total = Tally()
    for name in _COLUMNS:
        values = [getattr(row.tally, name) for row in rows]
        setattr(
            total, name, max(values, default=0.0) if name.startswith("longest") else sum(values)
        )
    return total


def _counts(tally: Tally) -> dict[str, Any]:
    return {f.name: getattr(tally, f.name) for f in fields(tally) if f.name != "findings"}
