"""
What a connection was told is followed exactly, or the connection is not cached.
"""

import pytest

from ormcache.sqlalchemy.sessionstate import Local, SessionState


def said(*statements: str | tuple, meaning: Local = Local.TRANSACTION) -> SessionState:
    state = SessionState()
    for statement in statements:
        sql, parameters = statement if isinstance(statement, tuple) else (statement, None)
        state.said(sql, parameters, meaning)
    return state


@pytest.mark.parametrize(
    ("statement", "settings"),
    [
        ("SET search_path TO a, b", {"search_path": "a, b"}),
        ("SET SESSION search_path = a;", {"search_path": "a"}),
        ("set local App.Tenant_Id = '5'", {"app.tenant_id": "'5'"}),
        ("SET ROLE alice", {"role": "alice"}),
        ("SET LOCAL ROLE 'alice'", {"role": "'alice'"}),
        ("SET TIME_ZONE = '+00:00'", {"time_zone": "'+00:00'"}),
        ("SELECT set_config('app.tenant', '7', true)", {"app.tenant": "7"}),
        (("SELECT set_config('app.t', %(v)s, false)", {"v": "8"}), {"app.t": "8"}),
        (("SELECT set_config(%s, %s, %s)", ("app.t", "9", True)), {"app.t": "9"}),
        (
            ("SELECT set_config('app.t', %(v)s::VARCHAR, %(l)s) AS x", {"v": 1, "l": True}),
            {"app.t": "1"},
        ),
        (("SELECT set_config('app.t', %s::VARCHAR, true)", ("2",)), {"app.t": "2"}),
        (("SELECT set_config(%s, '3', %s)", ["app.t", False]), {"app.t": "3"}),
        (("SELECT set_config($2, $1::VARCHAR, true)", ("4", "app.t")), {"app.t": "4"}),
    ],
)
def test_settings_with_name_and_value(statement: str | tuple, settings: dict):
    state = said(statement)
    assert state.settings == settings
    assert state.unknown is None


@pytest.mark.parametrize(
    "statement",
    [
        "SET a = 1, b = 2",
        "SET @@session.x = 1, @y := 2",
        "SET search_path TO %(path)s",
        "RESET ALL",
        "DISCARD ALL",
        "USE elsewhere",
        "ATTACH DATABASE 'x' AS y",
        "CREATE TEMP TABLE t (id int)",
        "SELECT set_config('a', f(), true)",
        "SELECT set_config('a', '1', true), set_config('b', '2', true)",
        ("SELECT set_config(%s, %s, %s)", ("only", "two")),
        ("SELECT set_config(%(name)s, '1', true)", {"other": "a"}),
        ("SELECT set_config('a', $2, true)", ("only one",)),
        ("SELECT set_config('a', %s, true)", None),
        ("SET search_path TO %s", ("a",)),
    ],
)
def test_what_cannot_be_followed_is_unknown_for_good(statement: str | tuple):
    state = said(statement)
    assert state.unknown is not None
    state.committed()
    assert state.unknown is not None


def test_the_reason_holds_no_value():
    assert said("USE secret_name_1").unknown == "USE"
    assert said("ATTACH 'a-secret' AS x").unknown == "ATTACH"
    assert said("CREATE TEMP TABLE secret (id int)").unknown == "CREATE TEMP TABLE"


def test_local_settings_end_with_the_transaction():
    state = said("SET LOCAL a.b = 1", "SET c.d = 2")
    state.committed()
    assert state.settings == {"c.d": "2"}


def test_a_later_setting_is_in_force_whatever_its_extent():
    assert said("SET LOCAL a.b = 1", "SET a.b = 2").settings == {"a.b": "2"}
    assert said("SET a.b = 2", "SET LOCAL a.b = 1").settings == {"a.b": "1"}


@pytest.mark.parametrize(
    ("meaning", "settings"), [(Local.SESSION, {"a.b": "1"}), (Local.NOTHING, {})]
)
def test_local_means_something_else_elsewhere(meaning: Local, settings: dict):
    state = said("SET LOCAL a.b = 1", meaning=meaning)
    assert state.settings == settings
    state.committed()
    assert state.settings == settings


def test_an_isolation_level_that_mysql_takes_for_the_sessions_is_unknown_for_good():
    state = said("SET LOCAL TRANSACTION READ ONLY", meaning=Local.SESSION)
    state.committed()
    assert state.unknown is not None


def test_a_rolled_back_setting_is_unknown():
    state = said("SET a.b = 1")
    state.rolled_back()
    assert state.unknown == "a SET that was rolled back"
    state = said("SET LOCAL a.b = 1")
    state.rolled_back()
    assert (state.unknown, state.settings) == (None, {})
    state = said("SET a.b = 1")
    state.committed()
    state.rolled_back()
    assert (state.unknown, state.settings) == (None, {"a.b": "1"})


def test_a_savepoint_rolled_back_may_have_undone_a_setting():
    state = said("SET LOCAL a.b = 1")
    state.rolled_back_to_savepoint()
    assert state.unknown is not None
    state.committed()
    assert state.unknown is None


@pytest.mark.parametrize(
    "statement",
    ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN ISOLATION LEVEL REPEATABLE READ"],
)
def test_an_isolation_level_as_sql_holds_for_its_transaction(statement: str):
    state = said(statement)
    assert state.unknown is not None
    state.committed()
    assert state.unknown is None
