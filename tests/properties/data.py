"""
Random rows for the models: every value that the column's type takes on every database.
"""

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import Range

from tests.properties.models import (
    Author,
    Base,
    Book,
    Bus,
    Clerk,
    Guest,
    Money,
    Mood,
    Person,
    PgThing,
    Tag,
    Van,
    Vehicle,
)

IDS = range(1, 7)
ids = st.sampled_from(IDS)

# No NUL and no surrogates: the databases refuse them.
words = st.text(st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0x1FFFF), max_size=8)
words |= st.sampled_from(["", "tea", "Tea", "100%", "a_b", "naïve 🗺", "null", "1"])
integers = st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 2)
days = st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))
# Whole seconds: MariaDB's columns have no fractions unless asked for.
moments = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2037, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
times = st.times().map(lambda time: time.replace(microsecond=0))
spells = st.timedeltas(dt.timedelta(0), dt.timedelta(days=3000)).map(
    lambda spell: dt.timedelta(days=spell.days, seconds=spell.seconds)
)
scores = st.integers(-1000, 1000).map(lambda eighths: eighths / 8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | scores | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "tea", "é"]), inner, max_size=3)
    ),
    max_leaves=5,
)

COLUMNS: dict[Any, st.SearchStrategy[Any]] = {
    Author.id: ids,
    Author.mentor_id: ids,
    Author.name: words,
    Author.mood: st.sampled_from(Mood),
    Author.alive: st.booleans(),
    Author.born: days,
    Author.score: scores,
    Author.biography: words,
    Book.id: ids,
    Book.author_id: ids,
    Book.title: words,
    Book.price: st.decimals(-99_999, 99_999, places=4),
    Book.copies: st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2),
    Book.printed: moments.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
    Book.opens: times,
    Book.lent: spells,
    Book.cover: st.binary(max_size=8),
    Book.code: st.uuids(version=4),  # MariaDB's own type refuses what no version is
    Book.facts: json_values,
    Book.worth: integers.map(Money),
    Person.id: ids,
    Person.name: words,
    Clerk.desk: integers,
    Guest.since: days,
    Vehicle.id: ids,
    Vehicle.wheels: integers,
    Van.load: st.decimals(-999, 999, places=2),
    Bus.seats: integers,
}


def bounds(ends: st.SearchStrategy[Any], kinds: tuple[str, ...]) -> st.SearchStrategy[Any]:
    def between(one: Any, other: Any, kind: str) -> Range[Any]:
        return Range(min(one, other), max(one, other), bounds=kind)

    some = st.builds(between, ends, ends, st.sampled_from(kinds))
    return some | ends.map(lambda end: Range(end, None)) | st.just(Range(empty=True))


small = st.integers(-50, 50)
PG_COLUMNS: dict[Any, st.SearchStrategy[Any]] = {
    PgThing.id: ids,
    PgThing.numbers: st.lists(st.none() | integers, max_size=3),
    PgThing.names: st.lists(words, max_size=3),
    PgThing.span: bounds(small, ("[)", "[]", "()", "(]")),
    PgThing.period: bounds(moments.map(lambda moment: moment.replace(tzinfo=dt.UTC)), ("[)",)),
    PgThing.spans: st.lists(bounds(small, ("[)",)), max_size=2),
    PgThing.host: st.sampled_from(["192.0.2.1", "192.0.2.0/24", "2001:db8::1", "::/0"]),
    PgThing.bits: st.text("01", min_size=1, max_size=8),
    PgThing.document: json_values,
    PgThing.worths: st.lists(integers.map(Money), max_size=2),
}


def rows_of(model: type[Base], columns: dict[Any, Any], **fixed: Any) -> st.SearchStrategy[Any]:
    """
    Up to six rows with different keys, as dictionaries; what may be NULL sometimes is.
    """
    values = {}
    for column, strategy in columns.items():
        if column.class_ in model.__mro__ and column.key not in fixed:
            nullable = column.property.columns[0].nullable
            values[column.key] = st.none() | strategy if nullable else strategy
    row = st.fixed_dictionaries({**values, **{k: st.just(v) for k, v in fixed.items()}})
    return st.lists(row, max_size=len(IDS), unique_by=lambda row: row["id"])


@st.composite
def contents(draw: st.DrawFn, *, postgresql: bool) -> list[Base]:
    """
    Objects that fill the tables, parents first.
    """
    authors = draw(rows_of(Author, COLUMNS, mentor_id=None))
    books = draw(rows_of(Book, COLUMNS))
    known = [author["id"] for author in authors]
    for position, author in enumerate(authors[1:], 1):
        author["mentor_id"] = draw(st.none() | st.sampled_from(known[:position]))
    for book in books:
        book["author_id"] = draw(st.none() | st.sampled_from(known)) if known else None
    tags = [Tag(name=name) for name in ("new", "old")]
    made: list[Base] = [*tags]
    made += [Author(**row) for row in authors]
    some_tags = st.lists(st.sampled_from(tags), unique_by=id)
    made += [Book(**row, tags=draw(some_tags)) for row in books]
    for root, classes in ((Person, (Person, Clerk, Guest)), (Vehicle, (Vehicle, Van, Bus))):
        for key in draw(st.lists(ids, unique=True)):
            model = draw(st.sampled_from(classes))
            values = draw(st.fixed_dictionaries(_own(model, root)))
            made.append(model(**{**values, "id": key}))
    if postgresql:
        made += [PgThing(**row) for row in draw(rows_of(PgThing, PG_COLUMNS))]
    return made


def _own(model: type[Base], root: type[Base]) -> dict[str, st.SearchStrategy[Any]]:
    mine = [c for c in COLUMNS if c.class_ in (model, root) and c.key != "id"]
    return {c.key: COLUMNS[c] for c in mine}
