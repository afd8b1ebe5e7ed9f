"""
Which strings PostgreSQL and SQLite take for the present.
"""

import pytest

from ormcache.sqlalchemy.functions import names_relative_time


@pytest.mark.parametrize("value", ["now", " NOW ", "today 12:00", "[now,)", "Yesterday"])
def test_a_string_may_name_the_present(value: str) -> None:
    assert names_relative_time(value)


@pytest.mark.parametrize("value", ["2020-01-01", "knowing", "now " * 20, ""])
def test_most_strings_do_not_name_the_present(value: str) -> None:
    assert not names_relative_time(value)
