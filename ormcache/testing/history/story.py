"""
What happened around a wrong read?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ormcache.testing.history.check import Finding
from ormcache.testing.history.journal import BYPASSED, HIT, Kind, Record, ends, records
from ormcache.testing.history.past import Past

__all__ = ["Happening", "tell"]

_LINES = 40
_BEFORE = 200_000_000


class Happening(NamedTuple):
    """
    Something that somebody did, or that was done to the stack.
    """

    moment: int
    who: str
    what: str


def tell(
    finding: Finding, journals: Sequence[Path], past: Past, faults: Iterable[Happening] = ()
) -> str:
    """
    Return a text of several lines: everything that was done to the register by all processes from
    the commit that should have been seen to the end of the wrong read, in the order of time.
    """
    read = finding.read
    should = past.attempt(read.register, finding.least)
    begin = min(read.began, (should and should.committing) or read.began) - _BEFORE
    lines = [fault for fault in faults if begin <= fault.moment <= read.ended]
    for path in journals:
        lines += _around(path, read.register, begin, read.ended)
    lines.sort()
    if len(lines) > _LINES:
        left_out = Happening(0, "", f"({len(lines) - _LINES} more)")
        lines = [*lines[: _LINES // 2], left_out, *lines[-_LINES // 2 :]]
    head = (
        f"{finding.wrong}: {finding.process} read {_values(read)} in register {read.register}; "
        f"expected {_value(finding.least)} or later"
    )
    return "\n".join([head, *(_line(happening, read.began) for happening in lines)])


def _line(happening: Happening, zero: int) -> str:
    when = f"{(happening.moment - zero) / 1e6:+12.3f} ms" if happening.moment else " " * 15
    return f"  {when}  {happening.who:<24} {happening.what}".rstrip()


def _around(path: Path, register: int, begin: int, end: int) -> Iterator[Happening]:
    writing: set[int] = set()
    for record in records(path):
        if record.kind == Kind.WRITE:
            writing.add(record.register)
        ours = register in (writing if record.kind != Kind.READ else {record.register})
        ours = ours or record.kind == Kind.PAID
        if ends(record.kind):
            writing.clear()
        shown = record.register == register or record.kind > Kind.DISCARDED
        if ours and shown and record.ended >= begin and record.began <= end:
            yield from _said(record, path.stem)


def _said(record: Record, process: str) -> Iterator[Happening]:
    if record.kind != Kind.READ:
        value = _value(record.low) if record.kind in (Kind.WRITE, Kind.DISCARDED) else ""
        name = Kind(record.kind).name.lower().replace("_", " ")
        yield Happening(record.began, process, f"{name} {value}".rstrip())
        return
    how = "hit" if record.flags & HIT else "bypass" if record.flags & BYPASSED else "miss"
    yield Happening(record.began, process, "begins to read")
    yield Happening(record.ended, process, f"has read {_values(record)} ({how})")


def _values(read: Record) -> str:
    values = sorted({read.low, read.high})
    return " and ".join(map(_value, values))


def _value(value: int) -> str:
    """
    A value as its place in the order and what sets it apart from others with the same place.
    """
    return f"{value >> 24}/{value & 0xFFFFFF:x}"
