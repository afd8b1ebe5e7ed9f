"""
The README's quick start runs as printed.
"""

import re
import subprocess
import sys
from pathlib import Path

from ormcache.testing.servers import Server

README = Path(__file__).parents[2] / "README.md"


def test_the_quick_start_runs_as_printed(redis_server: Server, tmp_path: Path):
    found = re.search(r"<!-- tested.*?-->\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    program = found[1].replace("redis://localhost:6379/0", redis_server.url)
    assert program != found[1]
    # On a busy test machine 50 ms may pass before a first answer.
    program = program.replace('namespace="shop")', 'namespace="shop", timeout=5.0)')
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    *names, counts = done.stdout.splitlines()
    assert names == ["tea", "tea", "coffee"]
    assert "'hit': " in counts


def test_every_policy_setting_is_explained():
    from ormcache import Policy

    for setting in Policy().settings():
        assert f"`{setting}`" in README.read_text()
