"""Forms with files: what they contain, their lengths, names and types."""

from __future__ import annotations

import io
import os

import pytest

from tests.httpclient.test_body import sent
from tornado._wire.multipart import parse_multipart
from tornado.httpclient import BodyNotReplayableError
from tornado.httpclient._form import MultipartSource


async def read(source: MultipartSource):
    """Return the parts as (name, filename, type, content), and check the announced length."""
    body = b"".join(await sent(source))
    assert source.length in (None, len(body))
    return [
        (part.name, part.filename, part.content_type, content)
        for part, content in parse_multipart(source.boundary.encode(), body)
    ]


async def test_fields_and_files_are_sent_in_order(tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF")
    with path.open("rb") as file:
        files = {
            "path": path,
            "open": file,
            "bytes": b"\x00",
            "memory": io.BytesIO(b"memory"),
            "named": ("a.txt", b"text"),
            "typed": ("a.txt", b"{}", "application/json"),
            "field": (None, b"content"),
            "unknown": ("a.unknown-suffix", [b"a", b"b"]),
        }
        source = MultipartSource({"a": [1, "\u00e9"], "b": b"\xff"}, files, "bbb")
        assert source.content_type == "multipart/form-data; boundary=bbb"
        assert source.length is None  # because the content of a file is a list
        assert source.replayable
        expected = [
            ("a", None, None, b"1"),
            ("a", None, None, "\u00e9".encode()),
            ("b", None, None, b"\xff"),
            ("path", "report.pdf", "application/pdf", b"%PDF"),
            ("open", "report.pdf", "application/pdf", b"%PDF"),
            ("bytes", "bytes", "application/octet-stream", b"\x00"),
            ("memory", "memory", "application/octet-stream", b"memory"),
            ("named", "a.txt", "text/plain", b"text"),
            ("typed", "a.txt", "application/json", b"{}"),
            ("field", None, None, b"content"),
            ("unknown", "a.unknown-suffix", "application/octet-stream", b"ab"),
        ]
        assert await read(source) == expected
        assert await read(source) == expected


async def test_length_is_known_if_each_part_has_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    source = MultipartSource([("a", "1")], [("f", path), ("f", b"2"), ("g", b"")], "bbb")
    assert source.length is not None
    assert [len(content) for *_, content in await read(source)] == [1, 100_000, 1, 0]


async def test_small_forms_are_one_chunk():
    source = MultipartSource({"a": 1}, {"f": b"content"}, "bbb")
    assert len(await sent(source)) == 1


async def test_large_contents_are_not_joined(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1_000_000)
    chunks = await sent(MultipartSource({"a": 1}, {"f": path}, "bbb"))
    assert len(chunks) == 9  # the part's head and eight reads of 128 KiB, then the closing delimiter
    assert max(map(len, chunks)) < 132_000


async def test_write_without_an_awaitable():
    chunks = []
    await MultipartSource(None, {"f": b"x" * 100_000, "g": b"y"}, "bbb").send(chunks.append)
    assert len(chunks) == 2


async def test_a_generator_is_sent_once():
    source = MultipartSource(None, {"f": (chunk for chunk in [b"a"])}, "bbb")
    assert not source.replayable
    assert await read(source) == [("f", "f", "application/octet-stream", b"a")]
    with pytest.raises(BodyNotReplayableError, match="a form with a file"):
        await sent(source)


async def test_descriptor_number_is_not_a_file_name(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with path.open("rb") as opened, os.fdopen(os.dup(opened.fileno()), "rb") as file:
        source = MultipartSource(None, {"f": file}, "bbb")
        assert (await read(source))[0][1] == "f"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"f": "path.txt"}, r"the file 'f' in files is a str: pass pathlib\.Path"),
        ({"f": ("a.txt", "content")}, "is a str"),
        ({"f": ()}, "not a tuple of 0"),
        ({"f": ("a", b"b", "c", "d")}, "not a tuple of 4"),
        ({"f": 5}, "must be str, bytes"),
        ({1: b""}, "pairs, got"),
        (["ab"], "pairs, got"),
        ([(1, 2, 3)], "pairs, got"),
    ],
)
def test_malformed_files_are_rejected(files, message):
    with pytest.raises(TypeError, match=message):
        MultipartSource(None, files, "bbb")


def test_missing_file_is_reported_immediately(tmp_path):
    with pytest.raises(FileNotFoundError):
        MultipartSource(None, {"f": tmp_path / "missing"}, "bbb")
