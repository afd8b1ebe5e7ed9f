"""
The SQLAlchemy edge: sessions and engines whose reads are cached and whose commits invalidate.

`attach` turns it on and off. A read goes through `connection`, `reads` and `plan`; a write through
`writes`. What the database is and knows besides is in `identity` and `catalog`.
"""

from __future__ import annotations

from .attach import enable

__all__ = ["enable"]
