"""
An application goes the way that its test is named for, and no other.
"""

from typing import NoReturn

import pytest
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from tests.fixtures.apps import App
from tests.fixtures.ways import CORE, FACES, go_every_way
from tests.integration.conformance.steps import add, name_of, rename, warm
from tests.shop import Product


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    go_every_way(metafunc, *FACES)


class Unwanted:
    """
    The store of the other kind, which nothing may ask.
    """

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} was asked of the wrong store")


def test_an_application_has_the_driver_and_the_face_it_is_named_for(app: App):
    way = app.database.way
    assert app.engine.dialect.is_async is way.driver.is_async
    with app.Session() as session:
        assert isinstance(session, Connection if way.face == CORE else Session)
        connection = session if way.face == CORE else session.connection()
        used = type(connection.connection.driver_connection).__module__.partition(".")[0]
    assert used == {"mysql-connector": "mysql", "mysqlclient": "MySQLdb"}.get(
        way.driver.name, way.driver.name.removesuffix("-async")
    )


def test_it_asks_the_store_of_its_kind_and_no_other(app: App, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app.cache, "store" if app.is_async else "async_store", Unwanted())
    with app.Session() as session:
        add(session, Product(id=1, name="old", price=1, stock=0))
        session.commit()
    warm(app)
    rename(app, "new")
    assert name_of(app) == "new"
