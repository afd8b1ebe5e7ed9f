"""
A cache in this process's memory over a database in a file: reads without any server.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from ormcache import Cache, Policy


class Base(DeclarativeBase):
    pass


class Room(Base):
    __tablename__ = "rooms"
    __cache_policy__ = Policy()
    id: Mapped[int] = mapped_column(primary_key=True)


class Hotel:
    """
    What a web application under test reads.
    """

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        self.Session = sessionmaker(self.engine)
        self.cache = Cache.from_url("memory://")
        self.cache.enable(self.Session)
        Base.metadata.create_all(self.engine)

    def read(self, room: int) -> None:
        """
        One read: a miss the first time that anybody asks for this room, then a hit.
        """
        with self.Session() as session:
            session.scalars(select(Room).where(Room.id == room)).all()

    def close(self) -> None:
        self.cache.close()
        self.engine.dispose()


@pytest.fixture
def hotel(tmp_path: Path) -> Iterator[Hotel]:
    hotel = Hotel(f"sqlite:///{tmp_path / 'hotel.db'}")
    yield hotel
    hotel.close()
