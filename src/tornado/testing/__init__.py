"""Tests of asynchronous code, for `unittest` and for pytest.

For `unittest`, and whatever runs its test cases:

* `AsyncTestCase`: each test has an event loop of its own; what a test leaves running is cancelled and closed.
* `AsyncHTTPTestCase`, `AsyncHTTPSTestCase`: a server with the program's application, and a client to call it.
* `gen_test`: makes a test method of a coroutine. With ``run_coroutines = True`` a class needs none.
* `main`: a command line for a module of tests.

::

    class HelloTest(AsyncHTTPTestCase):
        def get_app(self):
            return make_app()

        def test_front_page(self):
            self.assertEqual(self.fetch("/").body, b"Hello, world")

        @gen_test
        async def test_both(self):
            await asyncio.gather(self.http_client.fetch(self.get_url("/a")), ...)

For pytest, `tornado.testing.pytest` is a plugin, loaded only where a program asks for it, which runs tests
and fixtures that are ``async def``.

For all of them:

* `serving`: a server with the program's application for the time of an ``async with`` block.
* `bind_unused_port`: a listening socket on a port of the kernel's choice.
* `ExpectLog`: a log record that must come, and is then not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado._export import export
from tornado._reexports import reexported
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing._case import AsyncTestCase, setup_with_context_manager
from tornado.testing._command import main
from tornado.testing._expect_log import ExpectLog
from tornado.testing._gen_test import gen_test
from tornado.testing._http_case import AsyncHTTPSTestCase, AsyncHTTPTestCase
from tornado.testing._ports import bind_unused_port
from tornado.testing._serving import RunningServer, serving
from tornado.testing._timeout import get_async_test_timeout
from tornado.util import import_object

if TYPE_CHECKING:
    from tornado._tornado4.log_trap import LogTrapTestCase as LogTrapTestCase
    from tornado._tornado4.unused_port import get_unused_port as get_unused_port

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "RunningServer",
    "bind_unused_port",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "serving",
    "setup_with_context_manager",
]


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        # The style of Tornado 4, imported when it is used.
        if name == "get_unused_port":
            return import_object("tornado._tornado4.unused_port.get_unused_port")
        if name == "LogTrapTestCase":
            return import_object("tornado._tornado4.log_trap.LogTrapTestCase")
        return reexported(__name__, name)


export(globals(), module="tornado.testing")
