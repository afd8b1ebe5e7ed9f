"""
Is a stored entry believed only where it is exactly what was stored there?
"""

import pytest
from hypothesis import given, strategies as st

from ormcache.entry import FORMAT, open_entry, seal_entry
from ormcache.errors import Undecodable
from ormcache.model import Token

TOKENS = (Token(b"one"), Token(b""), Token(b"x" * 255))
SEALED = seal_entry("key", 1, TOKENS, b"payload")


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(0, 255),
    st.lists(st.binary(max_size=255)),
    st.binary(),
)
def test_what_was_sealed_is_opened(key: str, codec: int, tokens: list[bytes], payload: bytes):
    sealed = seal_entry(key, codec, [Token(token) for token in tokens], payload)
    assert open_entry(key, codec, sealed) == (tuple(tokens), payload)


def test_no_token_and_no_payload_are_an_entry_too():
    assert open_entry("key", 1, seal_entry("key", 1, (), b"")) == ((), b"")


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_every_flipped_byte_is_noticed(position: int):
    for flip in (0x01, 0x80, 0xFF):
        altered = bytearray(SEALED)
        altered[position] ^= flip
        with pytest.raises(Undecodable):
            open_entry("key", 1, bytes(altered))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_every_truncation_is_noticed(length: int):
    with pytest.raises(Undecodable):
        open_entry("key", 1, SEALED[:length])


@pytest.mark.parametrize("more", [b"\0", SEALED, b"payload"])
def test_anything_appended_is_noticed(more: bytes):
    with pytest.raises(Undecodable, match="digest"):
        open_entry("key", 1, SEALED + more)


@pytest.mark.parametrize("key", ["", "Key", "key ", "other"])
def test_bytes_copied_to_another_key_are_noticed(key: str):
    with pytest.raises(Undecodable, match="another key"):
        open_entry(key, 1, SEALED)


def test_an_entry_of_another_codec_is_not_ours():
    with pytest.raises(Undecodable, match="codec"):
        open_entry("key", 2, SEALED)


@pytest.mark.parametrize("number", [0, FORMAT + 1, 255])
def test_an_entry_of_another_format_is_not_ours(number: int):
    with pytest.raises(Undecodable, match="format"):
        open_entry("key", 1, bytes((number,)) + SEALED[1:])


@given(st.binary())
def test_whatever_bytes_are_refused_cleanly(data: bytes):
    with pytest.raises(Undecodable):
        open_entry("key", 1, data)


def test_the_key_and_the_payload_cannot_flow_into_each_other():
    one = seal_entry("ab", 1, (), b"c")
    with pytest.raises(Undecodable):
        open_entry("a", 1, one)
