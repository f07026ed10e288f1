"""Waterspout: a web framework and asynchronous networking library with the Tornado API.

Submodules are imported on first use, so that ``import tornado`` stays cheap and
``tornado.web`` is available without an import of its own.
"""

from __future__ import annotations

import importlib
from types import ModuleType

#: Version of the Tornado API that this package implements.
version: str = "6.6.1"
#: The same as numbers; the fourth is 0 for a release, negative before it, positive after it.
version_info: tuple[int, int, int, int] = (6, 6, 1, 0)

_PUBLIC = """
    autoreload concurrent escape gen http1connection httpclient httpserver httputil ioloop iostream locale
    locks log netutil options platform process queues routing simple_httpclient tcpclient tcpserver template
    testing util web websocket wsgi
"""
_MORE = "auth curl_httpclient stack_context"

#: What ``from tornado import *`` imports.
__all__ = _PUBLIC.split()  # noqa: PLE0605 - it is a list

_submodules = frozenset(f"{_PUBLIC} {_MORE}".split())


def __getattr__(name: str) -> ModuleType:
    if name in _submodules:
        return importlib.import_module(f"tornado.{name}")
    raise AttributeError(f"module 'tornado' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_submodules | set(globals()))
