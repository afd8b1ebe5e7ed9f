"""
How is a server run in a Docker container?

Through testcontainers, which also removes the container when this process dies.
"""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

from ormcache.testing.servers.errors import SourceFailed
from ormcache.testing.servers.private import free_port
from ormcache.testing.servers.product import Product, connect_only, driver

ENGINE_TIMEOUT = 3
"""Seconds the Docker engine may take to answer at all."""

START_TIMEOUT = 120.0
"""Seconds a container may take until its server is ready (its image has been pulled by then)."""


def require_engine() -> None:
    """
    Raises SourceFailed unless testcontainers is installed and a Docker engine answers.
    """
    clients = driver("testcontainers.core.docker_client", "testcontainers")
    address = clients.get_docker_host() or "unix:///var/run/docker.sock"
    try:
        _connect(address)
        client = clients.DockerClient(timeout=ENGINE_TIMEOUT).client
        try:
            client.ping()
        finally:
            client.close()
    # The client of an absent engine fails in several libraries' own ways.
    except Exception as error:
        raise SourceFailed(f"no Docker engine answers at {address} ({error})") from error


def _connect(address: str) -> None:
    """
    Raises OSError when nothing listens there.

    Asked before the library is, which leaves its socket open when it cannot connect.
    """
    place = urlsplit(address)
    if place.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(ENGINE_TIMEOUT)
            probe.connect(place.path)
    elif place.hostname and place.port:
        connect_only(place.hostname, place.port)


class ContainerHost:
    """
    A server in a container of ours; ready once constructed.
    """

    def __init__(self, product: Product) -> None:
        containers = driver("testcontainers.core.container", "testcontainers")
        image, port, command, environment = product.container()
        self._product = product
        self._port = port
        self._container: Any = containers.DockerContainer(image)
        self._container.with_command(list(command)).with_envs(**environment)
        # A fixed port, so that the server keeps its address over a restart.
        self._container.with_bind_ports(port, free_port())
        self.url = ""
        try:
            self._container.start()
            self._wait()
        except SourceFailed:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise SourceFailed(f"the container of {image} did not start: {error}") from error
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """
        Stops the container and keeps it.
        """
        self._container.get_wrapped_container().stop()

    def start(self) -> None:
        """
        Starts the stopped container; returns when its server is ready.
        """
        self._container.get_wrapped_container().start()
        self._wait()

    def pause(self) -> None:
        """
        Freezes every process in the container.
        """
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        """
        Lets them go on.
        """
        self._container.get_wrapped_container().unpause()

    def close(self) -> None:
        """
        Removes the container and its volumes.
        """
        self._container.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        host = self._container.get_container_host_ip()
        port = self._container.get_exposed_port(self._port)
        while True:
            try:
                self._product.ping(host, port)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    message = f"not ready after {START_TIMEOUT:.0f} s: {error}"
                    raise SourceFailed(message) from error
            time.sleep(0.1)
        self.url = self._product.url(host, port)
        self._product.started(self.url)
