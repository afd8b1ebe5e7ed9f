"""
Does the built-in codec keep the contract of codecs?
"""

from ormcache.codecs.rows import RowCodec
from ormcache.testing.codec_contract import CodecContract


class TestRowCodec(CodecContract):
    def make_codec(self):
        return RowCodec()
