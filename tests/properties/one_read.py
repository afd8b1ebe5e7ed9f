"""
One read and its answer, on whatever session.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tests.properties.describe import Describer
from tests.properties.models import Base


@dataclass(frozen=True)
class Read:
    """
    One read to be run on any session; its answer is compared by `Describer`.
    """

    name: str
    consume: Callable[[Session], Any]
    touched: tuple[str, ...] = ()
    """Attributes to ask each entity for afterwards: lazy and deferred loading."""

    def __repr__(self) -> str:
        return f"<Read {self.name} {self.touched}>"

    def answer(self, session: Session) -> Any:
        """
        The description of what the session returns, or of what it raises.
        """
        describer = Describer(session)
        try:
            found = self.consume(session)
            for entity in entities_in(found):
                for name in self.touched:
                    if hasattr(type(entity), name):
                        getattr(entity, name)
        except (SQLAlchemyError, TypeError) as exc:  # unique() of rows with lists
            session.rollback()
            return (type(exc).__qualname__, type(getattr(exc, "orig", None)).__qualname__)
        return describer.describe(found)


def entities_in(found: Any) -> list[Base]:
    """
    The entities of a result, in order, from rows, lists and mappings.
    """
    if isinstance(found, Base):
        return [found]
    if isinstance(found, dict):
        return entities_in(list(found.values()))
    if isinstance(found, list | tuple):
        return [entity for each in found for entity in entities_in(each)]
    return []
