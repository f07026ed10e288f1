"""Listening sockets, name resolution and TLS contexts: what servers and clients share below the stream level.

Listening
    `bind_sockets` and `bind_unix_socket` make non-blocking listening sockets; `add_accept_handler` delivers
    the connections that arrive on one.

Resolving
    `Resolver` is the configurable interface; `DefaultLoopResolver` (the default), `DefaultExecutorResolver`,
    `ExecutorResolver`, `BlockingResolver`, `ThreadedResolver` and `OverrideResolver` implement it.
    `is_valid_ip` tells literal addresses from names.

TLS
    `ssl_options_to_context` turns Tornado's dictionary of options into an `ssl.SSLContext`; `ssl_wrap_socket`
    wraps a socket with either.
"""

from __future__ import annotations

import ssl

from tornado._export import export
from tornado.netutil import _tls
from tornado.netutil._accept import add_accept_handler
from tornado.netutil._listen import bind_sockets, bind_unix_socket
from tornado.netutil._resolver import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    is_valid_ip,
)
from tornado.netutil._tls import ssl_options_to_context, ssl_wrap_socket

__all__ = [
    "BlockingResolver",
    "DefaultExecutorResolver",
    "DefaultLoopResolver",
    "ExecutorResolver",
    "OverrideResolver",
    "Resolver",
    "ThreadedResolver",
    "add_accept_handler",
    "bind_sockets",
    "bind_unix_socket",
    "is_valid_ip",
    "ssl_options_to_context",
    "ssl_wrap_socket",
]


def __getattr__(name: str) -> ssl.SSLContext:
    # Loading the system's certificates takes milliseconds: the shared contexts are made on first use.
    if name == "_client_ssl_defaults":
        return _tls.default_context(server_side=False)
    if name == "_server_ssl_defaults":
        return _tls.default_context(server_side=True)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


export(globals(), module="tornado.netutil")
