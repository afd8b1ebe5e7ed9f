"""
Where do tests get several servers that take each other's places, to kill one of them?

    with topologies.cluster() as cluster:
        store = open_store(cluster.url, "shop")
        cluster.kill(cluster.primaries()[0])

All of them are processes of ours: of an environment's or a container's servers none may be killed.
Their control needs the client library `redis`.
"""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.private import PrivateHost, free_port
from ormcache.testing.servers.process import PrivateProcess
from ormcache.testing.servers.product import Program, driver
from ormcache.testing.servers.server import Server, Source
from ormcache.testing.servers.sources import obtain
from ormcache.testing.servers.valkey import Valkey

__all__ = ["PRIVATE", "ServiceWithSentinels", "ValkeyCluster", "cluster", "sentinels"]

PRIVATE: tuple[Source, ...] = ("wheel", "binary", "apt")

_SLOTS = 16384
_PATIENCE = 30.0
_QUICK = "500"
"""Milliseconds of silence after which the others take a server for dead."""


@dataclass
class _Sentinel(Valkey):
    """
    A server program as a sentinel.
    """

    title = "Redis/Valkey Sentinel"

    def prepare(self, process: PrivateProcess, program: Program) -> None:
        super().prepare(process, program)
        # It keeps there what it has learnt.
        process.write("sentinel.conf", "")

    def command(self, process: PrivateProcess, program: Program, port: int) -> list[str]:
        return [
            *(str(program.executable), str(process.folder / "sentinel.conf"), "--sentinel"),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(process.folder / "data")),
        ]


class _Fleet:
    """
    Several servers of ours; as a context manager they are closed at the end of the block.
    """

    def __init__(self) -> None:
        self._ours = ExitStack()
        self._library: Any = driver("redis", "redis")
        self.servers: list[Server] = []

    def add(self, product: Valkey) -> Server:
        """
        A server started now.
        """
        return self._ours.enter_context(obtain(product, PRIVATE))

    def ask(self, server: Server, *words: str) -> Any:
        """
        What *server* answers to a command.
        """
        with self._library.Redis.from_url(server.url, decode_responses=True) as client:
            return client.execute_command(*words)

    def kill(self, server: Server) -> None:
        """
        Ends *server* by SIGKILL; `server.start()` begins it anew on its port, without its data.
        """
        host = server.host
        assert isinstance(host, PrivateHost)
        assert host.process.pid is not None
        os.kill(host.process.pid, signal.SIGKILL)
        self.wait_for(lambda: not host.process.running(), "the killed server is still there")

    def wait_for(self, condition: Callable[[], bool], otherwise: str) -> None:
        """
        Returns when the condition holds; raises SourceFailed when it does not come true.
        """
        deadline = time.monotonic() + _PATIENCE
        while not self._holds(condition):
            if time.monotonic() > deadline:
                raise SourceFailed(otherwise)
            time.sleep(0.02)

    def _holds(self, condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except self._library.RedisError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()


class ValkeyCluster(_Fleet):
    """
    A cluster; ready once constructed.

    Attributes:
        url: of all its nodes
    """

    def __init__(self, primaries: int, replicas: int, settings: Mapping[str, str]) -> None:
        super().__init__()
        try:
            for _ in range(primaries * (1 + replicas)):
                own = {"cluster-enabled": "yes", "cluster-port": str(free_port())}
                own |= {"cluster-node-timeout": _QUICK, "repl-diskless-sync-delay": "0"}
                self.servers.append(self.add(Valkey({**own, **settings})))
            self._join(primaries)
        except BaseException:
            self._ours.close()
            raise
        self.url = "redis+cluster://" + ",".join(_place(each) for each in self.servers)

    def primaries(self) -> list[Server]:
        """
        Those that serve slots, as somebody who is alive knows it.
        """
        ports = {int(owner[1]) for _, _, owner, *_ in self._slots(self._alive()[0])}
        return [each for each in self.servers if _port(each) in ports]

    def owner(self, slot: int) -> Server:
        """
        The primary that serves *slot*.
        """
        for first, last, owner, *_ in self._slots(self._alive()[0]):
            if first <= slot <= last:
                return next(each for each in self.servers if _port(each) == int(owner[1]))
        raise LookupError(slot)

    def copies(self, replica: Server, primary: Server) -> bool:
        """
        Whether one is a replica of the other.
        """
        told = self.ask(replica, "INFO", "replication")
        return bool(told["role"] == "slave" and told["master_port"] == _port(primary))

    def wait_until_whole(self) -> None:
        """
        Returns when every server alive serves, or copies, its part, and knows all the others.
        """
        self.wait_for(lambda: self._whole(self._alive()), "the cluster did not become whole")

    def _alive(self) -> list[Server]:
        hosts = [(each, each.host) for each in self.servers]
        return [
            each for each, host in hosts if isinstance(host, PrivateHost) and host.process.running()
        ]

    def _join(self, primaries: int) -> None:
        first, *others = self.servers
        for number, node in enumerate(self.servers, 1):
            self.ask(node, "CLUSTER", "SET-CONFIG-EPOCH", str(number))
        for node, (begin, end) in zip(self.servers, _ranges(primaries), strict=False):
            self.ask(node, "CLUSTER", "ADDSLOTSRANGE", str(begin), str(end))
        for node in others:
            bus = self.ask(node, "CONFIG", "GET", "cluster-port")["cluster-port"]
            self.ask(first, "CLUSTER", "MEET", "127.0.0.1", str(_port(node)), str(bus))
        everybody = len(self.servers)
        self.wait_for(
            lambda: all(
                len(self.ask(node, "CLUSTER", "NODES").splitlines()) == everybody
                for node in self.servers
            ),
            "the nodes of the cluster did not meet",
        )
        for number, node in enumerate(self.servers[primaries:]):
            copied = self.ask(self.servers[number % primaries], "CLUSTER", "MYID")
            self.ask(node, "CLUSTER", "REPLICATE", copied)
        self.wait_for(lambda: self._whole(self.servers), "the cluster did not become whole")

    def _whole(self, alive: list[Server]) -> bool:
        for node in alive:
            told = self.ask(node, "INFO", "replication")
            if "cluster_state:ok" not in self.ask(node, "CLUSTER", "INFO"):
                return False
            if told["role"] == "slave" and told["master_link_status"] != "up":
                return False
            listed = sum(len(servers) for _, _, *servers in self._slots(node))
            if listed != len(alive) * len(self._slots(node)) / len(self.primaries()):
                return False
        return True

    def _slots(self, node: Server) -> list[Any]:
        slots: list[Any] = self.ask(node, "CLUSTER", "SLOTS")
        return slots


class ServiceWithSentinels(_Fleet):
    """
    A primary, its replicas, and sentinels that watch them; ready once constructed.

    Attributes:
        url: of its sentinels
        service: what they call it
        sentinels: in the order of the URL
    """

    service = "shop"

    def __init__(self, replicas: int, count: int, settings: Mapping[str, str]) -> None:
        super().__init__()
        own = {"repl-diskless-sync-delay": "0", **settings}
        try:
            self.servers = [self.add(Valkey(own)) for _ in range(1 + replicas)]
            for node in self.servers[1:]:
                self.ask(node, "REPLICAOF", "127.0.0.1", str(_port(self.servers[0])))
            self.sentinels = [self.add(_Sentinel()) for _ in range(count)]
            self._watch()
        except BaseException:
            self._ours.close()
            raise
        places = ",".join(_place(each) for each in self.sentinels)
        self.url = f"redis+sentinel://{places}/{self.service}/0"

    def primary(self) -> Server:
        """
        The server that the first sentinel names.
        """
        _, port = self.ask(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return next(each for each in self.servers if _port(each) == int(port))

    def wait_until_whole(self) -> None:
        """
        Returns when every sentinel knows the others and every replica has its copy.
        """
        self.wait_for(self._whole, "the sentinels did not find each other and the replicas")

    def _watch(self) -> None:
        port = str(_port(self.servers[0]))
        quorum = str(len(self.sentinels) // 2 + 1)
        for sentinel in self.sentinels:
            self.ask(sentinel, "SENTINEL", "MONITOR", self.service, "127.0.0.1", port, quorum)
            for name, value in (("down-after-milliseconds", _QUICK), ("failover-timeout", "5000")):
                self.ask(sentinel, "SENTINEL", "SET", self.service, name, value)
        self.wait_until_whole()

    def _whole(self) -> bool:
        for sentinel in self.sentinels:
            told = self.ask(sentinel, "SENTINEL", "MASTER", self.service)
            if int(told["num-other-sentinels"]) != len(self.sentinels) - 1:
                return False
            if int(told["num-slaves"]) != len(self.servers) - 1:
                return False
        roles = [self.ask(node, "INFO", "replication") for node in self.servers]
        return all(told["role"] == "master" or told["master_link_status"] == "up" for told in roles)


def cluster(
    *, primaries: int = 3, replicas: int = 1, settings: Mapping[str, str] | None = None
) -> ValkeyCluster:
    """
    A running cluster, each of whose primaries has *replicas*.
    """
    return ValkeyCluster(primaries, replicas, settings or {})


def sentinels(
    *, replicas: int = 1, count: int = 3, settings: Mapping[str, str] | None = None
) -> ServiceWithSentinels:
    """
    A running primary with *replicas*, and *count* sentinels that watch it.
    """
    return ServiceWithSentinels(replicas, count, settings or {})


def _ranges(parts: int) -> Iterator[tuple[int, int]]:
    borders = [_SLOTS * part // parts for part in range(parts + 1)]
    return ((begin, end - 1) for begin, end in itertools.pairwise(borders))


def _port(server: Server) -> int:
    return int(urlsplit(server.url).port or 0)


def _place(server: Server) -> str:
    return f"127.0.0.1:{_port(server)}"
