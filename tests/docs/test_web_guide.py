"""docs/guide/web.md: each of its programs is taken out, served and asked."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import ROOT
from tests.support.server import ExpectLog, Response, Server, serving

PATH = ROOT / "docs/guide/web.md"
PROGRAMS = dict(
    re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PATH.read_text(), re.DOTALL | re.MULTILINE)
)
Check = Callable[[Server, ExpectLog], Awaitable[None]]


async def uploads(server: Server, expect_log: ExpectLog) -> None:
    """A field, a file that is taken, and one of a type that is not."""

    def form(kind: str) -> bytes:
        return (
            b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nSummer\r\n'
            b'--b\r\nContent-Disposition: form-data; name="photo"; filename="../p.png"\r\n'
            b"Content-Type: " + kind.encode() + b"\r\n\r\npixels\r\n--b--\r\n"
        )

    kind = "Content-Type: multipart/form-data; boundary=b"
    answer = json.loads((await server.fetch("/photos", kind, method="POST", body=form("image/png"))).body)
    (stored,) = answer["stored"]
    assert (answer["title"], stored["size"]) == ("Summer", 6)
    assert (Path("photos") / stored["name"]).read_bytes() == b"pixels"
    refused = await server.fetch("/photos", kind, method="POST", body=form("text/html"))
    assert refused.code == 415
    assert len(os.listdir("photos")) == 1
    assert os.listdir("incoming") == []


async def events(server: Server, expect_log: ExpectLog) -> None:
    """Both kinds of streams, and a client that reconnects."""
    whole = await server.fetch("/from/3")
    assert whole.get("content-type").startswith("text/event-stream")
    assert re.findall(rb"^data: (.*)$", whole.body, re.MULTILINE) == [b"3", b"2", b"1"]

    async def put(price: float) -> str:
        body = json.dumps({"EUR": price}).encode()
        answer = await server.fetch("/price", "Content-Type: application/json", method="PUT", body=body)
        return str(json.loads(answer.body)["id"])

    first = await put(1.5)
    await put(2.5)
    for fields, expected in (((), b"2.5"), ((f"Last-Event-ID: {first}",), b"2.5")):
        peer = await server.connect()
        peer.get("/prices", *fields)
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in head
        event = await peer.reader.readuntil(b"\n\n")
        assert b"event: price" in event
        assert b'data: {"EUR": ' + expected + b"}" in event
        await peer.close()


async def json_bodies(server: Server, expect_log: ExpectLog) -> None:
    """One that is right, and what is said of those that are not."""

    async def post(body: bytes, kind: str = "application/json") -> Response:
        return await server.fetch("/orders", f"Content-Type: {kind}", method="POST", body=body)

    assert json.loads((await post(b'{"count": 3}')).body) == {"ordered": 3}
    with expect_log("tornado.general", "Invalid body"):
        refused = await post(b'{"count": "3"}')
    told = json.loads(re.findall(r'`(\{"error".*?\}\})`', PATH.read_text())[0])
    assert (refused.code, json.loads(refused.body)) == (400, told)
    with expect_log("tornado.general", "Invalid body"):
        assert (await post(b"{'count': 3}")).code == 400
    with expect_log("tornado.general", "Invalid body"):
        assert (await post(b'{"count": 3}', "text/plain")).code == 415
    with expect_log("tornado.general", "larger than Orders.max_body_size"):
        assert (await post(b" " * 70_000)).code == 413


async def arguments(server: Server, expect_log: ExpectLog) -> None:
    """Each kind, defaults, and what does not fit."""
    found = await server.fetch("/search?page=2&since=2024-12-31&order=oldest&tag=A&tag=b")
    assert json.loads(found.body) == {
        "page": 2,
        "since": "2024-12-31",
        "order": "oldest",
        "tags": ["a", "b"],
    }
    found = await server.fetch("/search?page=&since=&order=")
    assert json.loads(found.body) == {"page": 1, "since": "None", "order": "newest", "tags": []}
    for query in ("page=1_0", "since=2024-02-30", "order=any", "tag=!"):
        name = query.partition("=")[0]
        with expect_log("tornado.general", f"Invalid argument {name}"):
            refused = await server.fetch(f"/search?{query}")
        assert refused.code == 400
        assert f"argument &#x27;{name}&#x27;" in refused.body.decode().replace("&#39;", "&#x27;")


async def errors(server: Server, expect_log: ExpectLog) -> None:
    """A public message as HTML and as JSON, and HEAD."""
    with expect_log("tornado.general", "no umbrella left in stock"):
        page = await server.fetch("/items/umbrella")
        answer = await server.fetch("/items/umbrella", "Accept: application/json")
    assert b"<p>This item is sold out.</p>" in page.body
    assert json.loads(answer.body) == {"error": {"status": 409, "message": "This item is sold out."}}
    assert json.loads((await server.fetch("/missing", "Accept: application/json")).body) == {
        "error": {"status": 404, "message": "Not Found"}
    }
    head = await server.fetch("/items/hat", method="HEAD")
    assert (head.code, head.get("content-length")) == (200, "15")


async def security(server: Server, expect_log: ExpectLog) -> None:
    """The nonce of the page is the policy's."""
    page = await server.fetch("/")
    (nonce,) = re.findall(rb'nonce="(.*?)"', page.body)
    assert f"'nonce-{nonce.decode()}'" in page.get("content-security-policy")
    assert page.get("x-content-type-options") == "nosniff"
    assert page.get("strict-transport-security") is None


async def hosts(server: Server, expect_log: ExpectLog) -> None:
    """Some of its names, and another's."""
    for host in ("example.com", "www.example.org", "localhost:8888"):
        assert (await server.fetch("/", f"Host: {host}")).body == f"This is {host}".encode()
    with expect_log("tornado.general", "allowed_hosts"):
        assert (await server.fetch("/", "Host: www.example.com")).code == 421


async def codings(server: Server, expect_log: ExpectLog) -> None:
    """Compressed where it may be."""
    report = await server.fetch("/report", "Accept-Encoding: gzip, br")
    assert report.get("content-encoding") == "gzip"
    assert len(json.loads(gzip.decompress(report.body))["rows"]) == 5000
    assert (await server.fetch("/report")).get("content-encoding") is None
    assert (await server.fetch("/secret", "Accept-Encoding: gzip")).get("content-encoding") is None


async def precompressed(server: Server, expect_log: ExpectLog) -> None:
    """The sibling, for who takes it."""
    response = await server.fetch("/static/app.js", "Accept-Encoding: gzip")
    assert (response.get("content-encoding"), gzip.decompress(response.body)) == ("gzip", b"script")
    assert (await server.fetch("/static/app.js")).body == b"script"


async def wsgi(server: Server, expect_log: ExpectLog) -> None:
    """Both sides of the routes."""
    assert (await server.fetch("/live")).body == b"a handler"
    assert (await server.fetch("/old/page")).body == b"WSGI: /old/page"


async def classic(server: Server, expect_log: ExpectLog) -> None:
    """Both styles answer."""
    assert (await server.fetch("/callbacks")).body == b"called back"
    assert (await server.fetch("/engine")).body == b"worked"


CHECKS: dict[str, Check] = {
    each.__name__: each
    for each in (
        uploads,
        events,
        json_bodies,
        arguments,
        errors,
        security,
        hosts,
        codings,
        precompressed,
        wsgi,
        classic,
    )
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the programs run, with the files that they speak of."""
    for name in ("photos", "incoming", "static"):
        (tmp_path / name).mkdir()
    (tmp_path / "static/app.js").write_bytes(b"script")
    (tmp_path / "static/app.js.gz").write_bytes(gzip.compress(b"script"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_program_is_checked() -> None:
    assert PROGRAMS.keys() == CHECKS.keys()
    assert len(PROGRAMS) == PATH.read_text().count("```python")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_program(name: str, folder: Path, expect_log: ExpectLog) -> None:
    module: dict[str, Any] = {"__name__": name}
    exec(compile(PROGRAMS[name], f"{name}.py", "exec"), module)
    async with serving(module["application"]) as server:
        await CHECKS[name](server, expect_log)


def test_links() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PATH.read_text()):
        assert (PATH.parent / target).exists(), target
