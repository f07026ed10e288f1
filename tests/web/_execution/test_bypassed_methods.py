"""Every hook that a fast path bypasses is called when a monitoring agent has wrapped it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tests.support.server import Server, serving
from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import BaseIOStream
from tornado.routing import RuleRouter
from tornado.web._execution import _bypassed_methods
from tornado.web._files import _static_fast_path


class Plain(web.RequestHandler):
    def get(self) -> None:
        self.write("hello")


class JSON(web.RequestHandler):
    async def get(self) -> None:
        self.write({"a": 1})


class Cookies(web.RequestHandler):
    def get(self) -> None:
        self.clear_all_cookies()


#: Methods that the handlers of `Cookies` call for a request with a cookie.
COOKIES = list(_bypassed_methods.COOKIES.names)
HANDLER_HOOKS = ["_execute", "finish", "set_header", "write", "flush", *_bypassed_methods.FINISH_STEPS.names]
HOOKS: list[tuple[Any, str]] = [
    *((web.RequestHandler, name) for name in dict.fromkeys([*HANDLER_HOOKS, *COOKIES])),
    *((web.Application, name) for name in ("start_request", "find_handler", "get_handler_delegate")),
    *((RuleRouter, name) for name in ("find_handler", "get_target_delegate")),
    (HTTPServer, "start_request"),
    *((HTTP1Connection, name) for name in _bypassed_methods.CONNECTION.names),
    (BaseIOStream, "write"),
]
#: The methods that the slow path calls for a plain GET request of a file.
STATIC_HOOKS = sorted(
    {*_static_fast_path.STEPS.names} - {"write", "send_error", "set_status", "check_etag_header"}
)
ROUTES = [("/", Plain), ("/json", JSON), ("/cookies", Cookies)]


def wrap(patch: pytest.MonkeyPatch, cls: Any, name: str) -> list[str]:
    """Wrap a method; return a list to which its name is added for each call."""
    calls: list[str] = []
    patch.setattr(cls, name, Wrapper(inspect.getattr_static(cls, name), lambda: calls.append(name)))
    return calls


async def paths_that_call(server: Server, calls: list[str], *paths: str) -> list[str]:
    """Return the paths whose requests, each on a separate connection, add to `calls`."""
    calling = []
    for path in paths:
        calls.clear()
        response = await server.fetch(path, "Cookie: a=b")
        assert response.code == 200
        if calls:
            calling.append(path)
    return calling


@pytest.mark.parametrize(("cls", "name"), HOOKS, ids=lambda each: getattr(each, "__name__", each))
@pytest.mark.parametrize("warm", [False, True])
async def test_wrapped_hook_is_called(
    cls: Any, name: str, warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ["/cookies"] if name in COOKIES else ["/", "/json"]
    async with serving(web.Application(ROUTES)) as server:
        if warm:  # the results of checks may be stored
            for path in paths:
                await server.fetch(path, "Cookie: a=b")
        calls = wrap(monkeypatch, cls, name)
        assert await paths_that_call(server, calls, *paths) == paths


@pytest.mark.parametrize("name", STATIC_HOOKS)
async def test_wrapped_hook_of_static_files_is_called(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.css").write_bytes(b"body { color: red }")
    _static_fast_path.reset()
    application = web.Application([("/s/(.*)", web.StaticFileHandler, {"path": str(tmp_path)})])
    async with serving(application) as server:
        for _ in range(2):
            await server.fetch("/s/a.css")
        calls = wrap(monkeypatch, web.StaticFileHandler, name)
        assert await paths_that_call(server, calls, "/s/a.css") == ["/s/a.css"]
