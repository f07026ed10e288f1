"""docs/guide/forms.md."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.guides import Run

FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=b"


def multipart(*parts: tuple[str, str | None, str, bytes]) -> bytes:
    """Return a multipart form of these parts: name, file name or None, content type, content."""
    body = b""
    for name, filename, kind, content in parts:
        field = f'Content-Disposition: form-data; name="{name}"'
        if filename is not None:
            field += f'; filename="{filename}"\r\nContent-Type: {kind}'
        body += b"--b\r\n" + field.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + b"--b--\r\n"


async def check_guestbook(run: Run) -> None:
    async def sign(text: str, *fields: str) -> Any:
        return await run.server.fetch(
            "/", FORM, *fields, method="POST", body=urlencode({"text": text}).encode()
        )

    assert b"<form" in (await run.server.fetch("/")).body
    assert (await sign(" <hello> ")).code == 303
    assert b"<p>&lt;hello&gt;</p>" in (await run.server.fetch("/")).body
    refused = await sign("x" * 201)
    assert refused.code == 422
    assert b"1 to 200 characters" in refused.body
    assert b"x" * 201 in refused.body
    with run.expect_log("tornado.general", "Sec-Fetch-Site"):
        assert (await sign("forged", "Sec-Fetch-Site: cross-site")).code == 403


async def check_order(run: Run) -> None:
    async def order(text: str) -> Any:
        return await run.server.fetch("/order", FORM, method="POST", body=text.encode())

    answer = await order("count=3&price=1.10&colour=red&colour=blue&gift=on")
    assert json.loads(answer.body) == {"total": "3.30", "colours": ["red", "blue"], "gift": True}
    assert (await order("count=101&price=1")).code == 422
    with run.expect_log("tornado.general", "Invalid argument count"):
        assert (await order("count=x&price=1")).code == 400
    with run.expect_log("tornado.general", "Missing argument"):
        assert (await order("count=1")).code == 400
    with run.expect_log("tornado.general", ".*max_form_size"):
        assert (await order("count=1&x=" + "x" * 70_000)).code == 413


async def check_avatar(run: Run) -> None:
    async def send(content: bytes) -> Any:
        body = multipart(("picture", "me.png", "image/png", content))
        return await run.server.fetch("/avatar", MULTIPART, method="POST", body=body)

    assert json.loads((await send(b"\x89PNG....")).body) == {"name": "me.png", "bytes": 8}
    assert (await send(b"GIF89a")).code == 415
    assert (await run.server.fetch("/avatar", FORM, method="POST", body=b"")).code == 400


async def check_photos(run: Run) -> None:
    title = ("title", None, "", b"Summer")
    body = multipart(title, ("photo", "../p.png", "image/png", b"pixels"))
    answer = json.loads((await run.server.fetch("/photos", MULTIPART, method="POST", body=body)).body)
    (stored,) = answer["stored"]
    assert (answer["title"], stored["size"]) == ("Summer", 6)
    assert (Path("photos") / stored["name"]).read_bytes() == b"pixels"
    body = multipart(("photo", "p.html", "text/html", b"<p>"))
    assert (await run.server.fetch("/photos", MULTIPART, method="POST", body=body)).code == 415
    assert len(os.listdir("photos")) == 1
    assert os.listdir("incoming") == []


async def check_progress(run: Run) -> None:
    assert b"progress.js" in (await run.server.fetch("/")).body
    events = await run.server.connect()
    events.get("/progress?number=0123456789abcdef")
    await events.reader.readuntil(b"\r\n\r\n")
    body = multipart(("file", "a", "text/plain", b"x" * 200_000))
    length = len(body)
    response = await run.server.fetch("/upload?number=0123456789abcdef", MULTIPART, method="POST", body=body)
    assert json.loads(response.body) == {"stored": [{"size": 200_000}]}
    arrived = await events.reader.readuntil(f'"received": {length}, "total": {length}'.encode())
    assert b"data: " in arrived
    await events.close()
    while run.program["STATES"]:
        await asyncio.sleep(0)
    with run.expect_log("tornado.general", "Invalid argument number"):
        assert (await run.server.fetch("/upload?number=x", MULTIPART, method="POST", body=body)).code == 400
        assert (await run.server.fetch("/progress?number=x")).code == 400


async def check_put(run: Run) -> None:
    body = os.urandom(300_000)
    answer = await run.server.fetch("/digest", method="PUT", body=body)
    assert json.loads(answer.body) == {"sha256": hashlib.sha256(body).hexdigest()}
