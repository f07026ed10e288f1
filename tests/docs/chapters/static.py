"""docs/guide/static.md."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.guides import Run


def prepare(name: str, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    """Make the files that the programs serve."""
    for path, content in {
        "files/a.txt": b"0123456789",
        "docs/index.html": b"the index",
        "frontend/index.html": b"front end",
        "frontend/assets/app.js": b"asset",
        "static/app.js": b"script",
        "static/app.js.gz": gzip.compress(b"script"),
    }.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
    os.symlink("/etc/hostname", "files/link")


async def check_site(run: Run) -> None:
    page = (await run.server.fetch("/")).body.decode()
    (address,) = re.findall(r'href="(/static/site\.css\?v=\w+)"', page)
    style = await run.server.fetch(address)
    assert style.body == b"h1 { color: teal }\n"
    assert "max-age=315360000" in style.get("cache-control")


async def check_downloads(run: Run) -> None:
    whole = await run.server.fetch("/files/a.txt")
    assert (whole.body, whole.get("content-disposition")) == (b"0123456789", "attachment")
    assert "max-age=3600" in whole.get("cache-control")
    part = await run.server.fetch("/files/a.txt", "Range: bytes=2-4")
    assert (part.code, part.body) == (206, b"234")
    assert (await run.server.fetch("/docs/")).body == b"the index"
    with run.expect_log("tornado.general", "403 GET /files/"):
        assert (await run.server.fetch("/files/link")).code == 403
        assert (await run.server.fetch("/files/../site.py")).code in (403, 404)
        assert (await run.server.fetch("/files/")).code == 403


async def check_members(run: Run) -> None:
    assert (await run.server.fetch("/members/a.txt")).code == 403
    assert (await run.server.fetch("/members/a.txt?key=secret")).body == b"0123456789"


async def check_spa(run: Run) -> None:
    assert json.loads((await run.server.fetch("/api/status")).body) == {"ok": True}
    assert (await run.server.fetch("/assets/app.js")).body == b"asset"
    assert (await run.server.fetch("/users/7")).body == b"front end"


async def check_compression(run: Run) -> None:
    report = await run.server.fetch("/report", "Accept-Encoding: gzip")
    assert report.get("content-encoding") == "gzip"
    assert len(json.loads(gzip.decompress(report.body))["rows"]) == 5000
    assert (await run.server.fetch("/report")).get("content-encoding") is None
    assert (await run.server.fetch("/secret", "Accept-Encoding: gzip")).get("content-encoding") is None
    script = await run.server.fetch("/static/app.js", "Accept-Encoding: gzip")
    assert gzip.decompress(script.body) == b"script"


async def check_security(run: Run) -> None:
    page = await run.server.fetch("/")
    (nonce,) = re.findall(rb'nonce="(.*?)"', page.body)
    assert f"'nonce-{nonce.decode()}'" in page.get("content-security-policy")
    for name in (
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "cross-origin-opener-policy",
    ):
        assert page.get(name), name
    assert page.get("strict-transport-security") is None
