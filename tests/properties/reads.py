"""
Random reads: every kind of statement, loaded and taken in every way.
"""

from typing import Any

from hypothesis import strategies as st
from sqlalchemy import (
    Integer,
    String,
    any_,
    case,
    cast,
    except_,
    extract,
    func,
    intersect,
    literal,
    select,
    text,
    union,
    union_all,
)
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    defer,
    joinedload,
    lazyload,
    load_only,
    raiseload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_polymorphic,
)

from tests.properties.data import COLUMNS, PG_COLUMNS, ids, small
from tests.properties.models import (
    Author,
    Book,
    Bus,
    Clerk,
    Guest,
    Person,
    PgThing,
    Tag,
    Van,
    Vehicle,
)
from tests.properties.one_read import Read
from tests.properties.parts import (
    COMPARISONS,
    UNCOMPARED,
    Consume,
    Draw,
    condition,
    consumer,
    filtered,
    paged,
)


def entities(draw: Draw) -> Consume:
    model = draw(st.sampled_from([Author, Book]))
    statement = filtered(draw, select(model), model).options(*loading(draw, model))
    if draw(st.booleans()):
        column = draw(
            st.sampled_from([c for c in COLUMNS if c.class_ is model and c is not Book.facts])
        )
        statement = statement.order_by(column.desc() if draw(st.booleans()) else column)
    return consumer(draw, paged(draw, statement.order_by(model.id)))


def loading(draw: Draw, model: Any) -> list[Any]:
    """
    Options for the relationships and columns of an author or a book.
    """
    how = st.sampled_from([lazyload, joinedload, selectinload, subqueryload, raiseload])
    if model is Author:
        options = [draw(how)(Author.books), draw(how)(Author.mentor)]
        options += [draw(st.sampled_from([undefer(Author.biography), defer(Author.score)]))]
        if draw(st.booleans()):
            options[0] = selectinload(Author.books).options(draw(how)(Book.tags), defer(Book.cover))
    else:
        options = [draw(how)(Book.author), draw(how)(Book.tags)]
        if draw(st.booleans()):
            options.append(load_only(Book.title, Book.worth, raiseload=draw(st.booleans())))
    return draw(st.lists(st.sampled_from(options), unique_by=id))


def columns(draw: Draw) -> Consume:
    model = draw(st.sampled_from([Author, Book]))
    chosen = draw(
        st.lists(st.sampled_from([c for c in COLUMNS if c.class_ is model]), min_size=1, max_size=4)
    )
    # A name twice, a label, and a label that is another column's name.
    chosen = [
        c.label(draw(st.sampled_from(["x", "id", c.key]))) if draw(st.booleans()) else c
        for c in chosen
    ]
    statement = filtered(draw, select(*chosen), model)
    if draw(st.booleans()) and Book.facts not in chosen:
        return consumer(draw, select(statement.distinct().subquery()).order_by(text("1")))
    return consumer(draw, paged(draw, statement.order_by(model.id)))


def joined(draw: Draw) -> Consume:
    statement = select(Book, Author.name, func.length(Book.title).label("length"))
    outer = draw(st.booleans())
    statement = filtered(draw, statement.join(Book.author, isouter=outer), Book)
    if draw(st.booleans()):
        statement = statement.options(contains_eager(Book.author))
    return consumer(draw, paged(draw, statement.order_by(Book.id)))


def aliases(draw: Draw) -> Consume:
    one, other = aliased(Author, name="one"), aliased(Author)
    statement = select(one, other, one.name.label("name")).join(other, one.mentor_id == other.id)
    statement = filtered(draw, statement, Author, one)
    return consumer(draw, paged(draw, statement.order_by(one.id, other.id)))


def aggregates(draw: Draw) -> Consume:
    wanted = [
        func.count(), func.count(Book.price.distinct()), func.sum(Book.price), func.avg(Book.price),
        func.min(Book.printed), func.max(Book.lent), func.min(Book.opens), func.max(Book.title),
        func.sum(Book.worth), func.max(Book.worth), func.sum(Author.score), func.max(Author.born),
        func.coalesce(func.sum(Book.price), 0), func.count(Book.id),
    ]  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(wanted), min_size=1, max_size=4))
    if draw(st.booleans()):
        return consumer(
            draw, filtered(draw, select(*chosen).select_from(Book).join(Author, isouter=True), Book)
        )
    key = draw(st.sampled_from([Author.id, Author.mood, Author.alive, Author.born]))
    statement = select(key, *chosen).outerjoin(Author.books).group_by(key).order_by(key)
    if draw(st.booleans()):
        statement = statement.having(func.count(Book.id) > draw(st.integers(0, 2)))
    return consumer(draw, filtered(draw, statement, Author))


def expressions(draw: Draw) -> Consume:
    count = select(func.count(Author.id)).where(Author.id == Book.author_id).scalar_subquery()
    of_author = func.sum(Book.id).over(partition_by=Book.author_id)
    wanted = [
        case((Book.price > 10, "dear"), else_="cheap"), cast(Book.id, String(10)),
        cast(Book.price, Integer), literal(draw(small)), func.coalesce(Book.copies, 0),
        func.upper(Book.title), extract("year", Book.printed), Book.price * 2, -Book.worth,
        Book.title + "!", func.lower(Book.title, type_=String), Book.facts["k"], count,
        Book.price.is_(None), func.row_number().over(order_by=Book.id), of_author,
    ]  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(wanted), min_size=1, max_size=4))
    return consumer(draw, paged(draw, filtered(draw, select(*chosen), Book).order_by(Book.id)))


def sets(draw: Draw) -> Consume:
    combine = draw(st.sampled_from([union, union_all, intersect, except_]))
    halves = [
        filtered(draw, select(Author.id, Author.name.label("name")), Author),
        filtered(draw, select(Book.id, Book.title.label("name")), Book),
    ]
    whole = combine(*draw(st.permutations(halves)))
    if draw(st.booleans()):
        named = whole.subquery()
        return consumer(draw, select(named.c.name, named.c.id).order_by(named.c.id, named.c.name))
    return consumer(draw, paged(draw, whole.order_by("id", whole.selected_columns[1])))


def ctes(draw: Draw) -> Consume:
    if draw(st.booleans()):
        some = filtered(draw, select(Book.author_id, func.count().label("n")), Book)
        some = some.group_by(Book.author_id).cte("some")
        statement = select(Author, some.c.n).join(some, some.c.author_id == Author.id)
        return consumer(draw, paged(draw, statement.order_by(Author.id)))
    start = select(Author.id, literal(0).label("depth")).where(Author.mentor_id.is_(None))
    tree = start.cte("tree", recursive=True)
    pupil = aliased(Author)
    tree = tree.union_all(
        select(pupil.id, tree.c.depth + 1).join(tree, pupil.mentor_id == tree.c.id)
    )
    return consumer(draw, select(tree).order_by(tree.c.depth, tree.c.id))


def inherited(draw: Draw) -> Consume:
    everything = with_polymorphic(Vehicle, "*")
    loaded = everything.Van.load.is_not(None)
    statements = [
        select(Person).order_by(Person.id), select(Clerk).order_by(Clerk.id),
        select(Guest.name, Guest.since).order_by(Guest.id), select(Vehicle).order_by(Vehicle.id),
        select(Van).order_by(Van.id), select(Bus.id, Bus.seats, Vehicle.wheels).order_by(Bus.id),
        select(everything).where(loaded | (everything.Bus.seats > 0)).order_by(everything.id),
        select(Vehicle).options(selectin_polymorphic(Vehicle, [Van, Bus])).order_by(Vehicle.id),
    ]  # fmt: skip
    return consumer(draw, paged(draw, draw(st.sampled_from(statements))))


def by_key(draw: Draw) -> Consume:
    model = draw(st.sampled_from([Author, Book, Person, Clerk, Vehicle, Van, Tag]))
    keys = draw(st.lists(st.sampled_from(["new", "old", "none"]) if model is Tag else ids))
    options = loading(draw, model) if model in (Author, Book) else []

    def get(session: Session) -> Any:
        found = [session.get(model, key, options=options) for key in keys]
        return [found, [session.get(model, key) for key in keys]]

    return get


def alike(draw: Draw) -> Consume:
    """
    Reads that differ in a parameter only, or in its type only.
    """
    column = draw(st.sampled_from([c for c in COLUMNS if c.class_ is Book and c not in UNCOMPARED]))
    compare = draw(st.sampled_from(COMPARISONS))
    statements = [
        select(Book.id).where(compare(column, value)).order_by(Book.id)
        for value in draw(st.lists(COLUMNS[column], min_size=2, max_size=4))
    ]
    statements += [
        select(literal(value).label("x")).select_from(Tag).limit(draw(st.integers(1, 2)))
        for value in draw(st.lists(st.sampled_from([0, 1, True, "1", 1.0, b"1"]), max_size=4))
    ]
    return lambda session: [session.execute(statement).all() for statement in statements]


def legacy(draw: Draw) -> Consume:
    wanted = condition(draw, Book)
    how = draw(st.sampled_from(["all", "count", "first", "exists", "columns", "get", "joined"]))
    key = draw(ids)

    def query(session: Session) -> Any:
        books = session.query(Book).filter(wanted).order_by(Book.id)
        match how:
            case "count":
                return books.count()
            case "first":
                return books.first()
            case "exists":
                return session.query(books.exists()).scalar()
            case "columns":
                return books.with_entities(Book.title, Book.price).all()
            case "joined":
                return books.join(Book.author).options(contains_eager(Book.author)).all()
            case "get":
                return session.query(Author).filter_by(id=key).one_or_none()
        return books.limit(3).all()

    return query


def plain_sql(draw: Draw) -> Consume:
    sql = text(
        "SELECT id, price, printed, facts, code, worth FROM prop_books WHERE id > :id ORDER BY id"
    )
    sql = sql.bindparams(id=draw(ids))
    typed = sql.columns(Book.id, Book.price, Book.printed, Book.facts, Book.code, Book.worth)
    named = text('SELECT count(*) AS n, max(title) AS "Title" FROM prop_books b')
    whole = select(Author).from_statement(text("SELECT * FROM prop_authors ORDER BY id"))
    within = select(typed.subquery("typed")).order_by(text("id"))
    return consumer(draw, draw(st.sampled_from([sql, typed, named, whole, within])))


def of_postgresql(draw: Draw) -> Consume:
    chosen = draw(st.lists(st.sampled_from([PgThing, *PG_COLUMNS]), min_size=1, max_size=4))
    statement = select(*chosen).order_by(PgThing.id)
    wanted = [
        PgThing.numbers.contains([1]), any_(PgThing.names) == "tea",
        PgThing.span.contains(draw(small)),
        func.array_length(PgThing.numbers, 1) > 1, PgThing.document["k"].astext == "tea",
        PgThing.document.contains({"k": None}), PgThing.numbers[1] < draw(small),
        func.lower(PgThing.span) < draw(small),
    ]  # fmt: skip
    for one in draw(st.lists(st.sampled_from(wanted), max_size=2)):
        statement = statement.where(one)
    return consumer(draw, paged(draw, statement))


KINDS = (
    entities, entities, columns, joined, aliases, aggregates, expressions, sets, ctes, inherited,
    by_key, alike, legacy, plain_sql,
)  # fmt: skip
TOUCHED = ("books", "author", "mentor", "tags", "biography", "cover", "desk", "load", "seats")


@st.composite
def reads(draw: Draw, *, postgresql: bool) -> Read:
    """
    One random read.
    """
    kind = draw(st.sampled_from((*KINDS, of_postgresql) if postgresql else KINDS))
    touched = draw(st.lists(st.sampled_from(TOUCHED), max_size=3, unique=True))
    return Read(kind.__name__, kind(draw), tuple(touched))
