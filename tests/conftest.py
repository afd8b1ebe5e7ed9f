"""
Fixtures for every test; each file under `fixtures` owns one concern.
"""

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.topologies",
    "tests.fixtures.ways",
    "tests.fixtures.databases",
    "tests.fixtures.loops",
    "tests.fixtures.shadow",
    "tests.fixtures.apps",
    "tests.fixtures.mongo",
    "tests.fixtures.planted",
]
