"""Waterspout: a web framework and asynchronous networking library with the Tornado API.

Submodules are imported on first use, so ``import tornado`` is cheap, and ``tornado.web`` needs no separate
import.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from tornado._version import version as version
from tornado._version import version_info as version_info
from tornado._version import waterspout_version as waterspout_version

if TYPE_CHECKING:
    # For type checkers; at run time `__getattr__` imports the submodules. Names in `__all__` need no alias.
    from tornado import (
        asgi,
        auth,
        autoreload,
        channels,
        concurrent,
        escape,
        gen,
        http1connection,
        httpclient,
        httpserver,
        httputil,
        ioloop,
        iostream,
        locale,
        locks,
        log,
        netutil,
        options,
        platform,
        process,
        queues,
        routing,
        simple_httpclient,
        tcpclient,
        tcpserver,
        template,
        testing,
        util,
        web,
        websocket,
        wsgi,
    )
    from tornado import curl_httpclient as curl_httpclient
    from tornado import stack_context as stack_context

#: The modules that ``from tornado import *`` imports, ordered by layer. `curl_httpclient` is omitted because
#: it requires the optional package pycurl.
__all__ = [
    "util",
    "escape",
    "log",
    "options",
    "concurrent",
    "ioloop",
    "gen",
    "locks",
    "queues",
    "platform",
    "netutil",
    "process",
    "iostream",
    "tcpclient",
    "tcpserver",
    "httputil",
    "http1connection",
    "httpserver",
    "httpclient",
    "simple_httpclient",
    "routing",
    "locale",
    "template",
    "web",
    "websocket",
    "auth",
    "channels",
    "autoreload",
    "testing",
    "wsgi",
    "asgi",
]

_submodules = frozenset(__all__) | {"curl_httpclient", "stack_context"}

if not TYPE_CHECKING:  # a type checker that saw `__getattr__` would accept any attribute as a submodule

    def __getattr__(name: str) -> ModuleType:
        if name in _submodules:
            return importlib.import_module(f"tornado.{name}")
        raise AttributeError(f"module 'tornado' has no attribute {name!r}")


def __dir__() -> list[str]:
    special = [name for name in globals() if name.startswith("__") and name.endswith("__")]
    return sorted({*_submodules, *special, "version", "version_info", "waterspout_version"})
