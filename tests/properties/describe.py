"""
A result as plain data that is equal for two results exactly when no program could tell them apart.
"""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.engine import Row, RowMapping
from sqlalchemy.orm import Session
from sqlalchemy.orm.base import instance_state

from tests.properties.models import Base

__all__ = ["Describer"]


class Describer:
    """
    Describes what one session returned, and checks that it holds one object per identity.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[Any, int] = {}
        self._open: set[int] = set()

    def describe(self, value: Any) -> Any:
        """
        Return values with their types, recursively; objects with all that is loaded of them.
        """
        if isinstance(value, Base):
            return self._entity(value)
        if isinstance(value, Row):
            return ("Row", value._fields, [self.describe(each) for each in value])
        if isinstance(value, RowMapping):
            return ("RowMapping", [(str(k), self.describe(v)) for k, v in value.items()])
        if isinstance(value, dict):
            return ("dict", [(self.describe(k), self.describe(v)) for k, v in value.items()])
        if isinstance(value, list | tuple):
            return (_name(value), [self.describe(each) for each in value])
        return (_name(value), repr(value))

    def _entity(self, entity: Base) -> Any:
        state = instance_state(entity)
        known = self._known.setdefault(state.key, id(entity))
        assert known == id(entity), f"two objects for {state.key}"
        assert entity in self._session
        assert not state.modified
        if id(entity) in self._open:
            return ("again", state.key)
        self._open.add(id(entity))
        loaded = {
            name: self.describe(value)
            for name, value in sorted(state.dict.items())
            if name in state.mapper.attrs
        }
        self._open.remove(id(entity))
        return (_name(entity), state.key[1:], loaded, sorted(inspect(entity).unloaded))


def _name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
