"""
The codec contract as far as it applies: this codec takes documents, and nothing else.
"""

import bson
import pytest

from ormcache.codecs.bson import BsonCodec, StreamCodec, documents, split
from ormcache.errors import Undecodable, Unstorable
from ormcache.model import Column, Rows
from ormcache.testing.codec_contract import CodecContract, _damaged, identical

DOCUMENTS = [bson.encode(document) for document in ({}, {"a": 1}, {"b": [None, {"c": "x\0y"}]})]


class TestBsonCodec(CodecContract):
    def make_codec(self):
        return BsonCodec()

    def test_values_come_back_exactly_or_are_refused(self):
        for several in ([], DOCUMENTS, DOCUMENTS * 500):
            rows = documents(several)
            assert identical(self.make_codec().decode(self.make_codec().encode(rows)), rows)

    test_shapes_are_kept = None

    def test_readers_share_nothing_that_can_change(self):
        codec = self.make_codec()
        payload = codec.encode(documents(DOCUMENTS))
        codec.decode(payload).rows.clear()
        assert codec.decode(payload) == documents(DOCUMENTS)

    def test_damaged_bytes_are_undecodable_or_rows(self):
        codec = self.make_codec()
        for damaged in _damaged(b"".join(DOCUMENTS)):
            try:
                decoded = codec.decode(damaged)
            except Undecodable:
                continue
            assert {len(row) for row in decoded.rows} <= {1}


@pytest.mark.parametrize(
    "row",
    [(), (DOCUMENTS[0], DOCUMENTS[0]), ("text",), (b"",), (DOCUMENTS[1][:-1],), (b"\x05\0\0\0x",)],
)
def test_what_is_no_document_is_refused(row):
    with pytest.raises(Unstorable):
        BsonCodec().encode(Rows((Column("document", None),), [row]))
    with pytest.raises(Unstorable):
        BsonCodec().encode(Rows((Column("a", None), Column("b", None)), []))


def test_a_stream_is_the_same_entry_in_one_piece():
    payload = BsonCodec().encode(documents(DOCUMENTS))
    assert StreamCodec().id == BsonCodec().id
    ((stream,),) = StreamCodec().decode(payload).rows
    assert split(stream) == DOCUMENTS
    assert bson.decode_all(stream) == [bson.decode(document) for document in DOCUMENTS]
