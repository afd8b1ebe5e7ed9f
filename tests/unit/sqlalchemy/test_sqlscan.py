"""
Placeholders, comments and literals of every dialect.
"""

import pytest

from ormcache.sqlalchemy.sqltext import Kind, SqlFacts, TableName, analyze

A = frozenset({TableName(None, "a")})
READ_A = SqlFacts(Kind.READ, reads=A)
WRITE_A = SqlFacts(Kind.WRITE, writes=A, uncacheable="not a read")


@pytest.mark.parametrize(
    ("paramstyle", "dialect", "sql"),
    [
        ("format", "postgresql", "SELECT x FROM a WHERE x = %s"),
        ("format", "postgresql", "SELECT x FROM a WHERE x = %b AND y = %t"),
        ("pyformat", "postgresql", "SELECT x FROM a WHERE x = %(a b)s::VARCHAR AND y=%(c)s"),
        ("numeric_dollar", "postgresql", "SELECT x FROM a WHERE x = $1::INTEGER AND y = $2"),
        ("named", "postgresql", "SELECT x::text FROM a WHERE x = :n::int AND y = :m"),
        ("numeric", "postgresql", "SELECT x::text FROM a WHERE x = :1 AND y = :2"),
        ("qmark", "mysql", "SELECT x FROM a WHERE x = ? AND y IN (?, ?)"),
        ("format", "mysql", "SELECT x FROM a WHERE x IN (%s, %s) LIMIT %s, %s"),
        ("qmark", "sqlite", "SELECT x FROM a WHERE x = ?2 AND y = @b AND z = $c"),
        ("named", "sqlite", "SELECT x FROM a WHERE x = :n"),
    ],
)
def test_every_paramstyle_is_understood(paramstyle: str, dialect: str, sql: str) -> None:
    assert analyze(sql, dialect, paramstyle) == READ_A


@pytest.mark.parametrize(
    ("paramstyle", "dialect", "sql"),
    [
        ("pyformat", "postgresql", 'SELECT x FROM "a%%b" WHERE x = %(x)s'),
        ("format", "mysql", "SELECT x FROM `a%%b`"),
        ("numeric_dollar", "postgresql", 'SELECT x FROM "a%b" WHERE x = $1'),
        ("qmark", "sqlite", 'SELECT x FROM "a%b" WHERE x = ?'),
    ],
)
def test_a_name_with_a_percent_sign_is_the_database_s_name(
    paramstyle: str, dialect: str, sql: str
) -> None:
    assert analyze(sql, dialect, paramstyle).reads == {TableName(None, "a%b")}


def test_a_long_list_of_values_is_like_a_short_one() -> None:
    many = ", ".join(f"(%(a{i})s, %(b{i})s::INTEGER, %(c{i})s)" for i in range(5_000))
    assert analyze(f"INSERT INTO a VALUES {many}", "postgresql", "pyformat") == WRITE_A
    wide = ", ".join("%s" for _ in range(50_000))
    assert analyze(f"SELECT x FROM a WHERE x IN ({wide})", "mysql", "format") == READ_A


@pytest.mark.parametrize(
    "cast",
    [
        "INTEGER",
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP(6) WITHOUT TIME ZONE",
        "DOUBLE PRECISION",
        "CHARACTER VARYING(50)",
        "NUMERIC(12, 2)",
        "VARCHAR(50)[]",
        "INTEGER[][]",
        "shop.status",
        '"Status"',
        '"shop"."Status"[]',
        "INTERVAL DAY TO SECOND",
    ],
)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_list_may_cast_its_values_to_any_type(cast: str, place: int) -> None:
    values = ["%s::INTEGER"] * 7
    values[place] = f"%s::{cast}"
    row = f"({', '.join(values)})"
    for rows in (row, ", ".join([row] * 5)):
        assert analyze(f"INSERT INTO a VALUES {rows}", "postgresql", "format") == WRITE_A


def test_only_values_are_left_out_of_a_list() -> None:
    values = ", ".join(["%s::INTEGER"] * 9)
    inner = f"SELECT x FROM a WHERE x IN (SELECT {values}, %s::INTEGER FROM b)"
    assert {table.name for table in analyze(inner, "postgresql", "format").reads} == {"a", "b"}
    for last in ("%s::INTEGER + g(y)", "%s::INTEGER AND g(y)", "(%s)::INTEGER, g(y)"):
        facts = analyze(f"SELECT f({values}, {last}) FROM a", "postgresql", "format")
        assert facts.functions == {"f", "g"}


def test_deep_nesting_does_not_raise() -> None:
    deep = "(" * 5_000 + "SELECT 1" + ")" * 5_000
    assert analyze(deep, "postgresql", "").uncacheable == "not parsable"
