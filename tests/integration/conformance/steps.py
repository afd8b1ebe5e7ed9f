"""
What do the scenarios do to the shop?
"""

from typing import Any

from sqlalchemy import Select, event, select, update
from sqlalchemy.orm import Session

from ormcache import Outcome
from tests.fixtures.apps import App, Database
from tests.shop import Product


def name_of(app: App, product: int = 1) -> str | None:
    """
    A product's name, as a new session of the application sees it.
    """
    with app.Session() as session:
        return session.scalar(names(product))


def names(product: int = 1) -> Select[tuple[str]]:
    return select(Product.name).where(Product.id == product)


def rename(app: App, name: str, product: int = 1) -> None:
    """
    Rename a product and commit.
    """
    with app.Session() as session:
        change(session, name, product)
        session.commit()


def change(session: Session, name: str, product: int = 1) -> None:
    """
    Rename a product, and leave it to others to commit.
    """
    session.execute(update(Product).where(Product.id == product).values(name=name))


def warm(app: App) -> None:
    """
    Have the application cache the product's name; it is then a hit.
    """
    name_of(app)
    assert name_of(app) is not None
    assert app.log.outcomes()[-1] is Outcome.HIT
    app.sent_since()


def truth(database: Database, statement: Any = None) -> Any:
    """
    What the database holds: the rows of a statement, or the product's name.
    """
    engine = database.plain_engine()
    with Session(engine) as session:
        found = (
            session.scalar(names())
            if statement is None
            else [tuple(row) for row in session.execute(statement)]
        )
    engine.dispose()
    return found


def with_real_transactions(app: App) -> App:
    """
    The same application, after what SQLAlchemy's documentation tells users of SQLite to do: by
    itself its driver begins no transaction before a SELECT or a SAVEPOINT.
    """
    if app.database.name == "sqlite":
        event.listen(app.engine, "connect", _leave_it_to_us)
        event.listen(app.engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    return app


def _leave_it_to_us(connection: Any, _record: object) -> None:
    connection.isolation_level = None
