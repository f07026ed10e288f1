"""The hooks of `RequestHandler`, its connection and its stream that fast paths of this package bypass.

Each fast path has a slow path that calls these methods. tests/web/_execution/test_fast_paths.py checks that
both send the same bytes.
"""

from __future__ import annotations

from typing import Any, TypeVar

from tornado._original_methods import OriginalMethods
from tornado.http1connection import HTTP1Connection
from tornado.iostream import BaseIOStream

__all__ = [
    "CONNECTION",
    "COOKIES",
    "EXECUTE",
    "FINISH",
    "FINISH_STEPS",
    "OUTPUT",
    "SET_HEADER",
    "STREAM_WRITE",
    "WRITE_HEADERS",
    "record",
]

_Class = TypeVar("_Class", bound=type[Any])

#: The coroutine that runs a handler, which tracing programs replace.
EXECUTE = OriginalMethods(None, "_execute")
#: The end of a response.
FINISH = OriginalMethods(None, "finish")
#: The methods that `RequestHandler.finish` calls.
FINISH_STEPS = OriginalMethods(
    None, "flush", "set_header", "set_etag_header", "compute_etag", "check_etag_header", "_log"
)
#: Setting a header field.
SET_HEADER = OriginalMethods(None, "set_header")
#: The methods through which the body of a response passes.
OUTPUT = OriginalMethods(None, "write", "flush")
#: The methods that `RequestHandler.clear_all_cookies` calls.
COOKIES = OriginalMethods(None, "clear_cookie", "set_cookie")

#: The methods of the connection that send a response.
CONNECTION = OriginalMethods(HTTP1Connection, "write_headers", "finish")
#: The method of the connection that sends a head.
WRITE_HEADERS = OriginalMethods(HTTP1Connection, "write_headers")
#: The method of the stream through which all output passes.
STREAM_WRITE = OriginalMethods(BaseIOStream, "write")


def record(cls: _Class) -> _Class:
    """Record the methods of `RequestHandler` as the originals; a class decorator."""
    for hooks in (EXECUTE, FINISH, FINISH_STEPS, SET_HEADER, OUTPUT, COOKIES):
        hooks.record(cls)
    return cls
