"""Listening sockets, name resolution and TLS contexts: the layer below streams, for servers and clients.

Listening
    `bind_sockets` and `bind_unix_socket` create non-blocking listening sockets; `inherited_sockets` returns
    the listening sockets that systemd has opened. `add_accept_handler` accepts the connections that arrive on
    a listening socket.

Resolving
    `Resolver` is the configurable interface; `DefaultLoopResolver` (the default), `DefaultExecutorResolver`,
    `ExecutorResolver`, `BlockingResolver`, `ThreadedResolver` and `OverrideResolver` implement it.
    `is_valid_ip` distinguishes literal addresses from names.

TLS
    `ssl_options_to_context` converts Tornado's dictionary of options to an `ssl.SSLContext`;
    `ssl_wrap_socket` accepts both and wraps a socket. ``ssl_match_hostname`` and ``SSLCertificateError`` of
    Tornado 4 are available as well.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from tornado._implicit_reexports import reexported
from tornado._public_module_names import export
from tornado.netutil import _tls
from tornado.netutil._accept import add_accept_handler
from tornado.netutil._listen import DEFAULT_BACKLOG as _DEFAULT_BACKLOG
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
from tornado.netutil._systemd_activation import inherited_sockets
from tornado.netutil._tls import ssl_options_to_context, ssl_wrap_socket
from tornado.util import import_object

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
    "inherited_sockets",
    "is_valid_ip",
    "ssl_options_to_context",
    "ssl_wrap_socket",
]


if TYPE_CHECKING:
    from tornado._tornado4.match_hostname import SSLCertificateError as SSLCertificateError
    from tornado._tornado4.match_hostname import ssl_match_hostname as ssl_match_hostname

    _client_ssl_defaults: ssl.SSLContext
    _server_ssl_defaults: ssl.SSLContext
else:

    def __getattr__(name: str) -> Any:
        # The shared contexts are created on first use: loading the system's certificates takes milliseconds.
        if name == "_client_ssl_defaults":
            return _tls.default_context(server_side=False)
        if name == "_server_ssl_defaults":
            return _tls.default_context(server_side=True)
        if name in ("SSLCertificateError", "ssl_match_hostname"):  # Tornado 4, imported on first use
            return getattr(import_object("tornado._tornado4.match_hostname"), name)
        return reexported(__name__, name)


export(globals(), module="tornado.netutil")
