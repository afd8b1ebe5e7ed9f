"""
What failed may have ended a transaction begun by hand; what is written then commits itself.
"""

import threading

import pytest
from sqlalchemy import event, exc, insert

from tests.fixtures.apps import App, Database
from tests.integration.conformance.steps import name_of, warm
from tests.shop import Product


def rename(product: int, name: str) -> str:
    return f"UPDATE products SET name = '{name}' WHERE id = {product}"


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_write_after_a_deadlock_is_seen(app: App, other: App, database: Database):
    plain = database.plain_engine()
    with plain.begin() as connection:
        rows = [{"id": i, "name": "old", "price": 1} for i in range(1, 9)]
        connection.execute(insert(Product), rows)
    autocommit = other.engine.execution_options(isolation_level="AUTOCOMMIT")
    warm(app)
    with autocommit.connect() as writer, plain.connect() as rival:
        writer.exec_driver_sql("BEGIN")
        writer.exec_driver_sql(rename(1, "undone"))
        for product in range(2, 9):  # who has changed more is spared
            rival.exec_driver_sql(rename(product, "rival"))
        waiting = threading.Thread(target=rival.exec_driver_sql, args=(rename(1, "rival"),))
        waiting.start()  # whichever of them is the second to wait
        with pytest.raises(exc.OperationalError, match="Deadlock"):
            writer.exec_driver_sql(rename(2, "undone"))
        waiting.join(30)
        rival.rollback()
        warm(app)
        writer.exec_driver_sql(rename(1, "late"))
        assert name_of(app) == "late"
        writer.exec_driver_sql("COMMIT")
    assert name_of(app) == "late"
    plain.dispose()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_write_after_an_insert_that_rolled_back_is_seen(app: App, other: App, database: Database):
    event.listen(other.engine, "connect", lambda dbapi, _: setattr(dbapi, "isolation_level", None))
    with app.Session() as session:
        session.add_all(Product(id=i, name="old", price=1) for i in (1, 2))
        session.commit()
    warm(app)
    with other.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN")
        writer.exec_driver_sql(rename(1, "undone"))
        with pytest.raises(exc.IntegrityError):
            writer.exec_driver_sql(
                "INSERT OR ROLLBACK INTO products (id, name, price, stock) VALUES (2, 'x', 1, 0)"
            )
        writer.exec_driver_sql(rename(1, "late"))
        assert name_of(app) == "late"
        writer.commit()
    assert name_of(app) == "late"
