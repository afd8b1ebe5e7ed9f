"""
Which deployment does a client talk to?

A replica set's name and the addresses in a URI say little: every test set is called `rs0`. What is
unique is the process that a server is: each `hello` carries an id that it drew when it started, and
a primary's also the id of its election. Both are part of every read's key, so that no entry is
shared between two deployments, nor outlives a restart, a failover that rolled back, a restored
backup. Whatever URI leads to the same primary, the ids are the same, and no privilege is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymongo.server_description import ServerDescription
    from pymongo.topology_description import TopologyDescription

__all__ = ["KnownDeployment"]


class KnownDeployment:
    """
    The identity of a client's deployment, as its servers told it last.
    """

    __slots__ = ("_seen", "identity")

    def __init__(self) -> None:
        self._seen: object = None
        self.identity: str | None = None
        """None until a server that takes writes was heard of; kept while none can be reached."""

    def __repr__(self) -> str:
        return f"<KnownDeployment {self.identity}>"

    def look(self, topology: TopologyDescription) -> str | None:
        """
        Return the identity, given what the client now knows of its servers.
        """
        if topology is not self._seen:  # each change makes another object
            servers = list(topology.server_descriptions().values())
            writable = sorted(_identity(server) for server in servers if server.is_writable)
            if writable or _may_be_answered_by_another(topology, servers):
                self.identity = " ".join(writable) if writable and all(writable) else None
            self._seen = topology
        return self.identity


def _may_be_answered_by_another(
    topology: TopologyDescription, servers: list[ServerDescription]
) -> bool:
    """
    Return whether reads that want a primary go to a server that is none.

    A direct connection leads to its server whatever that is now, also a secondary.
    """
    direct = topology.topology_type_name == "Single"
    return direct and any(server.is_server_type_known for server in servers)


def _identity(server: ServerDescription) -> str:
    version = server.topology_version
    if version is None:
        return ""
    return f"{server.replica_set_name} {version.get('processId')} {server.election_id}"
