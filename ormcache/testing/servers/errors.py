"""
What can go wrong when a test server is asked for?

    ServerUnavailable   no source could give a server; lists what was tried and why it failed
    ServerNotOurs       the server was only lent (an environment variable names it)
    SourceFailed        one source could not give a server (internal: the next one is tried)
"""

from collections.abc import Sequence


class SourceFailed(Exception):
    """
    One source has no server to give; the message says why in a line.
    """


class ServerNotOurs(RuntimeError):
    """
    A server that was only lent cannot be stopped, started, paused or resumed.
    """


class ServerUnavailable(RuntimeError):
    """
    No server could be had.

    `attempts` holds a (source, reason) pair for every source tried, in order.
    """

    def __init__(
        self, title: str, attempts: Sequence[tuple[str, str]], choices: Sequence[str] = ()
    ) -> None:
        self.title = title
        self.attempts = tuple(attempts)
        lines = [f"no {title} server is available. Tried:"]
        lines += [f"  {source}: {reason}" for source, reason in attempts]
        lines += ["Any one of these helps:"] if choices else []
        lines += [f"  - {choice}" for choice in choices]
        super().__init__("\n".join(lines))
