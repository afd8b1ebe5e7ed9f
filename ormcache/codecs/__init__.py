"""
How do rows become bytes, and bytes rows again? One file per codec, one id byte each.

`encrypted` does not look at rows: it keeps what a codec wrote from whoever can read the store.
"""

from __future__ import annotations

from collections.abc import Sequence

from ormcache.entry import PLAIN
from ormcache.errors import ConfigurationError
from ormcache.protocols import Sealer
from ormcache.seals import MacSealer, Secret

__all__ = ["open_sealer"]


def open_sealer(
    secret: str | bytes | Sequence[str | bytes] | None, *, encrypt: bool = False
) -> Sealer:
    """
    Return what seals entries with *secret*, or with several, the newest first.

    Raises:
        ConfigurationError: A setting is wrong, or encryption's library is not installed. No message
            shows a secret.
    """
    if not isinstance(encrypt, bool):
        msg = f"setting 'encrypt' must be True or False, got a {type(encrypt).__name__}"
        raise ConfigurationError(msg)
    if secret is None:
        if encrypt:
            msg = "encryption needs a secret: Cache.from_url(url, secret=..., encrypt=True)"
            raise ConfigurationError(msg)
        return PLAIN
    several = [secret] if isinstance(secret, (str, bytes)) else secret
    if not isinstance(several, (list, tuple)):
        msg = f"setting 'secret' is a str, bytes or a list of them, got {type(secret).__name__}"
        raise ConfigurationError(msg)
    if not several:
        msg = "setting 'secret' is empty: give a secret, several with the newest first, or None"
        raise ConfigurationError(msg)
    secrets = [Secret(each) for each in several]
    return _encrypted(secrets) if encrypt else MacSealer(secrets)


def _encrypted(secrets: Sequence[Secret]) -> Sealer:
    try:
        from ormcache.codecs.encrypted import EncryptedSealer
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] != "cryptography":
            raise
        msg = "encryption needs the package cryptography: pip install 'ormcache[crypto]'"
        raise ConfigurationError(msg) from exc
    return EncryptedSealer(secrets)
