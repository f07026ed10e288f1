"""docs/guide/client.md: each of its programs is extracted and run."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_server import answering, scripted
from tests.support.program import ROOT
from tests.support.proxy import proxying
from tests.support.server import serving
from tornado import web
from tornado.httpclient import AsyncHTTPClient, RetryPolicy

PATH = ROOT / "docs/guide/client.md"
PROGRAMS = dict(
    re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PATH.read_text(), re.DOTALL | re.MULTILINE)
)
OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Check = Callable[[dict[str, Any], Path], Awaitable[None]]


class Handler(web.RequestHandler):
    """A handler that responds with a description of the request."""

    def get(self) -> None:
        self.write({"uri": self.request.uri})

    def post(self) -> None:
        self.settings["posts"].append((self.request.path, self.request.headers["Content-Type"]))

    def put(self) -> None:
        self.write(self.request.body)


async def status(program: dict[str, Any], folder: Path) -> None:
    printed: list[tuple[Any, ...]] = []
    program["print"] = lambda *words: printed.append(words)
    async with serving(web.Application([("/.*", Handler)])) as server:
        url = f"http://127.0.0.1:{server.port}/x"
        await program["main"]([url, url])
    assert printed == [(200, 13, url)] * 2


async def fetching(program: dict[str, Any], folder: Path) -> None:
    application = web.Application([("/.*", Handler)], posts=[])
    async with serving(application) as server:
        pages = await program["main"](f"http://127.0.0.1:{server.port}")
    assert pages == [{"uri": f"/page/{number}"} for number in range(20)]
    (first, kind), (second, form) = application.settings["posts"]
    assert (first, kind, second) == ("/items", "application/json", "/form")
    assert form.startswith("multipart/form-data; boundary=")


async def script(program: dict[str, Any], folder: Path) -> None:
    async with serving(web.Application([("/.*", Handler)])) as server:
        # `read` blocks, so it runs in a thread: the server needs the event loop.
        assert (
            await asyncio.to_thread(program["read"], f"http://127.0.0.1:{server.port}/x") == '{"uri": "/x"}'
        )


async def streaming(program: dict[str, Any], folder: Path) -> None:
    async def rows():
        yield "one"
        yield "two"

    async with serving(web.Application([("/.*", Handler)])) as server:
        url = f"http://127.0.0.1:{server.port}/"
        await program["download"](url, folder / "file")
        assert (folder / "file").read_bytes() == b'{"uri": "/"}'
        response = await program["upload"](url, rows())
        assert response.body == b"one\ntwo\n"


async def forwarding(program: dict[str, Any], folder: Path) -> None:
    class Gateway(web.RequestHandler):
        async def get(self) -> None:
            await program["forward"](origin.url, self)

    text = OK.replace("\r\n\r\n", "\r\nContent-Type: text/plain\r\n\r\n")
    async with scripted(text) as origin, serving(web.Application([("/", Gateway)])) as server:
        response = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{server.port}/")
    assert response.body == b"ok"
    assert response.headers["Content-Type"] == "text/plain"


async def errors(program: dict[str, Any], folder: Path) -> None:
    async with scripted(OK) as server:
        assert await program["status"](server.url) == "fine: 200"
        refused = server.url
    assert (await program["status"](refused)).startswith("no connection: [Errno")
    async with scripted("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno") as server:
        assert await program["status"](server.url) == "status 404: b'no'"
    async with scripted("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n") as server:
        assert (await program["status"](server.url)).startswith("no complete response: Connection closed")


async def proxies(program: dict[str, Any], folder: Path) -> None:
    async with proxying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy") as proxy:
        client = program["client_behind"](f"http://me:pw@127.0.0.1:{proxy.port}")
        assert (await client.fetch("http://www.example.com/")).body == b"proxy"
        assert b"Proxy-Authorization: Basic " in proxy.heads[0]
    program["client_of_the_environment"]().close()


async def login(program: dict[str, Any], folder: Path) -> None:
    class Tokens:
        async def current(self) -> str:
            return "t1"

    log: list[Any] = []
    async with scripted(OK.replace("\r\n\r\n", "\r\nSet-Cookie: a=1\r\n\r\n")) as server:
        client = program["make_client"](Tokens(), log)
        await client.fetch(server.url)
        await client.fetch(server.url)
        assert [request.headers.get("cookie") for request in server.requests] == [None, "a=1"]
        assert server.requests[0].headers["authorization"] == "Bearer t1"
        assert [entry[:2] for entry in log] == [(server.url, 200)] * 2

    def answer(request: Any) -> str:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("authorization", "")))
        if given:
            ha1, ha2 = (hashlib.md5(text).hexdigest() for text in (b"ann:r:secret", b"GET:/"))
            assert given["response"] == hashlib.md5(f"{ha1}:n:{ha2}".encode()).hexdigest()
            return OK
        field = 'WWW-Authenticate: Digest realm="r", nonce="n"'
        return f"HTTP/1.1 401 Unauthorized\r\n{field}\r\nContent-Length: 0\r\n\r\n"

    async with scripted(answering(answer)) as server:
        assert (await program["with_password"](server.url)).body == b"ok"


async def retries(program: dict[str, Any], folder: Path) -> None:
    program["RetryPolicy"] = lambda **options: RetryPolicy(**{**options, "base_delay": 0})
    answers = iter(["HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", OK])
    async with scripted(answering(lambda request: next(answers))) as server:
        assert (await program["fetch_with_retries"](server.url)).body == b"ok"


async def served(program: dict[str, Any], folder: Path) -> None:
    await program["test_retry_after_503"]()


async def mapped(program: dict[str, Any], folder: Path) -> None:
    async with scripted(OK) as server:
        client = program["client_for_tests"](server.port)
        assert (await client.fetch("http://api.example.com/")).body == b"ok"
        assert server.requests[0].headers["host"] == "api.example.com"


async def faked(program: dict[str, Any], folder: Path) -> None:
    assert await program["fetch_faked"]("http://no-such-host.example/") == {"fake": True}


CHECKS: list[Check] = [
    status,
    fetching,
    script,
    streaming,
    forwarding,
    errors,
    proxies,
    login,
    retries,
    served,
    mapped,
    faked,
]


def test_all_programs_are_checked():
    assert list(PROGRAMS) == [check.__name__ for check in CHECKS]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_program(check, tmp_path, expect_log):
    program: dict[str, Any] = {"__file__": __file__, "__name__": check.__name__}
    exec(compile(PROGRAMS[check.__name__], f"{PATH}: {check.__name__}", "exec"), program)
    with expect_log("tornado.access", "^503 GET / ", required=check is served):
        await check(program, tmp_path)
