"""
Which rows does a statement say it reads or changes?
"""

import pytest

from ormcache.sqlalchemy.facts import TableName
from ormcache.sqlalchemy.pins import Change, Parameter, pinned_change, pinned_reads

T, U = TableName(None, "t"), TableName(None, "u")
POSTGRESQL, MYSQL, SQLITE = "postgresql", "mariadb", "sqlite"


def reads(sql: str, dialect: str = SQLITE, paramstyle: str = "qmark") -> list[dict[str, tuple]]:
    """
    The pins of every place that reads `t`, with a parameter as its key in a list.
    """
    places = pinned_reads(sql, dialect, paramstyle).get(T, ({},))
    return [{column: shown(operands) for column, operands in pins.items()} for pins in places]


def shown(operands: tuple) -> tuple:
    return tuple([each.key] if isinstance(each, Parameter) else each for each in operands)


@pytest.mark.parametrize(
    ("condition", "pins"),
    [
        ("id = ?", {"id": ([0],)}),
        ("? = id", {"id": ([0],)}),
        ("(id = ?)", {"id": ([0],)}),
        ("id = (?)", {"id": ([0],)}),
        ("t.id = ?", {"id": ([0],)}),
        ("T.ID = ?", {"id": ([0],)}),
        ('"t"."id" = ?', {"id": ([0],)}),
        ("id == ?", {"id": ([0],)}),
        ("id = 5", {"id": (5,)}),
        ("id IN (?, 7)", {"id": ([0], 7)}),
        ("a = ? AND id = ?", {"a": ([0],), "id": ([1],)}),
        ("a > ? AND (b < ? AND id = ?)", {"id": ([2],)}),
        ("id = ? AND (a = ? OR b = ?)", {"id": ([0],)}),
        ("id = ? AND id = ?", {"id": ([0],)}),
        ("id = ? OR a = ?", {}),
        ("NOT id = ?", {}),
        ("NOT (id = ? AND a = ?)", {}),
        ("id <> ?", {}),
        ("id >= ?", {}),
        ("id BETWEEN ? AND ?", {}),
        ("id NOT IN (?, ?)", {}),
        ("id IN (?, a)", {}),
        ("id IN (SELECT a FROM u WHERE a = ?)", {}),
        ("id IS ?", {}),
        ("id IS NULL", {}),
        ("(id = ?) = ?", {}),
        ("(id = ?) IS TRUE", {}),
        ("id + 0 = ?", {}),
        ("-id = ?", {}),
        ("abs(id) = ?", {}),
        ("CAST(id AS TEXT) = ?", {}),
        ("id COLLATE nocase = ?", {}),
        ("id = ? COLLATE nocase", {}),
        ("id = ? + 1", {}),
        ("id = -?", {}),
        ("id = -5", {}),
        ("id = 5.0", {}),
        ("id = '5'", {}),
        ("id = NULL", {}),
        ("id = a", {}),
        ("id = CAST(? AS TEXT)", {}),
        ("id = coalesce(?, 1)", {}),
        ("id LIKE ?", {}),
        ("(id, a) = (?, ?)", {}),
        ("CASE WHEN id = ? THEN 1 END", {}),
        ("EXISTS (SELECT 1 FROM u WHERE u.id = ?)", {}),
        ("u.id = ?", {}),
        ("id = ?1", {}),
    ],
)
def test_only_a_plain_equality_at_the_top_pins(condition: str, pins: dict):
    assert reads(f"SELECT x FROM t WHERE {condition}") == [pins]


@pytest.mark.parametrize(
    ("sql", "places"),
    [
        ("SELECT x FROM t", [{}]),
        ("SELECT x FROM t AS one WHERE one.id = ?", [{"id": ([0],)}]),
        ("SELECT x FROM t AS one WHERE t.id = ?", [{}]),
        ("SELECT x FROM main.t", [{}]),
        ("SELECT x FROM t ORDER BY id = ?", [{}]),
        ("SELECT x FROM t GROUP BY x HAVING id = ?", [{}]),
        ("SELECT x FROM t WHERE id = ? ORDER BY y LIMIT ?", [{"id": ([0],)}]),
        ("SELECT count(*) FROM t WHERE id = ?", [{"id": ([0],)}]),
        ("SELECT x FROM u, t WHERE t.id = ?", [{"id": ([0],)}]),
        ("SELECT x FROM u, t WHERE id = ?", [{}]),
        ("SELECT x FROM u JOIN t ON t.id = ?", [{}]),
        ("SELECT x FROM u LEFT JOIN t ON t.a = u.a AND t.id = ?", [{}]),
        ("SELECT x FROM u LEFT JOIN t ON t.a = u.a WHERE t.id = ?", [{"id": ([0],)}]),
        ("SELECT x FROM t LEFT JOIN u ON t.a = u.a WHERE t.id = ?", [{"id": ([0],)}]),
        ("SELECT x FROM t NATURAL JOIN u WHERE id = ?", [{}]),
        ("SELECT x FROM t, t AS two WHERE t.id = ?", [{"id": ([0],)}, {}]),
        (
            "SELECT x FROM t, t AS two WHERE t.id = ? AND two.id = ?",
            [{"id": ([0],)}, {"id": ([1],)}],
        ),
        ("SELECT x FROM t AS u, u WHERE u.id = ?", [{}]),
        ("SELECT x FROM (SELECT * FROM t) AS t WHERE t.id = ?", [{}]),
        ("SELECT x FROM (SELECT * FROM t WHERE id = ?) AS v", [{"id": ([0],)}]),
        ("WITH t AS (SELECT * FROM u) SELECT x FROM t WHERE id = ?", [{}]),
        ("WITH v AS (SELECT * FROM t) SELECT x FROM v WHERE v.id = ?", [{}]),
        ("SELECT (SELECT max(x) FROM t) FROM u WHERE u.id = ?", [{}]),
        ("SELECT (SELECT max(x) FROM t WHERE t.id = u.id) FROM u WHERE u.id = ?", [{}]),
        ("SELECT x FROM t WHERE id = ? UNION SELECT x FROM t", [{"id": ([0],)}, {}]),
        ("SELECT x FROM u WHERE id IN t", [{}]),
        ("SELECT x FROM t WHERE id = ?; SELECT 1", [{}]),
        ("SELECT x FROM t WHERE id = ? -- AND", [{"id": ([0],)}]),
        ("SELECT ':p0' FROM t WHERE id = ?", [{"id": ([0],)}]),
        ("not SQL", [{}]),
    ],
)
def test_every_mention_of_a_table_counts(sql: str, places: list[dict]):
    found = reads(sql)
    assert sorted(found, key=repr) == sorted(places, key=repr)


@pytest.mark.parametrize(
    ("dialect", "paramstyle", "condition", "pins"),
    [
        (POSTGRESQL, "pyformat", "id = %(id_1)s", {"id": (["id_1"],)}),
        (POSTGRESQL, "pyformat", "id = %(id_1)s::INTEGER", {"id": (["id_1"],)}),
        (POSTGRESQL, "numeric_dollar", "a LIKE $1 AND id = $2::BIGINT", {"id": ([1],)}),
        (POSTGRESQL, "numeric_dollar", "id = $1::UUID", {"id": ([0],)}),
        (POSTGRESQL, "numeric_dollar", "id = $1::VARCHAR", {}),
        (POSTGRESQL, "numeric_dollar", "id = $1::NUMERIC(10, 0)", {}),
        (POSTGRESQL, "format", "a = %s AND id = %s", {"a": ([0],), "id": ([1],)}),
        (POSTGRESQL, "numeric_dollar", "id = ANY ($1::INTEGER[])", {}),
        (POSTGRESQL, "numeric_dollar", "id IS NOT DISTINCT FROM $1", {}),
        (MYSQL, "pyformat", "`t`.`id` = %(id_1)s", {"id": (["id_1"],)}),
        (MYSQL, "format", "a = '%%s' AND id = %s", {"id": ([0],)}),
        (MYSQL, "format", "id <=> %s", {}),
        (MYSQL, "format", "id = %s AND a XOR b", {}),
        (MYSQL, "format", "id = %s || a", {}),
        (SQLITE, "named", "id = :id_1", {"id": (["id_1"],)}),
    ],
)
def test_every_driver_writes_its_placeholders_in_its_own_way(
    dialect: str, paramstyle: str, condition: str, pins: dict
):
    assert reads(f"SELECT x FROM t WHERE {condition}", dialect, paramstyle) == [pins]


def test_a_long_list_is_not_looked_into():
    many = ", ".join(["?"] * 1000)
    assert reads(f"SELECT x FROM t WHERE id IN ({many})") == [{}]


def p(key: str | int) -> Parameter:
    return Parameter(key)


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("INSERT INTO t (id, a) VALUES (?, ?)", Change(T, None, ({"id": p(0), "a": p(1)},))),
        (
            "INSERT INTO t (ID, a) VALUES (?, 5), (7, b)",
            Change(T, None, ({"id": p(0), "a": 5}, {"id": 7, "a": None})),
        ),
        ("INSERT INTO t (a) VALUES (?) RETURNING id", Change(T, None, ({"a": p(0)},))),
        ("UPDATE t SET a = ? WHERE id = ?", Change(T, {"id": (p(1),)}, ({"a": p(0)},))),
        ("UPDATE t SET a = a + ? WHERE t.id = 5", Change(T, {"id": (5,)}, ({"a": None},))),
        ("UPDATE t SET a = ?, a = ? WHERE id = 5", Change(T, {"id": (5,)}, ({"a": None},))),
        ("UPDATE t SET a = ?", Change(T, {}, ({"a": p(0)},))),
        ("DELETE FROM t WHERE id = ? AND a = ?", Change(T, {"id": (p(0),), "a": (p(1),)}, ({},))),
        ("DELETE FROM t WHERE id = ? OR a = ?", Change(T, {}, ({},))),
        ("DELETE FROM t", Change(T, {}, ({},))),
    ],
)
def test_what_a_change_says_about_its_rows(sql: str, change: Change):
    assert pinned_change(sql, SQLITE, "qmark") == change


def test_rows_in_the_form_that_keeps_their_order():
    assert pinned_change(
        "INSERT INTO t (a, id, b) SELECT p0::VARCHAR, p1::INTEGER, p2 + 1 FROM "
        "(VALUES (%(a)s::VARCHAR, %(id)s::INTEGER, %(b)s)) AS imp_sen(p0, p1, p2, sen_counter) "
        "ORDER BY sen_counter RETURNING t.id",
        POSTGRESQL,
        "pyformat",
    ) == Change(T, None, ({"a": None, "id": p("id"), "b": None},))


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (POSTGRESQL, "INSERT INTO t (id) SELECT v.a FROM (VALUES (%s), (6)) AS v(a)"),
        (POSTGRESQL, "INSERT INTO t (id) SELECT v.a FROM (VALUES (5)) AS v(a) WHERE false"),
        (SQLITE, "INSERT INTO t VALUES (?, ?)"),
        (SQLITE, "INSERT INTO t (id) SELECT id FROM u WHERE id = ?"),
        (SQLITE, "INSERT INTO t DEFAULT VALUES"),
        (SQLITE, "INSERT OR REPLACE INTO t (id) VALUES (?)"),
        (SQLITE, "REPLACE INTO t (id) VALUES (?)"),
        (SQLITE, "INSERT INTO t (id) VALUES (?) ON CONFLICT (id) DO UPDATE SET id = 6"),
        (SQLITE, "INSERT INTO t (id) VALUES (?) ON CONFLICT DO NOTHING"),
        (SQLITE, "UPDATE t SET rowid = ? WHERE id = ?"),
        (SQLITE, "UPDATE t SET (a, id) = (?, ?) WHERE id = ?"),
        (SQLITE, "UPDATE t SET a = u.a FROM u WHERE t.id = ?"),
        (SQLITE, "WITH v AS (SELECT 1) UPDATE t SET a = 1 WHERE id = ?"),
        (SQLITE, "SELECT x FROM t WHERE id = ?"),
        (MYSQL, "INSERT IGNORE INTO t (id) VALUES (5)"),
        (MYSQL, "INSERT INTO t (id) VALUES (5) ON DUPLICATE KEY UPDATE id = 6"),
        (MYSQL, "UPDATE t, u SET t.a = 1 WHERE t.id = 5"),
        (MYSQL, "UPDATE t JOIN u ON t.a = u.a SET u.a = 1 WHERE t.id = 5"),
        (MYSQL, "DELETE t FROM t JOIN u ON t.a = u.a WHERE t.id = 5"),
        (MYSQL, "DELETE FROM t WHERE id = 5 LIMIT 1"),
        (POSTGRESQL, "DELETE FROM t USING u WHERE t.id = 5"),
        (POSTGRESQL, "INSERT INTO t (id) OVERRIDING USER VALUE VALUES (5)"),
        (POSTGRESQL, "WITH v AS (DELETE FROM t WHERE id = 6) DELETE FROM t WHERE id = 5"),
        (POSTGRESQL, "MERGE INTO t USING u ON t.id = 5 WHEN MATCHED THEN DELETE"),
        (POSTGRESQL, "TRUNCATE t"),
    ],
)
def test_any_other_change_may_be_to_any_row(dialect: str, sql: str):
    assert pinned_change(sql, dialect, "qmark" if dialect == SQLITE else "format") is None
