"""
Which store does a URL name?

    redis://[user:password@]host[:6379][/database]     Redis or Valkey
    valkey://…                                         the same
    rediss://…                                         the same over TLS
    unix:///path/to/socket[?db=0]                      the same through a socket of this machine
    redis+sentinel://host1:26379,host2:26379/service   the primary that Redis Sentinel names
    redis+cluster://host1:6379,host2:6379              a Redis or Valkey cluster
    memory://                                          this process's memory, shared with nobody

Sentinel and cluster have `rediss+…` and `valkey+…`, too.

Importing this installs and connects nothing: a store's library is imported when a URL asks for it,
and the store connects when it is first used.
"""

from __future__ import annotations

from typing import Any

from ormcache.errors import ConfigurationError
from ormcache.protocols import Store
from ormcache.stores.address import check_signs
from ormcache.stores.guarded import GuardedStore
from ormcache.stores.layout import check_namespace

__all__ = ["open_store"]

_OPTIONS: dict[str, tuple[str, ...]] = {
    "memory": ("clock", "max_bytes"),
    "redis": (),
    "rediss": (),
    "unix": (),
    "valkey": (),
    **{
        f"{scheme}+{kind}": ()
        for scheme in ("redis", "rediss", "valkey")
        for kind in ("sentinel", "cluster")
    },
}


def open_store(
    url: str,
    namespace: str,
    *,
    timeout: float = 0.05,
    recovery_grace: float = 5.0,
    **options: Any,
) -> Store:
    """
    Return the store that *url* names; one across a network comes as a `GuardedStore`.

    Args:
        namespace: keeps applications apart that share a server
        timeout: seconds that any one operation may take
        recovery_grace: seconds for which a store is not read from after an outage
        options: for `memory://`, `max_bytes` and `clock`

    Raises:
        ConfigurationError: The URL, the namespace or an option is wrong, or the store's library is
            not installed.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        msg = "a store's URL looks like redis://localhost:6379/0; this one has no '://'"
        raise ConfigurationError(msg)
    scheme = scheme.lower()
    if scheme not in _OPTIONS:
        raise ConfigurationError.unknown("scheme of the store's URL", scheme, _OPTIONS)
    for option in options:
        if option not in _OPTIONS[scheme]:
            raise ConfigurationError.unknown(f"option of {scheme}://", option, _OPTIONS[scheme])
    check_namespace(namespace)
    if not timeout > 0:
        msg = f"the store's timeout must be above 0 seconds, got {timeout!r}"
        raise ConfigurationError(msg)
    if not 0 <= recovery_grace <= 3600:
        msg = f"the recovery grace must be 0 to 3600 seconds, got {recovery_grace!r}"
        raise ConfigurationError(msg)
    if scheme == "memory":
        from ormcache.stores.memory import MemoryStore

        return MemoryStore(**options)
    return _redis(url, namespace, timeout, recovery_grace)


def _redis(url: str, namespace: str, timeout: float, recovery_grace: float) -> Store:
    try:
        from ormcache.stores.cluster import ClusterStore
        from ormcache.stores.redis import RedisStore
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] != "redis":
            raise
        msg = "this store needs the package redis: pip install 'ormcache[redis]'"
        raise ConfigurationError(msg) from exc
    if not url.lower().startswith("unix:"):  # a path may hold any sign
        check_signs(url)
    kind = ClusterStore if url.partition("://")[0].lower().endswith("+cluster") else RedisStore
    return GuardedStore(
        kind.from_url(url, namespace, timeout=timeout),
        recovery_grace=recovery_grace,
        shortest_outage=2 * timeout,
    )
