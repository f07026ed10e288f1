"""Programs on an emulated macOS and Windows: the import of each module, and two demos as users run them."""

from __future__ import annotations

import http.client
import json
import pkgutil
import re
import uuid
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

import tornado
from tests.platforms import EMULATION, PLATFORMS
from tests.support.program import Program, output_of
from tornado.websocket import websocket_connect

PUBLIC = [
    each.name
    for each in pkgutil.walk_packages(tornado.__path__, "tornado.")
    if not re.search(r"\._|\.test\.", each.name)
]
DEMOS = {"chat": (), "websocket": ("--history=:memory:",)}

pytestmark = pytest.mark.parametrize("platform", PLATFORMS)


@pytest.fixture
def program(platform: str, request: pytest.FixtureRequest) -> Iterator[Program]:
    name = request.param
    arguments = (platform, f"demos/{name}/main.py", "--port={port}", *DEMOS[name])
    with Program(EMULATION, arguments) as running:
        yield running
        assert "Traceback" not in running.output()


def test_every_public_module_is_imported_silently(platform: str) -> None:
    source = f"""
        import importlib, runpy, sys
        sys.path.insert(0, {EMULATION.rpartition("/")[0]!r})
        import emulation
        emulation.emulate({platform!r})
        for name in {PUBLIC}:
            importlib.import_module(name)
        from tornado import util
        print(vars(util).get("sys", emulation._fakes["sys"]).platform, len({PUBLIC}))
    """
    assert output_of(source) == f"{platform} {len(PUBLIC)}\n"


@pytest.mark.parametrize("program", ["chat"], indirect=True)
def test_chat_demo_delivers_a_message(program: Program) -> None:
    page = program.connect()
    page.request("GET", "/")
    response = page.getresponse()
    found = re.search(r'name="_xsrf" value="([^"]+)"', response.read().decode())
    assert found is not None
    cookie = response.headers["Set-Cookie"].partition(";")[0]

    def post(connection: http.client.HTTPConnection, path: str, **fields: str) -> None:
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urlencode({"_xsrf": found[1], **fields}), headers)

    waiting = program.connect()
    post(waiting, "/a/message/updates", cursor="")
    post(page, "/a/message/new", body="from another platform")
    assert page.getresponse().read()
    messages = json.loads(waiting.getresponse().read())["messages"]
    assert "from another platform" in json.dumps(messages)
    static = program.connect()
    static.request("GET", "/static/chat.css")
    assert static.getresponse().status == 200
    for each in (page, waiting, static):
        each.close()


@pytest.mark.parametrize("program", ["websocket"], indirect=True)
async def test_websocket_demo_delivers_a_message(program: Program) -> None:
    url = f"ws://127.0.0.1:{program.port}/chat?name="
    async with websocket_connect(url + "Ann") as first, websocket_connect(url + "Bob") as second:
        for connection in (first, second):
            assert await connection.read_message() is not None
        await first.write_message(json.dumps({"key": uuid.uuid4().hex, "text": "hello"}))
        message = await second.read_message()
        while isinstance(message, str) and "hello" not in message:
            message = await second.read_message()
        assert message is not None
