"""
Fixtures for every test; each file under `fixtures` owns one concern.
"""

import signal

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

# A shell has what it starts in the background ignore Ctrl-C, and so would all that is started from
# here; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
