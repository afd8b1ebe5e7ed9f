"""
Does a read of slices ever miss a write, whatever forms both have?

Random rows, and random writes by every way of writing; after each, every read is what the database
holds. Two applications take turns, of which one has not heard that a column is sliced.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings, strategies as st
from sqlalchemy import Select, String, delete, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

from ormcache import Outcome, Policy
from tests.fixtures.apps import App, MakeApp
from tests.fixtures.databases import Database

EXAMPLES = 40
EMPTYING = {
    "postgresql": "TRUNCATE things RESTART IDENTITY",
    "mariadb": "TRUNCATE things",
    "sqlite": "DELETE FROM things",
}
IDS = st.integers(1, 6)
GROUPS = st.integers(1, 3)


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"
    __cache_policy__ = Policy(slices=("tenant", "shelf"))
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int]
    shelf: Mapped[int | None]
    name: Mapped[str] = mapped_column(String(20))


Write = Callable[[Session], object]


@st.composite
def conditions(draw: st.DrawFn) -> Any:
    """
    A condition by which rows are read, updated or deleted.
    """
    one, group = draw(IDS), draw(GROUPS)
    return draw(
        st.sampled_from(
            [
                Thing.id == one,
                Thing.id.in_([one, one + 1]),
                Thing.tenant == group,
                Thing.shelf == group,
                Thing.shelf.is_(None),
                (Thing.tenant == group) & (Thing.id == one),
                (Thing.tenant == group) & (Thing.shelf == draw(GROUPS)),
                or_(Thing.id == one, Thing.tenant == group),
                ~(Thing.tenant == group),
                Thing.id + 1 == one,
                Thing.tenant.in_([group, 1]),
                text(f"things.id = {one}"),
                text(f"things.tenant = '{group}'"),
            ]
        )
    )


@st.composite
def reads(draw: st.DrawFn) -> Select[Any]:
    condition = draw(conditions())
    base = select(Thing.id, Thing.tenant, Thing.shelf, Thing.name).order_by(Thing.id)
    twin = aliased(Thing)
    return draw(
        st.sampled_from(
            [
                base.where(condition),
                select(func.count()).select_from(Thing).where(condition),
                select(Thing.id, twin.id)
                .join(twin, twin.tenant == Thing.tenant)
                .where(condition, twin.id == draw(IDS))
                .order_by(Thing.id),
                base.where(
                    condition, Thing.id.in_(select(twin.id).where(twin.shelf == draw(GROUPS)))
                ),
                select(Thing.id, twin.id)
                .outerjoin(twin, (twin.id == Thing.id + 1) & (twin.shelf == draw(GROUPS)))
                .where(condition)
                .order_by(Thing.id, twin.id),
            ]
        )
    )


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "tenant": draw(GROUPS),
        "shelf": draw(st.none() | GROUPS),
        "name": draw(st.sampled_from("abc")),
    }


def flushed(session: Session, one: int, new: dict[str, Any]) -> None:
    found = session.get(Thing, one)
    if found is None:
        session.add(Thing(**new))
    else:
        for name, value in new.items():
            setattr(found, name, value)


def replaced(session: Session, one: int, new: dict[str, Any]) -> None:
    session.execute(delete(Thing).where(Thing.id == one))
    session.execute(insert(Thing).values(id=one, **new))


def deleted(session: Session, one: int) -> None:
    if (found := session.get(Thing, one)) is not None:
        session.delete(found)


@st.composite
def writes(draw: st.DrawFn) -> Write:
    condition, new, one = draw(conditions()), draw(values()), draw(IDS)
    part = {draw(st.sampled_from(sorted(new))): None} | {"name": new["name"]}
    changed = {name: new[name] for name in part}
    several = [Thing(**draw(values())) for _ in range(2)]
    bound = [{"one": one, **new}, {"one": one + 1, **new}]
    return draw(
        st.sampled_from(
            [
                lambda s: s.execute(update(Thing).where(condition).values(**changed)),
                lambda s: s.execute(
                    update(Thing).where(condition).values(tenant=Thing.tenant % 3 + 1)
                ),
                lambda s: s.execute(delete(Thing).where(condition)),
                lambda s: s.execute(insert(Thing), [new, new]),
                lambda s: s.execute(insert(Thing).values([new, new])),
                lambda s: s.execute(insert(Thing).returning(Thing.name), [new]).all(),
                lambda s: s.add_all(several),
                lambda s: flushed(s, one, new),
                lambda s: flushed(s, one, changed),
                lambda s: deleted(s, one),
                lambda s: replaced(s, one, new),
                lambda s: s.execute(
                    text("UPDATE things SET tenant = :tenant, name = :name WHERE id = :one"), bound
                ),
                lambda s: s.execute(
                    text("UPDATE things SET shelf = :shelf WHERE tenant = :tenant AND id = :one"),
                    bound,
                ),
            ]
        )
    )


@pytest.fixture(autouse=True)
def table(database: Database) -> None:
    engine = database.plain_engine()
    Base.metadata.create_all(engine)
    engine.dispose()


def answer(session: Session, read: Select[Any]) -> list[tuple[Any, ...]]:
    with session:
        return [tuple(row) for row in session.execute(read)]


@pytest.mark.timeout(600)  # a failure takes time to be made small
def test_no_write_is_missed(app: App, make_app: MakeApp, database: Database):
    ignorant = make_app()
    ignorant.cache.policy("things", ttl=60)
    engine = database.plain_engine()
    seen: Counter[Outcome] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,  # a statement's first run compiles it
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        st.lists(values(), min_size=2, max_size=5),
        st.lists(reads(), min_size=6, max_size=6),
        st.lists(st.tuples(writes(), st.booleans(), st.booleans()), min_size=1, max_size=5),
    )
    def compare(
        rows: list[dict[str, Any]],
        several: list[Select[Any]],
        changes: list[tuple[Write, bool, bool]],
    ) -> None:
        with ignorant.Session() as session:
            session.execute(text(EMPTYING[database.name]))
            session.execute(insert(Thing), rows)
            session.commit()
        for change, by_ignorant, kept in changes:
            for read in several:
                answer(app.Session(), read)
            writer = ignorant if by_ignorant else app
            writer.sent_since()
            with writer.Session() as session:
                try:
                    change(session)
                    session.commit() if kept else session.rollback()
                except IntegrityError:  # a key that the database made was given before
                    session.rollback()
            note(f"{by_ignorant} {kept} {writer.sent_since()}")
            app.log.outcomes()
            for read in several:
                expected = answer(Session(engine), read)
                assert answer(app.Session(), read) == expected, str(read)
            seen.update(app.log.outcomes())

    compare()
    engine.dispose()
    assert seen[Outcome.HIT] > 0.2 * seen.total(), seen
