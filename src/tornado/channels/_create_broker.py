"""`create_broker`: the broker that a URL in a configuration names."""

from __future__ import annotations

from typing import Any

from tornado.channels._broker import Broker
from tornado.channels._memory import MemoryBroker
from tornado.channels._nats import NATSBroker
from tornado.channels._redis import RedisBroker

_BROKERS: dict[str, type[RedisBroker | NATSBroker]] = {
    "redis": RedisBroker,
    "rediss": RedisBroker,
    "unix": RedisBroker,
    "nats": NATSBroker,
    "tls": NATSBroker,
}


def create_broker(url: str = "memory:", **options: Any) -> Broker:
    """Return the broker at a URL, for programs whose users choose it.

    :param url: ``memory:`` for `MemoryBroker`, a URL of `RedisBroker`, or a URL of `NATSBroker`, or several
        with commas between them.
    :param options: keyword arguments of the class.
    :raises ImportError: if the package for the broker is not installed.
    :raises ValueError: if no broker has this scheme, or an option is invalid.
    """
    if url == "memory:":
        return MemoryBroker(**options)
    scheme = url.partition("://")[0]
    broker = _BROKERS.get(scheme.partition("+")[0])
    if broker is None:
        expected = (
            "memory:, redis://, rediss://, unix://, redis+cluster://, redis+sentinel://, nats:// or tls://"
        )
        # The rest of the URL may contain a password.
        raise ValueError(f"the URL of a broker must begin with {expected}, got {scheme[:20]!r}")
    if broker is NATSBroker:
        return NATSBroker(url.split(","), **options)
    return broker(url, **options)


create_broker.__module__ = "tornado.channels"  # the module that exports it

__all__ = ["create_broker"]
