"""
When are two reads the same read?

When everything that can change the answer is equal: the database's identity, the user, the text,
the column layout, the scopes, what the policy varies by, and the parameters *with their types*
(`1`, `True`, `1.0`, `"1"` differ). Only a digest leaves this file: no value appears in a key.
"""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NoIdentityError", "canonical", "digest"]

# For these the representation is exact, differs between types, and cannot be altered by a subclass.
_EXACT = frozenset(
    {type(None), bool, int, float, str, bytes, decimal.Decimal, uuid.UUID, dt.date, dt.timedelta}
)
_ZONES = frozenset({type(None), dt.timezone, zoneinfo.ZoneInfo})


class NoIdentityError(TypeError):
    """
    A parameter's type has no representation that is known to be exact; the read is a bypass.
    """


def digest(parts: Iterable[str], key: bytes = b"") -> str:
    """
    Return one name, 32 hexadecimal digits, for a sequence of texts; where each ends matters.

    Who does not have *key* cannot find out by trying which texts a name stands for.
    """
    whole = hashlib.blake2b(digest_size=16, key=key)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big"))
        whole.update(data)
    return whole.hexdigest()


def canonical(value: Any) -> str:
    """
    Return a text that is equal for two values exactly when they are the same in value and type.

    Raises:
        NoIdentityError: For a type that is not known here.
    """
    try:
        return _canonical(value)
    except (ValueError, RecursionError) as exc:  # an int of thousands of digits, a list in itself
        raise NoIdentityError(type(value).__qualname__) from exc


def _canonical(value: Any) -> str:
    kind = type(value)
    if kind in _EXACT:
        return repr(value)
    if kind is dict:
        if all(type(v) in _EXACT and type(k) is str for k, v in value.items()):
            return repr(value)
        items = [f"{_canonical(k)}:{_canonical(v)}" for k, v in value.items()]
        return "{" + ",".join(items) + "}"
    if kind is tuple or kind is list:
        return f"{kind.__name__}({','.join([_canonical(v) for v in value])})"
    if kind is dt.datetime or kind is dt.time:
        zone = value.tzinfo
        # A zone read from a file that has no key is known by the file's name only.
        if type(zone) in _ZONES and getattr(zone, "key", "") is not None:
            return repr(value)
    elif kind is bytearray or kind is memoryview:
        return f"{kind.__name__}({bytes(value)!r})"
    raise NoIdentityError(f"{kind.__module__}.{kind.__qualname__}")
