"""
Is a policy file read as it is meant, and refused with what would be right?
"""

from pathlib import Path

import pytest

from ormcache import settings
from ormcache.errors import ConfigurationError
from ormcache.policy import Policy
from ormcache.settings import PolicyFile, WatchedPolicyFile, read_policy_file


def read(tmp_path: Path, content: str) -> PolicyFile:
    path = tmp_path / "policies.toml"
    path.write_text(content, encoding="utf-8")
    return read_policy_file(path)


def test_an_empty_file_says_nothing(tmp_path: Path):
    assert read(tmp_path, "") == PolicyFile(None, {})


def test_a_full_file(tmp_path: Path):
    content = """
        [default]
        ttl = 60

        [tables.products]
        ttl = 30
        depends_on = ["prices"]
        vary = ["app.tenant_id"]
        max_rows = 5
        max_bytes = 6

        [tables."shop.audit_log"]
        enabled = false
    """
    products = Policy(
        ttl=30, depends_on=["prices"], vary=["app.tenant_id"], max_rows=5, max_bytes=6
    )
    expected = {"products": products, "shop.audit_log": Policy.never}
    assert read(tmp_path, content) == PolicyFile(Policy(ttl=60), expected)


def test_the_path_may_be_a_string(tmp_path: Path):
    path = tmp_path / "policies.toml"
    path.write_text("[default]\nttl = 1\n")
    assert read_policy_file(str(path)).default == Policy(ttl=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[tabels.products]", "unknown section of the policy file 'tabels'; did you mean 'tables'"),
        ("ttl = 3", "unknown section of the policy file 'ttl'"),
        ("default = 3", "'default' must be a table of settings, got 3"),
        ("tables = []", "'tables' must be a table of settings"),
        ("[tables]\nproducts = 60", "'products' must be a table of settings, got 60"),
        ("[tables.products]\ntll = 3", "section 'products': unknown policy setting 'tll'; did you"),
        ("[default]\nttl = 0", "section 'default': .*'ttl' must be .* above 0, got 0"),
        ("[default]\nvary = 'role'", "section 'default': .*'vary' must be a sequence"),
        ("[default", "not valid TOML"),
        ("[default]\n[default]", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, content: str, message: str):
    with pytest.raises(ConfigurationError, match=message) as raised:
        read(tmp_path, content)
    if "section of the policy file" not in message:
        assert "policies.toml" in str(raised.value)


def test_bytes_that_are_no_text_are_not_toml(tmp_path: Path):
    path = tmp_path / "policies.toml"
    path.write_bytes(b"[default]\nttl = \xff")
    with pytest.raises(ConfigurationError, match=r"policies\.toml' is not valid TOML"):
        read_policy_file(path)


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_policy_file(tmp_path / "missing.toml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_policy_file(tmp_path)


def test_a_watched_file_tells_its_changes(tmp_path: Path, monkeypatch, caplog):
    now = 100.0
    monkeypatch.setattr(settings.time, "monotonic", lambda: now)
    path = tmp_path / "policies.toml"
    path.write_text("")
    watched = WatchedPolicyFile(path)
    assert watched.read() == PolicyFile(None, {})
    path.write_text("[default]\nttl = 5\n")
    assert watched.changed() is None  # within the second
    now += 1
    assert watched.changed() == PolicyFile(Policy(ttl=5), {})
    now += 1
    assert watched.changed() is None  # as it was
    path.write_text("[default]\nttl = nonsense\n")
    now += 1
    assert watched.changed() is None
    assert "keeps the policies it has" in caplog.text
    path.unlink()
    now += 1
    assert watched.changed() is None
    path.write_text("[default]\nttl = 7\n")
    now += 1
    assert watched.changed() == PolicyFile(Policy(ttl=7), {})
