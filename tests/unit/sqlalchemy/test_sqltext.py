"""
The exact facts of many statements, by dialect.
"""

import logging

import pytest

from ormcache.sqlalchemy.sqltext import Kind, SqlFacts, TableName, analyze

STYLES = {"postgresql": "pyformat", "mysql": "format", "mariadb": "format", "sqlite": "qmark"}


def names(text: str) -> frozenset[TableName]:
    """`"a s.b"` as table names."""
    parts = (each.rpartition(".") for each in text.split())
    return frozenset(TableName(schema or None, name) for schema, _, name in parts)


def read(reads: str = "", reason: str | None = None, functions: str = "", **more: bool) -> SqlFacts:
    return SqlFacts(
        Kind.READ,
        reads=names(reads),
        functions=frozenset(functions.split()),
        uncacheable=reason,
        **more,
    )


def write(writes: str | None, reads: str = "", functions: str = "", **more: bool) -> SqlFacts:
    return SqlFacts(
        Kind.WRITE,
        reads=names(reads),
        writes=None if writes is None else names(writes),
        functions=frozenset(functions.split()),
        uncacheable="not a read",
        **more,
    )


def other(kind: Kind, *, anything: bool = False, **more: bool) -> SqlFacts:
    return SqlFacts(
        kind, writes=None if anything else frozenset(), uncacheable="not a read", **more
    )


def unknown(reason: str = "not parsable", kind: Kind = Kind.UNKNOWN, *, free: bool) -> SqlFacts:
    return SqlFacts(
        kind, writes=None, uncacheable=reason, implicit_commit=free, changes_session=free
    )


EVERYWHERE = [
    ("SELECT a.id, count(*) FROM a JOIN b ON a.id = b.id GROUP BY a.id", read("a b")),
    ("select 1", read()),
    ("SELECT * FROM a ORDER BY x LIMIT 3", read("a", ordered=True)),
    ("SELECT * FROM a LIMIT 3", read("a")),
    ("SELECT x FROM (SELECT x FROM a ORDER BY x) s", read("a")),
    ("SELECT (SELECT max(x) FROM b) FROM a WHERE EXISTS (SELECT 1 FROM c)", read("a b c")),
    ("SELECT * FROM s.a AS t WHERE t.x IN (SELECT y FROM S.B)", read("s.a s.b")),
    ("SELECT x FROM a UNION ALL SELECT x FROM b EXCEPT SELECT x FROM c", read("a b c")),
    ("SELECT x FROM a UNION SELECT x FROM b ORDER BY 1", read("a b", ordered=True)),
    ("SELECT sum(x) OVER (PARTITION BY y ORDER BY z) FROM a", read("a")),
    ("SELECT CASE WHEN x > 1 THEN coalesce(y, 2) ELSE abs(z) END FROM a", read("a")),
    ("SELECT * FROM a CROSS JOIN b LEFT JOIN c ON b.x = c.x", read("a b c")),
    ("WITH x AS (SELECT * FROM a) SELECT * FROM x JOIN b ON x.i = b.i", read("a b")),
    ("WITH x AS (SELECT * FROM a), y AS (SELECT * FROM x) SELECT * FROM y", read("a")),
    (
        (
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r JOIN a ON a.i = n)"
            " SELECT n FROM r"
        ),
        read("a"),
    ),
    # The CTE hides a table of its name, but not from itself and not outside of its statement.
    ("WITH a AS (SELECT * FROM a WHERE x = 1) SELECT * FROM a", read("a")),
    ("WITH a AS (SELECT 1 AS x) SELECT * FROM a", read()),
    ("WITH a AS (SELECT 1 AS x) SELECT * FROM s.a", read("s.a")),
    ("SELECT * FROM (WITH a AS (SELECT * FROM b) SELECT * FROM a) s JOIN a ON 1 = 1", read("a b")),
    ("SELECT '; DELETE FROM b' FROM a -- ; DELETE FROM c", read("a")),
    ("SELECT /* FROM b; */ x FROM a", read("a")),
    ("SELECT 'it''s' FROM a;", read("a")),
    ("INSERT INTO a (x) VALUES (1)", write("a")),
    ("INSERT INTO s.a SELECT * FROM b", write("s.a", "b")),
    ("INSERT INTO a SELECT * FROM a", write("a", "a")),
    ("UPDATE a SET x = (SELECT max(y) FROM b) WHERE z = 1", write("a", "b")),
    ("DELETE FROM a WHERE x IN (SELECT y FROM b)", write("a", "b")),
    ("SELECT f(x) FROM a", read("a", "unknown function f()", "f")),
    ("INSERT INTO a VALUES (f(1))", write("a", functions="f")),
    (
        "SELECT current_timestamp FROM a",
        read("a", "volatile function current_timestamp()", "current_timestamp"),
    ),
    (
        "SELECT * FROM information_schema.tables",
        read("information_schema.tables", "system catalog"),
    ),
    ("CREATE INDEX i ON a (x)", None),
    ("ROLLBACK", other(Kind.TRANSACTION)),
    ("COMMIT", other(Kind.TRANSACTION, implicit_commit=True)),
    ("SAVEPOINT x", other(Kind.TRANSACTION)),
    ("RELEASE SAVEPOINT x", other(Kind.TRANSACTION)),
    ("", read("", "empty")),
    ("-- nothing", read("", "empty")),
    ("FROBNICATE a", unknown(free=True)),
    ("SELECT * FROM a WHERE x = 'open", unknown(free=True)),
    ("SELECT x FROM a WHERE WHERE f(x)", read("", "not parsable", "f")),
    (
        "SELECT x FROM a WHERE WHERE x; DELETE FROM b",
        SqlFacts(Kind.WRITE, writes=names("b"), uncacheable="several statements"),
    ),
    ("INSERT INTO a VALUES (", unknown(kind=Kind.WRITE, free=False)),
    ("EXPLAIN SELECT * FROM a", read("", "EXPLAIN")),
    (
        "UPDATE a SET x = 1; UPDATE b SET x = 1",
        SqlFacts(Kind.WRITE, writes=names("a b"), uncacheable="several statements"),
    ),
    (
        "SELECT * FROM a; SET x = 1",
        SqlFacts(Kind.SESSION, names("a"), uncacheable="several statements", changes_session=True),
    ),
]

POSTGRESQL = [
    ('SELECT "Id" FROM "Sales"."Order" WHERE x = %(id_1)s::INTEGER', read("sales.order")),
    ("SELECT * FROM a WHERE x = ANY(%(a)s) AND y LIKE 'a%%' AND z %% 2 = 0", read("a")),
    ("SELECT * FROM a WHERE x = ANY(%(a)s::INTEGER[]) AND y = $1", read("a")),
    ("SELECT '%(x)s', $$ f() ' $$, $t$ $$ $t$, E'it\\'s' FROM a WHERE y = %(x)s", read("a")),
    ("SELECT * FROM a /* x /* now() */ still */ WHERE x = 1", read("a")),
    ("SELECT x->'a'->>'b', x#>'{a}', x @> y, x ~ 'a', x && y, x ? 'k' FROM a", read("a")),
    ("SELECT a.x OPERATOR(pg_catalog.+) 1 FROM a", read("a")),
    ("SELECT x COLLATE \"C\", y AT TIME ZONE 'UTC', ARRAY[1, 2], ROW(1, 2) FROM a", read("a")),
    (
        (
            "SELECT extract(epoch FROM x), trim(both ' ' FROM y), substring(y FROM 1 FOR 2),"
            " position('a' IN y), date_trunc('day', x), to_char(x, 'YYYY'), md5(y) FROM a"
        ),
        read("a"),
    ),
    (
        (
            "SELECT array_agg(x), string_agg(x, ',' ORDER BY y), count(*) FILTER (WHERE z),"
            " percentile_cont(0.5) WITHIN GROUP (ORDER BY x), json_agg(x) FROM a"
        ),
        read("a"),
    ),
    ("SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.i = a.i) s", read("a b")),
    ("SELECT * FROM a, unnest(a.x) u, generate_series(1, 3) g, jsonb_each(a.j) e", read("a")),
    ("SELECT * FROM f(1) g JOIN a ON true", read("a", "unknown function f()", "f")),
    ("SELECT S.F(x), pg_catalog.lower(x) FROM a", read("a", "unknown function s.f()", "s.f")),
    ('SELECT "LOWER"(x) FROM a', read("a", "unknown function lower()", "lower")),
    (
        "SELECT DISTINCT ON (x) x FROM ONLY a ORDER BY x NULLS LAST FETCH FIRST 5 ROWS ONLY",
        read("a", ordered=True),
    ),
    ("(SELECT x FROM a) UNION ALL (SELECT y FROM b) LIMIT 3", read("a b")),
    ("TABLE a", read("a")),
    ("VALUES (1, 2)", read()),
    ("SELECT age(x, y) FROM a", read("a")),
    ("SELECT age(x) FROM a", read("a", "volatile function age()", "age")),
    ("SELECT now() FROM a", read("a", "volatile function now()", "now")),
    (
        "SELECT random(), clock_timestamp() FROM a",
        read("a", "volatile function random()", "random clock_timestamp"),
    ),
    (
        "SELECT localtimestamp(0), user, session_user FROM a",
        read("a", "volatile function localtimestamp()", "localtimestamp user session_user"),
    ),
    ('SELECT "user" FROM a', read("a")),
    (
        "SELECT current_setting('x')",
        read("", "volatile function current_setting()", "current_setting"),
    ),
    (
        "SELECT set_config('x', 'y', false)",
        read("", "volatile function set_config()", "set_config", changes_session=True),
    ),
    ("SELECT pg_sleep(1)", read("", "volatile function pg_sleep()", "pg_sleep")),
    ("SELECT 'now'::timestamp FROM a", read("a", "relative time")),
    ("SELECT DATE 'today' FROM a", read("a", "relative time")),
    ("SELECT * FROM a WHERE x > 'yesterday'", read("a", "relative time")),
    ("SELECT %(x)s::DATE FROM a", read("a")),
    ("SELECT nextval('s')", read("", "sequence", "nextval")),
    ("SELECT ctid, x FROM a", read("a", "system column ctid")),
    ("SELECT xmin FROM a", read("a", "system column xmin")),
    ("SELECT 'a'::regclass", read("", "system catalog")),
    ("SELECT * FROM pg_class", read("pg_class", "system catalog")),
    ("SELECT * FROM pg_catalog.pg_type", read("pg_catalog.pg_type", "system catalog")),
    ("SELECT * FROM a FOR UPDATE SKIP LOCKED", read("a", "locking read")),
    ("SELECT * FROM (SELECT * FROM a FOR SHARE) s", read("a", "locking read")),
    ("SELECT * FROM a TABLESAMPLE SYSTEM (10)", read("a", "TABLESAMPLE")),
    ("SELECT x INTO b FROM a", SqlFacts(Kind.DDL, names("a"), None, uncacheable="SELECT INTO")),
    (
        "SELECT x INTO TEMP b FROM a",
        SqlFacts(Kind.DDL, names("a"), None, uncacheable="SELECT INTO", changes_session=True),
    ),
    ("WITH x AS (UPDATE a SET y = 1 RETURNING *) SELECT * FROM x", write("a")),
    (
        (
            "WITH x AS (DELETE FROM a USING b WHERE a.i = b.i RETURNING *)"
            " INSERT INTO c SELECT * FROM x"
        ),
        write("a c", "b"),
    ),
    (
        (
            "INSERT INTO a (x) VALUES (%(x)s) ON CONFLICT (x) DO UPDATE SET y = excluded.y"
            " RETURNING id"
        ),
        write("a"),
    ),
    ("INSERT INTO a DEFAULT VALUES", write("a")),
    ("INSERT INTO a (t) VALUES (now())", write("a", functions="now")),
    ("UPDATE ONLY a SET x = b.x FROM b WHERE a.i = b.i", write("a", "b")),
    ("UPDATE a AS t SET (x, y) = (SELECT c, d FROM b)", write("a", "b")),
    ("DELETE FROM a AS t USING b WHERE t.i = b.i", write("a", "b")),
    ("DELETE FROM a WHERE x = %s", write("a")),
    (
        (
            "MERGE INTO a USING (SELECT * FROM b) s ON a.i = s.i WHEN MATCHED THEN UPDATE SET x = 1"
            " WHEN NOT MATCHED THEN INSERT (x) VALUES (1)"
        ),
        write("a", "b"),
    ),
    ("MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN DELETE", write("a", "b")),
    ("TRUNCATE a, s.b", write("a s.b")),
    ("TRUNCATE TABLE ONLY a RESTART IDENTITY", write("a")),
    ("TRUNCATE a CASCADE", write(None)),
    ("COPY a (x, y) FROM STDIN", write("a")),
    ('COPY "S"."A" FROM STDIN', write("s.a")),
    ("COPY a TO STDOUT", read("a", "COPY")),
    ("COPY (SELECT x FROM a) TO STDOUT", read("a", "COPY")),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY s.m", write("s.m")),
    ("EXPLAIN (COSTS OFF) UPDATE a SET x = 1", read("", "EXPLAIN")),
    (
        "EXPLAIN ANALYZE UPDATE a SET x = 1",
        SqlFacts(Kind.WRITE, writes=names("a"), uncacheable="EXPLAIN"),
    ),
    ("EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM a", read("a", "EXPLAIN")),
    ("CREATE TABLE a (x int)", other(Kind.DDL, anything=True)),
    ("CREATE TABLE a AS SELECT * FROM b", other(Kind.DDL, anything=True)),
    ("CREATE TEMP TABLE a (x int)", other(Kind.DDL, changes_session=True)),
    ("CREATE TEMP TABLE a AS SELECT f()", other(Kind.DDL, anything=True, changes_session=True)),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END",
        other(Kind.DDL, anything=True),
    ),
    ("DROP TABLE a", other(Kind.DDL, anything=True)),
    ("ALTER TABLE a ADD x int", other(Kind.DDL, anything=True)),
    ("GRANT SELECT ON a TO b", other(Kind.DDL, anything=True)),
    ("VACUUM ANALYZE a", other(Kind.DDL, implicit_commit=True)),
    ("ANALYZE a", other(Kind.DDL)),
    ("DO $$ BEGIN DELETE FROM a; END $$", other(Kind.CALL, anything=True, implicit_commit=True)),
    ("CALL p(1)", other(Kind.CALL, anything=True, implicit_commit=True)),
    ("EXECUTE p(1)", unknown("EXECUTE", free=False)),
    ("PREPARE p AS SELECT 1", other(Kind.SESSION)),
    ("PREPARE TRANSACTION 'x'", other(Kind.TRANSACTION, implicit_commit=True)),
    ("COMMIT PREPARED 'x'", other(Kind.TRANSACTION, implicit_commit=True)),
    ("COMMIT AND CHAIN", other(Kind.TRANSACTION, implicit_commit=True)),
    ("END", other(Kind.TRANSACTION, implicit_commit=True)),
    ("BEGIN", other(Kind.TRANSACTION)),
    ("BEGIN ISOLATION LEVEL SERIALIZABLE", other(Kind.TRANSACTION, changes_session=True)),
    ("SET search_path TO x", other(Kind.SESSION, changes_session=True)),
    ("SET LOCAL ROLE x", other(Kind.SESSION, changes_session=True)),
    ("RESET ALL", other(Kind.SESSION, changes_session=True)),
    ("DISCARD ALL", other(Kind.SESSION, changes_session=True)),
    ("LISTEN x", other(Kind.SESSION)),
    ("LOCK TABLE a", other(Kind.TRANSACTION)),
    ("SHOW search_path", read("", "SHOW")),
    ("DECLARE c CURSOR FOR SELECT * FROM a", read("a", "cursor")),
    ("FETCH 10 FROM c", read("", "cursor")),
    ("CREATE INDEX i ON a (x)", other(Kind.DDL, anything=True)),
]

MYSQL = [
    ("SELECT `x` FROM `db`.`Order` WHERE y = %s AND z LIKE 'a%%'", read("db.order")),
    ("SELECT * FROM a WHERE x = %(x)s", read("a")),
    ("SELECT 'it\\'s; DELETE FROM b' FROM a # DELETE FROM c", read("a")),
    ("SELECT 5--1 FROM a", read("a")),
    ("SELECT 1 FROM DUAL d WHERE EXISTS (SELECT * FROM a)", read("a")),
    ("SELECT 1 FROM `dual`, x.dual, a", read("a dual x.dual")),
    ('SELECT "x" FROM a', read("a")),
    (
        (
            "SELECT IF(x, y, z), IFNULL(x, y), DATE_ADD(x, INTERVAL 1 DAY),"
            " CONVERT(x USING utf8mb4),"
            " GROUP_CONCAT(DISTINCT x ORDER BY y SEPARATOR ','), LEFT(x, 1),"
            " JSON_EXTRACT(j, '$.a'),"
            " x DIV y, x <=> y, MATCH (x) AGAINST ('y') FROM a"
        ),
        read("a"),
    ),
    ("SELECT * FROM a FORCE INDEX (i) STRAIGHT_JOIN b", read("a b")),
    ("SELECT * FROM JSON_TABLE(%s, '$[*]' COLUMNS (x INT PATH '$.x')) j JOIN a", read("a")),
    ("SELECT NOW() FROM a", read("a", "volatile function now()", "now")),
    (
        "SELECT UTC_TIMESTAMP, CURDATE(), UUID() FROM a",
        read("a", "volatile function utc_timestamp()", "utc_timestamp curdate uuid"),
    ),
    ("SELECT UNIX_TIMESTAMP(x) FROM a", read("a")),
    (
        "SELECT UNIX_TIMESTAMP() FROM a",
        read("a", "volatile function unix_timestamp()", "unix_timestamp"),
    ),
    (
        "SELECT DATABASE(), RAND(), SLEEP(1), GET_LOCK('x', 1)",
        read("", "volatile function database()", "database rand sleep get_lock"),
    ),
    ("SELECT LAST_INSERT_ID()", read("", "volatile function last_insert_id()", "last_insert_id")),
    ("SELECT db.f(x) FROM a", read("a", "unknown function db.f()", "db.f")),
    ("SELECT @x", read("", "user variable")),
    ("SELECT @x := 1 FROM a", read("a", "user variable")),
    ("SELECT @@session.sql_mode", read("", "system variable")),
    ("SELECT SQL_CALC_FOUND_ROWS * FROM a", read("a", "SQL_CALC_FOUND_ROWS")),
    ("SELECT * FROM a FOR UPDATE NOWAIT", read("a", "locking read")),
    ("SELECT * FROM a LOCK IN SHARE MODE", read("a", "locking read")),
    ("SELECT * FROM a FOR SYSTEM_TIME AS OF TIMESTAMP '2020-01-01'", read("a", "system time")),
    (
        "SELECT * FROM performance_schema.threads",
        read("performance_schema.threads", "system catalog"),
    ),
    ("SELECT x INTO @y FROM a", read("a", "user variable")),
    ("SELECT x INTO OUTFILE 'f' FROM a", unknown(free=False)),
    ("SELECT /*!40001 SQL_NO_CACHE */ * FROM a", unknown(free=True)),
    ("INSERT INTO a (x) VALUES (%s), (%s) ON DUPLICATE KEY UPDATE x = VALUES(x)", write("a")),
    ("INSERT LOW_PRIORITY IGNORE INTO a SET x = 1", write("a")),
    ("INSERT a VALUES (1)", write("a")),
    ("REPLACE INTO a (x) SELECT x FROM b", write("a", "b")),
    ("REPLACE a VALUES (1)", write("a")),
    ("UPDATE a JOIN b ON a.i = b.i SET a.x = 1, b.y = 2", write("a b")),
    ("UPDATE a t, b AS u SET t.x = u.x", write("a b")),
    ("UPDATE IGNORE a JOIN (SELECT * FROM b) s ON a.i = s.i SET a.x = 1", write("a", "b")),
    ("DELETE t FROM a AS t JOIN b u ON t.i = u.i", write("a", "b")),
    ("DELETE t, u FROM a AS t JOIN b u ON t.i = u.i JOIN c", write("a b", "c")),
    ("DELETE FROM t USING a AS t JOIN b", write("a", "b")),
    ("DELETE QUICK FROM a ORDER BY x LIMIT 1", write("a")),
    ("TRUNCATE TABLE a", write("a", implicit_commit=True)),
    ("LOAD DATA LOCAL INFILE 'f' REPLACE INTO TABLE db.a FIELDS TERMINATED BY ','", write("db.a")),
    (
        "LOAD DATA INFILE 'f' INTO TABLE a (x, @y) SET z = f(@y)",
        SqlFacts(Kind.WRITE, writes=None, uncacheable="not parsable", implicit_commit=True),
    ),
    ("CREATE TABLE a (x int)", other(Kind.DDL, anything=True, implicit_commit=True)),
    ("CREATE TABLE event (x int)", other(Kind.DDL, anything=True, implicit_commit=True)),
    (
        "CREATE DEFINER=`x`@`y` PROCEDURE p() BEGIN DELETE FROM a; SELECT 1; END",
        other(Kind.DDL, anything=True, implicit_commit=True),
    ),
    (
        "BEGIN NOT ATOMIC DELETE FROM a; COMMIT; END",
        other(Kind.DDL, anything=True, implicit_commit=True),
    ),
    ("CREATE TEMPORARY TABLE a (x int)", other(Kind.DDL, changes_session=True)),
    ("CREATE INDEX i ON a (x)", other(Kind.DDL, anything=True, implicit_commit=True)),
    ("RENAME TABLE a TO b", other(Kind.DDL, anything=True, implicit_commit=True)),
    ("CREATE USER x", other(Kind.DDL, anything=True, implicit_commit=True)),
    ("ANALYZE TABLE a", other(Kind.DDL, implicit_commit=True)),
    ("ANALYZE UPDATE a SET x = 1", SqlFacts(Kind.WRITE, writes=names("a"), uncacheable="EXPLAIN")),
    ("FLUSH TABLES", other(Kind.DDL, implicit_commit=True)),
    ("LOCK TABLES a WRITE", other(Kind.TRANSACTION, implicit_commit=True)),
    (
        "START TRANSACTION READ ONLY",
        other(Kind.TRANSACTION, implicit_commit=True, changes_session=True),
    ),
    ("BEGIN", other(Kind.TRANSACTION, implicit_commit=True)),
    ("XA START 'x'", other(Kind.TRANSACTION)),
    ("XA COMMIT 'x'", other(Kind.TRANSACTION, implicit_commit=True)),
    ("SET autocommit = 1", other(Kind.SESSION, implicit_commit=True, changes_session=True)),
    ("SET NAMES utf8mb4", other(Kind.SESSION, changes_session=True)),
    ("SET @x = f()", other(Kind.SESSION, anything=True, changes_session=True)),
    ("USE db", other(Kind.SESSION, changes_session=True)),
    ("SHOW TABLES", read("", "SHOW")),
    ("DESCRIBE a", read("", "EXPLAIN")),
    ("CALL p()", other(Kind.CALL, anything=True, implicit_commit=True)),
    ("DO f()", other(Kind.CALL, anything=True, implicit_commit=True)),
    ("EXECUTE p", unknown("EXECUTE", free=True)),
]

SQLITE = [
    (
        'SELECT * FROM [My_Table] JOIN `b` JOIN "C" INDEXED BY i WHERE x = ?1 AND y = :n',
        read("my_table b c"),
    ),
    ("SELECT * FROM main.a WHERE x GLOB 'a*' AND (x, y) IN (VALUES (1, 2))", read("main.a")),
    (
        "SELECT group_concat(x, ','), iif(x, y, z), total(x), typeof(x), printf('%d', x) FROM a",
        read("a"),
    ),
    ("SELECT * FROM a, json_each(a.x) e", read("a")),
    ("SELECT rowid FROM a", read("a")),
    (
        "SELECT date(x), strftime('%Y', x), datetime(x, '+1 day'), date(datetime(x)) FROM a",
        read("a"),
    ),
    ("SELECT date('2020-01-01') FROM a", read("a")),
    ("SELECT date('now') FROM a", read("a", "relative time", "date")),
    ('SELECT date("now") FROM a', read("a", "volatile function date()", "date")),
    ("SELECT date() FROM a", read("a", "volatile function date()", "date")),
    ("SELECT strftime('%s') FROM a", read("a", "volatile function strftime()", "strftime")),
    ("SELECT date(?) FROM a", read("a", "volatile function date()", "date")),
    ("SELECT date(x, ?) FROM a", read("a", "volatile function date()", "date")),
    ("SELECT date('n' || 'ow') FROM a", read("a", "volatile function date()", "date")),
    (
        "SELECT datetime(x, 'localtime') FROM a",
        read("a", "volatile function datetime()", "datetime"),
    ),
    ("SELECT random() FROM a", read("a", "volatile function random()", "random")),
    (
        "SELECT last_insert_rowid()",
        read("", "volatile function last_insert_rowid()", "last_insert_rowid"),
    ),
    ("SELECT * FROM sqlite_master", read("sqlite_master", "system catalog")),
    ("SELECT * FROM main.sqlite_schema", read("main.sqlite_schema", "system catalog")),
    ("SELECT * FROM pragma_table_info('a')", read("", "system catalog", "pragma_table_info")),
    ("INSERT OR REPLACE INTO a VALUES (?, ?)", write("a")),
    ("REPLACE INTO a VALUES (1)", write("a")),
    ("INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING RETURNING *", write("a")),
    ("UPDATE OR IGNORE a SET x = b.x FROM b", write("a", "b")),
    ("PRAGMA foreign_keys = ON", other(Kind.SESSION, changes_session=True)),
    ("PRAGMA foreign_keys(1)", other(Kind.SESSION, changes_session=True)),
    ("PRAGMA foreign_keys", read("", "PRAGMA")),
    ('PRAGMA main.table_info("a")', read("", "PRAGMA")),
    ("ATTACH 'f' AS x", other(Kind.SESSION, changes_session=True)),
    ("DETACH x", other(Kind.SESSION, changes_session=True)),
    ("BEGIN IMMEDIATE", other(Kind.TRANSACTION)),
    ("VACUUM", other(Kind.DDL, anything=True, implicit_commit=True)),
    ("EXPLAIN QUERY PLAN SELECT * FROM a", read("", "EXPLAIN")),
    ("CREATE TEMP TABLE a (x)", other(Kind.DDL, changes_session=True)),
    (
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END",
        other(Kind.DDL, anything=True),
    ),
]

CASES = [
    *((dialect, *case) for dialect in STYLES for case in EVERYWHERE if case[1] is not None),
    *(("postgresql", *case) for case in POSTGRESQL),
    *((dialect, *case) for dialect in ("mysql", "mariadb") for case in MYSQL),
    *(("sqlite", *case) for case in SQLITE),
]


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_facts(dialect: str, sql: str, expected: SqlFacts) -> None:
    assert analyze(sql, dialect, STYLES[dialect]) == expected


def test_an_unknown_dialect_may_do_anything() -> None:
    assert analyze("SELECT 1", "oracle", "named") == unknown("dialect oracle", free=True)


def test_the_users_log_stays_empty(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for dialect, sql, _ in CASES:
            analyze.__wrapped__(sql, dialect, STYLES[dialect])
        analyze("SELECT x -> '$[bad path' FROM a", "mysql", "")
    assert caplog.records == []
