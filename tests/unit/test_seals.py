"""
What only a sealer with secrets does: several secrets, keys that tell nothing, and silence about
them.
"""

import hashlib
import itertools
import sys

import pytest

from ormcache import Cache, ConfigurationError
from ormcache.codecs import open_sealer
from ormcache.entry import PLAIN, open_entry, seal_entry
from ormcache.errors import ForeignSeal, Tampered, Undecodable
from ormcache.fingerprint import digest
from ormcache.model import Token
from ormcache.seals import Secret

A, B = "the first secret of all", b"another secret, in bytes"
TOKENS = (Token(b"one"), Token(b"two"))
KINDS = [False, True]
both_kinds = pytest.mark.parametrize("encrypt", KINDS, ids=["mac", "encrypted"])


@both_kinds
def test_the_newest_secret_seals_and_each_of_them_opens(encrypt: bool):
    old, both, new = (open_sealer(s, encrypt=encrypt) for s in (A, [B, A], [B]))
    by_old, by_both = (s.seal("key", 1, TOKENS, b"payload") for s in (old, both))
    assert both.open("key", 1, by_old) == both.open("key", 1, by_both) == (TOKENS, b"payload")
    assert new.open("key", 1, by_both) == (TOKENS, b"payload")
    for sealer, data in ((old, by_both), (new, by_old)):
        with pytest.raises(ForeignSeal):
            sealer.open("key", 1, data)


@both_kinds
def test_a_secret_that_only_says_it_is_ours_is_noticed(encrypt: bool):
    ours, theirs = (open_sealer(s, encrypt=encrypt) for s in (A, B))
    forged = theirs.seal("key", 1, TOKENS, b"payload")
    genuine = ours.seal("key", 1, TOKENS, b"payload")
    with pytest.raises(Tampered):
        ours.open("key", 1, genuine[:10] + forged[10:])


def test_no_kind_opens_what_another_sealed():
    sealers = [PLAIN, open_sealer(A), open_sealer(A, encrypt=True)]
    for sealing, opening in itertools.permutations(sealers, 2):
        with pytest.raises(Undecodable):
            opening.open("key", 1, sealing.seal("key", 1, TOKENS, b"payload"))


def test_encryption_hides_tokens_and_payload_and_repeats_nothing():
    sealer = open_sealer(A, encrypt=True)
    one, two = (sealer.seal("key", 1, TOKENS, b"payload" * 9) for _ in range(2))
    assert one[:10] == two[:10]
    assert not any(one[i : i + 4] == two[i : i + 4] for i in range(10, len(one)))
    for part in (b"payload", b"one", b"key"):
        assert part not in one


def test_keys_of_reads_tell_nothing_to_who_has_no_secret():
    parts = ("SELECT", "a guess")
    names = {open_sealer(secret).name(parts) for secret in (None, A, B)}
    assert len(names) == 3
    assert open_sealer(None).name(parts) == digest(parts)
    assert open_sealer(A).name(parts) == open_sealer(A.encode()).name(iter(parts))
    # Whether a secret came in ages ago or is the only one, what is longest there counts.
    assert open_sealer([B, A]).name(parts) == open_sealer(A).name(parts)
    assert open_sealer(A, encrypt=True).name(parts) != open_sealer(A).name(parts)
    assert open_sealer(A).name(("SELECTa", " guess")) != open_sealer(A).name(parts)


def test_what_a_secret_leads_to_stays_the_same():
    """
    Another release with the same secret must find and open what this one stored.
    """
    sealer = open_sealer(A)
    assert sealer.name(["a", "b"]) == "4585744c7f49d5177cff297cb9aba940"
    assert (
        hashlib.sha256(sealer.seal("key", 1, TOKENS, b"payload")).hexdigest()[:16]
        == "40eda3badecfada5"
    )
    encrypted = open_sealer(A, encrypt=True)
    assert encrypted.name(["a", "b"]) == "27a0d82ec483bbb0f54db690fbc75327"
    stored = bytes.fromhex(
        "0301841a7c7812d065d75dd2dd78e0cedddee8b6657cc76e6d16de6079f1740b"
        "bce36127be5a963e032c38e99fb3d85b320e865bc3f5ea6be1af036507a9eda5"
        "e40eea"
    )
    assert encrypted.open("key", 1, stored) == (TOKENS, b"payload")


def test_tokens_that_do_not_end_are_noticed_though_the_digest_is_right():
    """
    Anybody can make an entry with a digest.
    """
    for body in (b"", b"\0", b"\0\1", b"\xff\xff", b"\0\1\5abc", b"\0\2\1ab"):
        head = bytes((1, 1))
        made = hashlib.blake2b(head + b"key\0" + body, digest_size=16).digest()
        with pytest.raises(Tampered, match="tokens"):
            open_entry("key", 1, head + made + body)
    assert open_entry("key", 1, seal_entry("key", 1, TOKENS, b"")) == (TOKENS, b"")


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"secret": "fifteen bytes.."}, "at least 16 bytes, got 15"),
        ({"secret": ""}, "at least 16 bytes, got 0"),
        ({"secret": [A, "short"]}, "at least 16 bytes, got 5"),
        ({"secret": "short"}, "token_urlsafe"),
        ({"secret": 12345678901234567}, "a str, bytes or a list of them, got int"),
        ({"secret": [A, None]}, "a str or bytes, got NoneType"),
        ({"secret": bytearray(32)}, "got bytearray"),
        ({"secret": []}, "is empty"),
        ({"encrypt": True}, "needs a secret"),
        ({"secret": A, "encrypt": "yes"}, "True or False, got a str"),
        ({"secrets": [A]}, "did you mean 'secret'"),
    ],
)
def test_wrong_settings(settings: dict, message: str):
    with pytest.raises(ConfigurationError, match=message) as caught:
        Cache.from_url("memory://", **settings)
    assert "1234567890" not in str(caught.value)
    assert "fifteen" not in str(caught.value)


def test_encryption_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.delitem(sys.modules, "ormcache.codecs.encrypted", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'ormcache\[crypto\]'"):
        Cache.from_url("memory://", secret=A, encrypt=True)


@both_kinds
def test_no_representation_shows_a_secret(encrypt: bool):
    cache = Cache.from_url("memory://", secret=[A, B], encrypt=encrypt)
    secret = Secret(A)
    shown = f"{cache!r} {cache.sealer!r} {secret!r} {vars(cache)} {vars(cache.sealer).keys()}"
    assert A not in shown
    assert B.decode() not in shown
    assert secret.id.hex() not in shown


def test_a_secret_that_is_not_text_is_a_secret_all_the_same():
    assert Secret("\udc80" * 8).id == Secret("\udc80" * 8).id
