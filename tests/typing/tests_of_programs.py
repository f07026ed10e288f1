"""Test cases of a program."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, assert_type

import tornado
from tornado.httpclient import HTTPResponse
from tornado.options import OptionParser, define, options
from tornado.testing import AsyncHTTPTestCase, AsyncTestCase, ExpectLog, gen_test, serving
from tornado.web import Application


class PageTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return Application([])

    def test_page(self) -> None:
        assert_type(self.fetch("/", method="POST", body=b""), HTTPResponse)
        with ExpectLog("tornado.access", "404", level=30):
            self.fetch("/nothing")


class LoopTest(AsyncTestCase):
    @gen_test
    async def test_native(self) -> None:
        async with serving(Application([]), xheaders=True) as server:
            assert_type(await server.fetch("/"), HTTPResponse)

    @gen_test(timeout=10)
    def test_generator(self) -> Generator[Any, Any, None]:
        yield tornado.gen.sleep(0)


define("port", default=8888, type=int, help="port to listen on")
assert_type(options, OptionParser)
assert_type(tornado.web.Application([]), Application)
assert_type(tornado.version, str)
assert_type(tornado.waterspout_version, str)
assert tornado.webs  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
