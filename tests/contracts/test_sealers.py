"""
Does every kind of seal open what it sealed, under the key it was sealed for, and nothing else?
"""

import pytest
from hypothesis import given, strategies as st

from ormcache.codecs import open_sealer
from ormcache.errors import Tampered, Undecodable
from ormcache.model import Token
from ormcache.protocols import Sealer

SECRETS = ["the secret of today", b"\x00\xffthe secret before"]
TOKENS = (Token(b"one"), Token(b""), Token(b"x" * 255))
SEALERS = {
    "plain": open_sealer(None),
    "mac": open_sealer(SECRETS),
    "encrypted": open_sealer(SECRETS, encrypt=True),
}

pytestmark = pytest.mark.parametrize("sealer", SEALERS.values(), ids=SEALERS.keys())


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(0, 255),
    st.lists(st.binary(max_size=255)),
    st.binary(),
)
def test_what_was_sealed_is_opened(
    sealer: Sealer, key: str, codec: int, tokens: list[bytes], payload: bytes
):
    sealed = sealer.seal(key, codec, [Token(token) for token in tokens], payload)
    assert sealer.open(key, codec, sealed) == (tuple(tokens), payload)


def test_nothing_is_an_entry_too(sealer: Sealer):
    assert sealer.open("key", 1, sealer.seal("key", 1, (), b"")) == ((), b"")


def test_every_flipped_bit_is_noticed(sealer: Sealer):
    sealed = sealer.seal("key", 1, TOKENS, b"payload")
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Undecodable):
            sealer.open("key", 1, bytes(altered))


def test_every_truncation_is_noticed(sealer: Sealer):
    sealed = sealer.seal("key", 1, TOKENS, b"payload")
    for length in range(len(sealed)):
        with pytest.raises(Tampered if length >= 2 else Undecodable):
            sealer.open("key", 1, sealed[:length])


def test_anything_added_is_noticed(sealer: Sealer):
    sealed = sealer.seal("key", 1, TOKENS, b"payload")
    for more in (b"\0", b"payload", sealed):
        for altered in (sealed + more, sealed[:2] + more + sealed[2:], more + sealed):
            with pytest.raises(Undecodable):
                sealer.open("key", 1, altered)


@given(st.text(), st.text())
def test_bytes_copied_to_another_key_are_noticed(sealer: Sealer, key: str, other: str):
    sealed = sealer.seal(_plain(key), 1, TOKENS, b"payload")
    if _plain(key) != _plain(other):
        with pytest.raises(Tampered):
            sealer.open(_plain(other), 1, sealed)


def test_an_entry_of_another_codec_is_not_ours(sealer: Sealer):
    with pytest.raises(Undecodable, match="codec"):
        sealer.open("key", 2, sealer.seal("key", 1, TOKENS, b"payload"))


def test_the_codec_and_the_format_are_bound_to_the_rest(sealer: Sealer):
    of_one, of_two = (sealer.seal("key", codec, TOKENS, b"payload") for codec in (1, 2))
    with pytest.raises(Tampered):
        sealer.open("key", 2, of_two[:2] + of_one[2:])


@given(st.binary(), st.integers(0, 255))
def test_whatever_bytes_are_refused_cleanly(sealer: Sealer, data: bytes, codec: int):
    header = sealer.seal("key", codec, (), b"")[:10]
    for begin in (b"", header[:2], header):
        with pytest.raises(Undecodable):
            sealer.open("key", codec, begin + data)


@given(st.lists(st.text()), st.lists(st.text()))
def test_equal_reads_have_one_name_and_others_another(
    sealer: Sealer, one: list[str], other: list[str]
):
    assert sealer.name(one) == sealer.name(iter(one))
    assert (sealer.name(one) == sealer.name(other)) == (one == other)
    assert len(bytes.fromhex(sealer.name(one))) == 16


def _plain(key: str) -> str:
    return key.encode("utf-8", "replace").decode()
