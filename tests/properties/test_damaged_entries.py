"""
100,000 damaged entries, read as an application reads: none is believed, and nothing is raised.

Small entries of every kind of seal and codec. What the database would answer is something else than
what is stored, so that rows from a damaged entry would be seen.
"""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import bson
import pytest

from ormcache.codecs import open_sealer
from ormcache.codecs.bson import BsonCodec, StreamCodec
from ormcache.codecs.rows import RowCodec
from ormcache.effects import Fetch, Save
from ormcache.model import Column, Fetched, Outcome, Reason, Rows, Scope, Token, TokenState
from ormcache.protocols import Codec, Sealer
from ormcache.reading import ReadRequest, read
from tests.fixtures.scripted import play

OLD, NEW = "the secret of yesterday", "the secret of today"
SEALERS = {
    "plain": open_sealer(None),
    "mac": open_sealer([NEW, OLD]),
    "encrypted": open_sealer([NEW, OLD], encrypt=True),
}
ALTERED = 17_000
"""
For each of six kinds of entry.
"""

ROWS = Rows(
    (Column("id", 23), Column("name", 25), Column("price", 1700), Column("added", 1184)),
    [
        (1, "tea", Decimal("1.50"), datetime(2024, 2, 29, tzinfo=UTC)),
        (2, "coffee", None, datetime(2024, 7, 1, 12, 30, tzinfo=UTC)),
    ],
)
DOCUMENTS = Rows(
    (Column("document", None),),
    [(bson.encode({"_id": i, "name": "tea", "price": 1.5}),) for i in (1, 2)],
)
CODECS: dict[str, tuple[Codec, Rows]] = {
    "rows": (RowCodec(), ROWS),
    "documents": (StreamCodec(), DOCUMENTS),
}
SCOPES = (Scope("db/*"), Scope("db/public.products"))
TOKENS = tuple(Token(b"0123456789abcde%d.0123456789ab" % i) for i in range(2))
STATES = tuple(TokenState(token, in_doubt=False) for token in TOKENS)
REFUSED = {Reason.TAMPERED, Reason.UNDECODABLE, Reason.FOREIGN_SEAL}


def flipped(good: bytes, chance: random.Random) -> bytes:
    altered = bytearray(good)
    for bit in chance.sample(range(len(good) * 8), chance.choice((1, 1, 2, 3, 8))):
        altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


def cut(good: bytes, chance: random.Random) -> bytes:
    begin, end = sorted(chance.sample(range(len(good) + 1), 2))
    return good[:begin] + good[end:]


def lengthened(good: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(good) + 1)
    return good[:at] + chance.randbytes(chance.randrange(1, 40)) + good[at:]


def overwritten(good: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(good))
    noise = chance.randbytes(chance.randrange(1, 40))
    return good[:at] + noise + good[at + len(noise) :]


def damaged(good: bytes, others: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """
    Give *good* with every single bit flipped, then altered in other ways, and spliced with others.
    """
    for bit in range(len(good) * 8):
        altered = bytearray(good)
        altered[bit // 8] ^= 1 << bit % 8
        yield bytes(altered)
    while True:
        at = chance.randrange(1, len(good))
        yield good[:at] + chance.choice(others)[at:]
        for alter in (flipped, flipped, cut, lengthened, overwritten):
            yield alter(good, chance)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("seal", SEALERS)
def test_no_damaged_entry_is_believed(seal: str, codec: str):
    sealer = SEALERS[seal]
    reading, rows = CODECS[codec]
    request = request_of(sealer, reading)
    payload = reading.encode(rows)
    good = sealer.seal("f", reading.id, TOKENS, payload)
    fresh = Rows(rows.columns, rows.rows[:1])
    others = [
        sealer.seal("g", reading.id, TOKENS, payload),
        sealer.seal("f", reading.id, TOKENS[::-1], payload),
        sealer.seal("f", reading.id, TOKENS, reading.encode(fresh)),
    ]
    untouched = {good, others[1], others[2]}  # are entries of this key, if of other rows or tokens
    reasons: Counter[Reason | None] = Counter()
    chance = random.Random(f"{seal} {codec}")
    for altered in damaged(good, others, chance):
        if altered in untouched:
            continue
        effects, answer = play(read(request), Fetched(altered, STATES), fresh, None)
        assert answer.outcome is Outcome.MISS
        assert answer.rows is None
        assert answer.stored
        reasons[answer.reason] += 1
        if reasons.total() == ALTERED:
            break
    assert set(reasons) <= REFUSED
    assert reasons[Reason.TAMPERED] > ALTERED / 2
    # And it is replaced by what the database answered.
    assert [type(effect) for effect in effects[::2]] == [Fetch, Save]
    assert hit(request, effects[2].entry) == as_read(reading, fresh)
    assert hit(request, good) == as_read(reading, rows)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("seal", SEALERS)
def test_no_entry_of_another_key_codec_or_seal_is_believed(seal: str, codec: str):
    reading, rows = CODECS[codec]
    payload = reading.encode(rows)
    own = SEALERS[seal]
    stored = [
        sealer.seal(key, codec_id, TOKENS, payload)
        for sealer in SEALERS.values()
        for key in ("f", "F", "", "ff")
        for codec_id in (1, 2, 3)
        if (sealer, key, codec_id) != (own, "f", reading.id)
    ]
    for data in stored:
        _, answer = play(read(request_of(own, reading)), Fetched(data, STATES), rows, None)
        assert (answer.outcome, answer.reason in REFUSED) == (Outcome.MISS, True)


@pytest.mark.parametrize("seal", SEALERS)
def test_an_old_entry_of_the_same_key_is_stale(seal: str):
    """
    Put back by whoever can write to the store, but cannot give tokens back their old values.
    """
    codec = RowCodec()
    old = SEALERS[seal].seal("f", codec.id, TOKENS[::-1], codec.encode(ROWS))
    _, answer = play(read(request_of(SEALERS[seal], codec)), Fetched(old, STATES), ROWS, None)
    assert answer.outcome is Outcome.STALE


def request_of(sealer: Sealer, codec: Codec) -> ReadRequest:
    limits: dict[str, Any] = {"ttl": 60.0, "max_rows": 10, "max_bytes": 1000}
    return ReadRequest(key="f", scopes=SCOPES, codec=codec, sealer=sealer, **limits)


def hit(request: ReadRequest, data: bytes) -> Rows:
    _, answer = play(read(request), Fetched(data, STATES))
    assert answer.outcome is Outcome.HIT
    return answer.rows


def as_read(codec: Codec, rows: Rows) -> Rows:
    stream = isinstance(codec, BsonCodec)
    return Rows(rows.columns, [(b"".join(row[0] for row in rows.rows),)]) if stream else rows
