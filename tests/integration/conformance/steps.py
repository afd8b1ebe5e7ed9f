"""
What do the scenarios do to the shop?

Through a session of the ORM or a connection of Core, whichever the application has.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, event, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Session

from ormcache import Outcome
from tests.fixtures.apps import App, Database
from tests.shop import Product

Talk = Session | Connection


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


def change(session: Talk, name: str, product: int = 1) -> None:
    """
    Rename a product, and leave it to others to commit.
    """
    session.execute(update(Product).where(Product.id == product).values(name=name))


def find(session: Talk, model: type[DeclarativeBase], key: int) -> Any:
    """
    What has this primary key, an entity or a row; None where nothing has.
    """
    if isinstance(session, Session):
        return session.get(model, key)
    return session.execute(select(model).where(model.id == key)).one_or_none()


def all_of(session: Talk, statement: Select[Any]) -> Iterable[Any]:
    """
    The entities that a statement selects, or the rows that their columns are.
    """
    return (
        session.scalars(statement) if isinstance(session, Session) else session.execute(statement)
    )


def add(session: Talk, new: DeclarativeBase) -> None:
    """
    Insert an entity; a connection inserts its values.
    """
    if isinstance(session, Session):
        session.add(new)
    else:
        values = {name: value for name, value in vars(new).items() if name[0] != "_"}
        session.execute(insert(type(new)).values(values))


def alter(session: Talk, model: type[DeclarativeBase], key: int, **values: Any) -> None:
    """
    Give what has this primary key other values: by setting them on the entity, if there is one.
    """
    if isinstance(session, Session):
        entity = session.get(model, key)
        for name, value in values.items():
            setattr(entity, name, value)
    else:
        session.execute(update(model).where(model.id == key).values(values))


def set_options(session: Talk, **options: Any) -> None:
    """
    Set execution options of what the session or connection sends from now on.
    """
    if isinstance(session, Session):
        session.connection(execution_options=options)
    else:
        session.execution_options(**options)


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


def say(connection: Any, sql: str) -> None:
    """
    Have a connection of any driver execute something, in a listener that is handed one.
    """
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.close()
