"""Support for tests of asynchronous code with `unittest` and pytest.

For `unittest` and other runners of its test cases:

* `AsyncTestCase`: a test case that creates an event loop for each test, and cleans it up afterwards.
* `AsyncHTTPTestCase`, `AsyncHTTPSTestCase`: test cases with a server for the application, and a client.
* `gen_test`: a decorator for test methods that are coroutines. A class with ``run_coroutines = True`` does
  not need it.
* `main`: the command line of a test module.

::

    class HelloTest(AsyncHTTPTestCase):
        def get_app(self):
            return make_app()

        def test_front_page(self):
            self.assertEqual(self.fetch("/").body, b"Hello, world")

        @gen_test
        async def test_both(self):
            await asyncio.gather(self.http_client.fetch(self.get_url("/a")), ...)

For pytest, the plugin `tornado.testing.pytest` runs tests and fixtures that are ``async def``. It is loaded
only if a program requests it.

For `unittest`, pytest and other runners:

* `serving`: serves an application during an ``async with`` block.
* `bind_unused_port`: returns a listening socket on an unused port.
* `ExpectLog`: checks that a log record is written, and hides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado._implicit_reexports import reexported
from tornado._public_module_names import export
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


if not TYPE_CHECKING:  # a type checker that saw `__getattr__` would accept any name

    def __getattr__(name: str) -> Any:
        # The Tornado 4 API, imported on first use.
        if name == "get_unused_port":
            return import_object("tornado._tornado4.unused_port.get_unused_port")
        if name == "LogTrapTestCase":
            return import_object("tornado._tornado4.log_trap.LogTrapTestCase")
        return reexported(__name__, name)


export(globals(), module="tornado.testing")
