"""
What does a seal cost a hit, next to the rest of it?

Run `python benchmarks/micro/seals.py`. A hit here is the core's read path over an entry that is
already in memory: opened, judged, decoded; the round trip to the store comes on top. Contenders are
measured in the same rounds; compare the ratios, not the microseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from codec import mixed_rows

from ormcache.codecs import open_sealer
from ormcache.codecs.rows import RowCodec
from ormcache.model import Fetched, Outcome, Scope, Token, TokenState
from ormcache.protocols import Sealer
from ormcache.reading import Answer, ReadRequest, read

SECRET = "of no importance here"
SEALERS = {
    "plain": open_sealer(None),
    "MAC": open_sealer(SECRET),
    "MAC, 2 secrets": open_sealer([SECRET, SECRET[::-1]]),
    "AES-GCM": open_sealer(SECRET, encrypt=True),
}
ROUNDS = 60
SCOPES = (Scope("0123456789abcdef/*"), Scope("0123456789abcdef/public.products"))
TOKENS = tuple(Token(b"0123456789abcde%d.0123456789ab" % i) for i in range(2))
STATES = tuple(TokenState(token, in_doubt=False) for token in TOKENS)


class Contender(NamedTuple):
    """
    A sealer, and what is stored by it.
    """

    name: str
    size: int
    hit: Callable[[], object]
    seal: Callable[[], object]


def contender(name: str, sealer: Sealer, payload: bytes) -> Contender:
    """
    Return a hit on, and the sealing of, an entry with *payload*.
    """
    codec = RowCodec()
    request = ReadRequest(
        key="f" * 32,
        scopes=SCOPES,
        ttl=60.0,
        max_rows=10**6,
        max_bytes=2**30,
        codec=codec,
        sealer=sealer,
    )
    fetched = Fetched(sealer.seal(request.key, codec.id, TOKENS, payload), STATES)

    def hit() -> Answer:
        path = read(request)
        next(path)
        try:
            path.send(fetched)
        except StopIteration as stop:
            return stop.value
        raise AssertionError

    assert hit().outcome is Outcome.HIT
    return Contender(
        name,
        len(fetched.entry or b""),
        hit,
        lambda: sealer.seal(request.key, codec.id, TOKENS, payload),
    )


def measure(act: Callable[[], object], times: int) -> float:
    """
    Return the microseconds that one of several acts takes.
    """
    begin = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - begin) / times * 1e6


def main() -> None:
    """
    Print what a hit and a seal take, for small and large results.
    """
    for count, times in ((1, 400), (1000, 4)):
        payload = RowCodec().encode(mixed_rows(count))
        contenders = [contender(name, sealer, payload) for name, sealer in SEALERS.items()]
        hits: dict[str, list[float]] = {name: [] for name in SEALERS}
        seals: dict[str, list[float]] = {name: [] for name in SEALERS}
        for _ in range(ROUNDS):
            for each in contenders:
                hits[each.name].append(measure(each.hit, times))
                seals[each.name].append(measure(each.seal, times))
        print(f"\n{count} rows       bytes    hit µs   ratio   seal µs")
        plain = statistics.median(hits["plain"])
        for each in contenders:
            hit, seal = (statistics.median(found[each.name]) for found in (hits, seals))
            print(f"{each.name:15} {each.size:7} {hit:9.1f} {hit / plain:7.2f} {seal:9.1f}")


if __name__ == "__main__":
    main()
