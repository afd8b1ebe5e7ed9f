"""
How is the result shown in a picture?
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .database import Wording
from .measure import Result, Run
from .report import fewer
from .workload import Kind

__all__ = ["draw"]

_DATABASE = "#8d99ae"
_CACHED = "#d1495b"
_INK = "#22283a"


def draw(result: Result, path: Path) -> None:
    """
    Write the picture as a PNG of 1500 by 780 pixels.

    Raises:
        OSError: It cannot be written there.
    """
    figure = Figure(figsize=(12.5, 6.5), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    places = figure.subplots(1, 3, width_ratios=(1.25, 0.9, 1.25))
    figure.subplots_adjust(left=0.06, right=0.965, top=0.72, bottom=0.13, wspace=0.22)
    _latency(places[0], result)
    _load(places[1], result)
    _progress(places[2], result)
    _headline(figure, result)
    figure.savefig(path, format="png")


def _headline(figure: Figure, result: Result) -> None:
    before, after = result.database.work, result.cached.work
    rate = f"{100 * result.tally.hit_rate:.0f} % of {result.wording.asked} answered from the cache"
    stale = f"{result.stale or 'no'} stale read{'' if result.stale == 1 else 's'}"
    title = f"{rate}, {stale}"
    if before and after and before.seconds and after.seconds < before.seconds:
        title = f"{100 - 100 * after.seconds / before.seconds:.0f} % less database time, {stale}"
    writes = len(result.steps) - result.reads
    figure.text(0.06, 0.93, title, fontsize=21, fontweight="bold", color=_INK, va="center")
    figure.text(
        *(0.06, 0.865),
        f"The same {result.reads:,} {result.wording.reads} and {writes} {result.wording.writes} on "
        f"{result.flights:,} flights, without and with ormcache. {rate.capitalize()};\n"
        "each answer was compared with the database's own.",
        fontsize=11.5,
        color="#555b6e",
        va="center",
    )


def _latency(axes: Axes, result: Result) -> None:
    _title(axes, "How long a read takes", "milliseconds, logarithmic")
    kinds = _kinds(result.wording)
    for side, (run, colour, name) in enumerate(_named(result)):
        for place, kind in enumerate(kinds):
            x = place + (side - 0.5) * 0.38
            p50, p95 = (1000 * run.quantile(kind, share) for share in (0.5, 0.95))
            axes.bar(x, p50, 0.34, color=colour, label=name if not place else None)
            axes.plot([x, x], [p50, p95], color=_INK, linewidth=1.2)
            axes.plot([x - 0.07, x + 0.07], [p95, p95], color=_INK, linewidth=1.2)
            axes.text(x + 0.02, p50, f" {_short(p50)}", ha="left", va="bottom", fontsize=10)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(range(len(kinds)), list(kinds.values()))
    axes.legend(frameon=False, loc="upper left", title="bar: p50, whisker: p95", fontsize=11)


def _load(axes: Axes, result: Result) -> None:
    before, after = result.database.work, result.cached.work
    if before is None or after is None:
        _title(axes, "What the database does", "not counted here")
        axes.set_axis_off()
        return
    _title(axes, "What the database does", "per cent of the run without a cache")
    pairs = (
        (result.wording.work, before.requests, after.requests, "{:,}"),
        ("time", before.seconds, after.seconds, "{:.1f} s"),
    )
    for place, (_, old, new, shown) in enumerate(pairs):
        left, right, share = place - 0.21, place + 0.21, 100 * new / old if old else 0.0
        axes.bar((left, right), (100, share), 0.38, color=(_DATABASE, _CACHED))
        axes.text(left, 101, shown.format(old), ha="center", va="bottom", fontsize=10)
        axes.text(right, share + 1, shown.format(new), ha="center", va="bottom", fontsize=10)
        axes.text(right, share + 7, fewer(old, new), ha="center", va="bottom", **_strong(_CACHED))
    axes.set_ylim(0, 112)
    axes.set_xticks(range(len(pairs)), [name for name, *_ in pairs])


def _progress(axes: Axes, result: Result) -> None:
    _title(axes, "How the time adds up", "seconds, after so many reads; dotted: a write")
    highest = 0.0
    for run, colour, name in _named(result):
        total = list(itertools.accumulate(run.seconds))
        highest = max(highest, *total)
        axes.plot(total, color=colour, linewidth=2.4)
        end = f"{name} {total[-1]:.1f} s  "
        axes.text(len(total), total[-1], end, ha="right", va="bottom", **_strong(colour))
    for place, kind in enumerate(result.cached.kinds):
        if kind is Kind.WRITE:
            axes.axvline(place, color=_INK, linewidth=0.8, linestyle=":", alpha=0.6, zorder=0)
    axes.set_xlim(0, len(result.steps))
    axes.set_ylim(0, 1.12 * highest)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _kinds(wording: Wording) -> dict[Kind, str]:
    listing, _, joined = wording.listing.partition(", ")
    return {
        Kind.LOOKUP: "lookup\nby key",
        Kind.LIST: f"{listing} with\n{joined}",
        Kind.AGGREGATE: "aggregate",
    }


def _named(result: Result) -> tuple[tuple[Run, str, str], ...]:
    return (result.database, _DATABASE, "database"), (result.cached, _CACHED, "ormcache")


def _strong(colour: str) -> dict[str, Any]:
    return {"color": colour, "fontsize": 12, "fontweight": "bold"}


def _title(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=_INK, pad=24)
    axes.text(0, 1.025, unit, transform=axes.transAxes, fontsize=10, color="#555b6e")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 10 else f"{milliseconds:.1f}"
