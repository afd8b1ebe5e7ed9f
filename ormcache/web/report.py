"""
What does the report of one request say, and who gets to see it?

Only names that are written in this package, and numbers, get into a header: an event's `detail` may
name a server or a setting, and its statement and tables are nobody's business outside. So there is
nothing to escape, and a header grows with the number of outcomes and reasons there are, not with
the number of reads.

`Cache-Status` (RFC 9211) has one list member, for the request as a whole:

| reads             | member                                               |
|-------------------|------------------------------------------------------|
| none              | `ormcache; detail="no reads"`                        |
| hits only         | `ormcache; hit; detail="hit=3"`                      |
| others, too       | `ormcache; fwd=miss; detail="hit=2 miss=1"`          |
| and all are kept  | `ormcache; fwd=miss; stored; detail="hit=2 miss=1"`  |
| some collapsed    | `ormcache; fwd=miss; collapsed; detail="collapsed=2"` |

`fwd` says why some read went on to the database; of several reasons, the one that the RFC calls the
most specific. `collapsed` says that some read waited for another one that was loading the same
entry, which is a miss where nothing else says more. The detail counts reads by outcome, and then by
reason where there is one: `detail="bypass=2 in_doubt=1 no_policy=1"`.

`Server-Timing` (W3C) has one metric for each outcome, with the milliseconds that the store, the
database, and waiting for another read took for it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ormcache.errors import ConfigurationError
from ormcache.model import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ormcache.events import ReadEvent

__all__ = ["Audience", "checked", "headers", "may_see"]

log = logging.getLogger("ormcache")

_Request = TypeVar("_Request")

Audience = bool | Callable[[_Request], bool]
"""
Who may see a report: all, nobody, or whom a function of the request picks.
"""

_FORWARDED = {
    Outcome.BYPASS: "bypass",
    Outcome.MISS: "miss",
    Outcome.STALE: "stale",
    Outcome.COLLAPSED: "miss",
}
"""
What sends a request on to its origin, from the RFC's most specific reason to its least.
"""


def headers(reads: Sequence[ReadEvent]) -> list[tuple[str, str]]:
    """
    Return the headers that report *reads*.
    """
    told = [("cache-status", _cache_status(reads))]
    if reads:
        told.append(("server-timing", _server_timing(reads)))
    return told


def checked(enabled: Audience[_Request]) -> Audience[_Request]:
    """
    Return the setting, or raise `ConfigurationError`: a text such as "no" must not mean yes.
    """
    if not isinstance(enabled, bool) and not callable(enabled):
        msg = f"'enabled' of a cache report must be True, False or a function, got {enabled!r}"
        raise ConfigurationError(msg)
    return enabled


def may_see(enabled: Audience[_Request], request: _Request) -> bool:
    """
    Return whether *request* gets the report. A check that fails means no: never more than it said.
    """
    if not callable(enabled):
        return enabled
    try:
        return bool(enabled(request))
    except Exception:  # the check's failure is not the request's
        log.exception("ormcache: 'enabled' of a cache report failed")
        return False


def _cache_status(reads: Sequence[ReadEvent]) -> str:
    if not reads:
        return 'ormcache; detail="no reads"'
    outcomes = {read.outcome for read in reads}
    forwarded = [read for read in reads if read.outcome is not Outcome.HIT]
    parts = ["ormcache"]
    if not forwarded:
        parts.append("hit")
    parts += [f"fwd={why}" for outcome, why in _FORWARDED.items() if outcome in outcomes][:1]
    loaded = [read for read in forwarded if read.outcome is not Outcome.COLLAPSED]
    if loaded and all(read.stored for read in loaded):
        parts.append("stored")
    if Outcome.COLLAPSED in outcomes:
        parts.append("collapsed")
    parts.append(f'detail="{_counted(reads)}"')
    return "; ".join(parts)


def _server_timing(reads: Sequence[ReadEvent]) -> str:
    ended = {outcome: [read for read in reads if read.outcome is outcome] for outcome in Outcome}
    return ", ".join(
        f'ormcache-{outcome.value};dur={_milliseconds(those):.3f};desc="ormcache {_counted(those)}"'
        for outcome, those in ended.items()
        if those
    )


def _milliseconds(reads: Sequence[ReadEvent]) -> float:
    return 1000 * sum(
        read.store_seconds + read.database_seconds + read.waited_seconds for read in reads
    )


def _counted(reads: Sequence[ReadEvent]) -> str:
    outcomes = Counter(read.outcome for read in reads)
    reasons = Counter(read.reason for read in reads)
    return " ".join(
        [f"{outcome.value}={outcomes[outcome]}" for outcome in Outcome if outcome in outcomes]
        + [f"{reason.name.lower()}={reasons[reason]}" for reason in Reason if reason in reasons]
    )
