"""
How is the result shown in a terminal?
"""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ormcache import Outcome

from .database import Wording
from .freshness import Freshness, Seen
from .measure import Result
from .workload import Kind

__all__ = ["fewer", "report"]


def report(result: Result) -> RenderableType:
    """
    Return the tables, made to fit into 80 columns.
    """
    return Group(_freshness(result.freshness), "", _comparison(result), _verdict(result))


def fewer(before: float, after: float) -> str:
    """
    Return the change between two amounts in per cent.
    """
    change = 100 * (after - before) / before if before else 0.0
    return f"{change:+.0f} %"


def _comparison(result: Result) -> Table:
    table = Table(
        title=f"{result.reads:,} reads in {result.flights:,} flights",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("")
    for heading in ("database", "ormcache", "change"):
        table.add_column(heading, justify="right")
    for kind, name in _kinds(result.wording).items():
        _latency(table, result, kind, name)
    _load(table, result)
    table.add_row("hit rate", "", f"{100 * result.tally.hit_rate:.1f} %", "")
    stale = Text(str(result.stale), style="bold red" if result.stale else "bold green")
    table.add_row("stale reads", "", stale, f"of {result.reads:,}")
    return table


def _kinds(wording: Wording) -> dict[Kind, str]:
    return {
        Kind.LOOKUP: "lookup by key",
        Kind.LIST: wording.listing,
        Kind.AGGREGATE: "aggregate",
        Kind.WRITE: wording.writing,
    }


def _latency(table: Table, result: Result, kind: Kind, name: str) -> None:
    # A handful of writes has no 95th percentile worth the name.
    shares = (0.5,) if kind is Kind.WRITE else (0.5, 0.95)
    for share in shares:
        before, after = (run.quantile(kind, share) for run in (result.database, result.cached))
        label = f"{name}, p50" if share == shares[0] else f"{'':{len(name)}}  p95"
        last = share == shares[-1]
        table.add_row(label, _ms(before), _ms(after), _times(before, after), end_section=last)


def _load(table: Table, result: Result) -> None:
    before, after = result.database.work, result.cached.work
    counted = f"database {result.wording.work}"
    if before is None or after is None:
        table.add_row(counted, "n/a", "n/a", "")
        table.add_row("database time", "n/a", "n/a", "", end_section=True)
        return
    table.add_row(
        counted,
        *(f"{before.requests:,}", f"{after.requests:,}"),
        fewer(before.requests, after.requests),
    )
    table.add_row(
        "database time",
        *(f"{before.seconds:.2f} s", f"{after.seconds:.2f} s"),
        fewer(before.seconds, after.seconds),
        end_section=True,
    )


def _freshness(freshness: Freshness) -> Table:
    table = Table(
        title="Another application changes a delay; the next read shows it",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("", "minutes late", "answered by", "in"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("read", *_seen(freshness.before))
    table.add_row("the other one changes it", str(freshness.written), "", "", style="bold")
    table.add_row("read", *_seen(freshness.after))
    table.add_row("read", *_seen(freshness.again))
    return table


def _seen(seen: Seen) -> tuple[str, str, str]:
    by = "ormcache" if seen.outcome is Outcome.HIT else "database"
    return str(seen.value), by, _ms(seen.seconds)


def _verdict(result: Result) -> Text:
    writes = len(result.steps) - result.reads
    text = Text(
        f"Every answer of the cached run was compared with the database's own at the same "
        f"point, {writes} {result.wording.writes} included."
    )
    if result.database.work is None:
        text.append(f"\nn/a: {result.wording.uncounted}.")
    return text


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _times(before: float, after: float) -> str:
    if not before or not after:
        return ""
    if after <= before:
        return f"{before / after:.1f} x faster"
    return f"{after / before:.1f} x slower"
