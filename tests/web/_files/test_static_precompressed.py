"""Precompressed files."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.descriptors import open_below
from tests.support.server import ExpectLog, serving
from tornado import web
from tornado.web._files import _static_versions

TEXT = b"let words = 1;\n" * 40_000
OLD = 1_600_000_000
CODED = {"app.js.br": b"br" * 60_000, "app.js.zst": b"zstd" * 100, "app.js.gz": zlib.compress(TEXT, wbits=31)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    root.mkdir()
    for name, content in {"app.js": TEXT, "plain.txt": b"plain", **CODED}.items():
        (root / name).write_bytes(content)
        os.utime(root / name, (OLD, OLD))
    return root


def application(root: Any, handler: Any = web.StaticFileHandler, **settings: Any) -> web.Application:
    settings.setdefault("static_precompressed", True)
    return web.Application([("/s/(.*)", handler, {"path": str(root)})], **settings)


async def fetch(root: Path, accepted: str | None, *fields: str, path: str = "app.js", **options: Any) -> Any:
    if accepted is not None:
        fields = (f"Accept-Encoding: {accepted}", *fields)
    method = options.pop("method", "GET")
    async with serving(application(root, **options)) as server:
        return await server.fetch("/s/" + path, *fields, method=method)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("zstd, br;q=0", "zstd"),
        ("deflate", None),
        ("*", "br"),
    ],
)
async def test_coding_is_negotiated(root: Path, tls: Any, accepted: str | None, coding: str | None) -> None:
    response = await fetch(root, accepted)
    name = {"br": "app.js.br", "zstd": "app.js.zst", "gzip": "app.js.gz", None: "app.js"}[coding]
    assert response.body == (root / name).read_bytes()
    assert response.get("content-encoding") == coding
    assert response.get("vary") == "Accept-Encoding"
    assert "javascript" in response.get("content-type")
    assert response.get("content-length") == str(len(response.body))
    head = await fetch(root, accepted, method="HEAD")
    assert head.head.partition(b"Date")[0] == response.head.partition(b"Date")[0]
    assert open_below(root) == []


async def test_each_coding_has_its_own_etag_and_ranges(root: Path) -> None:
    tags = {}
    for accepted in ("identity", "gzip", "br"):
        response = await fetch(root, accepted)
        tag = tags[accepted] = response.get("etag")
        assert tag.startswith('"')
        part = await fetch(root, accepted, "Range: bytes=10-19", f"If-Range: {tag}")
        assert (part.code, part.body) == (206, response.body[10:20])
        assert part.get("content-range") == f"bytes 10-19/{len(response.body)}"
        assert part.get("content-encoding") == (None if accepted == "identity" else accepted)
        same = await fetch(root, accepted, f"If-None-Match: {tag}")
        assert (same.code, same.get("etag"), same.get("vary")) == (304, tag, "Accept-Encoding")
        assert same.get("content-encoding") is None
    assert len(set(tags.values())) == 3
    assert (await fetch(root, "br", f"If-None-Match: {tags['gzip']}")).code == 200


async def test_only_enabled_codings_are_sent(root: Path) -> None:
    assert (await fetch(root, "br", static_precompressed=None)).get("content-encoding") is None
    assert (await fetch(root, "br", static_precompressed=["gzip"])).get("content-encoding") is None
    assert (await fetch(root, "br, gzip", static_precompressed="gzip")).get("content-encoding") == "gzip"
    assert (await fetch(root, "br, gzip", static_precompressed=("gzip", "br"))).get(
        "content-encoding"
    ) == "gzip"
    plain = await fetch(root, "br", path="plain.txt")
    assert (plain.body, plain.get("vary")) == (b"plain", None)
    direct = await fetch(root, "gzip", path="app.js.gz")
    assert (direct.get("content-encoding"), direct.get("content-type")) == (None, "application/gzip")


async def test_class_attribute_overrides_the_setting(root: Path) -> None:
    class Never(web.StaticFileHandler):
        precompressed = False

    class Gzip(web.StaticFileHandler):
        precompressed = ("gzip",)

    for handler, setting, coding in ((Never, True, None), (Gzip, None, "gzip"), (Gzip, True, "gzip")):
        response = await fetch(root, "br, gzip", handler=handler, static_precompressed=setting)
        assert response.get("content-encoding") == coding


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (["gzip", "brotli"], "static_precompressed: unknown coding 'brotli'; accepted are br, zstd, gzip"),
        ("brotli", "static_precompressed: unknown coding 'brotli'"),
        ([["br"]], "static_precompressed: unknown coding"),
        (5, "static_precompressed must be True or a list of codings, got 5"),
    ],
)
def test_invalid_setting_is_reported_at_start(setting: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        web.Application(static_precompressed=setting)


async def test_invalid_class_attribute_leads_to_500(root: Path, expect_log: ExpectLog) -> None:
    class Own(web.StaticFileHandler):
        precompressed = ("brotli",)

    with expect_log("tornado.application", "Uncaught exception"):
        assert (await fetch(root, "br", handler=Own)).code == 500


async def test_range_not_satisfiable(root: Path) -> None:
    response = await fetch(root, "br", "Range: bytes=99999999-")
    assert (response.code, response.get("content-encoding")) == (416, None)
    assert response.get("content-range") == f"bytes */{len(CODED['app.js.br'])}"
    assert response.get("vary") == "Accept-Encoding"


async def test_variant_being_modified_has_its_own_weak_etag(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entity tag of a precompressed file differs from that of the original file."""
    monkeypatch.setattr(_static_versions, "_hash", lambda fd, state: None)
    tag = (await fetch(root, "br")).get("etag")
    assert tag.startswith('W/"')
    assert tag != (await fetch(root, "gzip")).get("etag")
    monkeypatch.undo()
    assert (await fetch(root, None)).get("etag").strip('W/"') != tag.strip('W/"')


async def test_variant_older_than_original_is_not_sent(root: Path) -> None:
    os.utime(root / "app.js.br", (OLD - 1, OLD - 1))
    assert (await fetch(root, "br, gzip;q=0.5")).get("content-encoding") == "gzip"
    os.utime(root / "app.js", (OLD + 1, OLD + 1))
    response = await fetch(root, "br, gzip")
    assert (response.body, response.get("content-encoding"), response.get("vary")) == (TEXT, None, None)


async def test_variant_that_is_a_directory_or_outside_is_not_sent(root: Path) -> None:
    outside = root.parent / "secret"
    outside.write_bytes(b"secret")
    (root / "app.js.br").unlink()
    (root / "app.js.br").symlink_to(outside)
    (root / "app.js.zst").unlink()
    (root / "app.js.zst").mkdir()
    response = await fetch(root, "br, zstd, gzip")
    assert response.get("content-encoding") == "gzip"
    response = await fetch(root, "br, zstd")
    assert (response.body, response.get("content-encoding")) == (TEXT, None)


async def test_overridden_get_content_disables_variants(root: Path) -> None:
    class Own(web.StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: str, start: Any = None, end: Any = None) -> Any:
            return b"x" * len(TEXT)

    response = await fetch(root, "br", handler=Own)
    assert response.get("content-encoding") is None


async def test_vary_field_of_the_program_is_kept(root: Path) -> None:
    class Own(web.StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            self.set_header("Vary", "Origin")

    assert (await fetch(root, "br", handler=Own)).get("vary") == "Origin, Accept-Encoding"


async def test_precompressed_file_with_compress_response(root: Path) -> None:
    response = await fetch(root, "gzip", compress_response=True)
    assert response.body == CODED["app.js.gz"]
    assert response.get_all("content-encoding") == ["gzip"]


async def test_variant_created_later_is_found(root: Path) -> None:
    async with serving(application(root)) as server:
        for _ in range(3):
            assert (await server.fetch("/s/plain.txt", "Accept-Encoding: br")).body == b"plain"
        (root / "plain.txt.br").write_bytes(b"coded")
        assert (await server.fetch("/s/plain.txt", "Accept-Encoding: br")).body == b"coded"
