"""Request smuggling: two parsers must not disagree about where a request ends.

Each request in these tests is followed by a second one, for ``/smuggled``, which is in the body of the first
or which a lenient parser might treat as that body.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import serving
from tornado import web

CHUNKS = "5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class Recording(web.RequestHandler):
    """A handler that records the requests that it receives."""

    def initialize(self, seen: list[tuple[str, bytes]]) -> None:
        self.seen = seen

    def post(self) -> None:
        self.seen.append((self.request.path, self.request.body))

    get = post


async def send_request(fields: str, body: str, tls: Any = None) -> tuple[list[tuple[str, bytes]], bytes]:
    """Return the requests that the handler receives, and all data that the client receives."""
    seen: list[tuple[str, bytes]] = []
    async with serving(web.Application([("/.*", Recording, {"seen": seen})]), tls=tls) as server:
        answer = await server.exchange(f"POST /p HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{SMUGGLED}")
    return seen, answer


async def assert_rejected(fields: str, body: str, *codes: int, tls: Any = None) -> None:
    """Check that the request gets a single response, an error, and that no data after it is processed."""
    seen, answer = await send_request(fields, body, tls)
    assert seen == []
    assert answer.count(b"HTTP/1.1 ") == 1
    assert int(answer.split(b" ")[1]) in (codes or (400,)), answer
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "length", ["+5", "-5", "0x5", "5_0", "5 0", "0b101", "5.0", "\xb2", "1e1", '"5"', "5,"]
)
async def test_ghsa_qppv_j76h_2rpx_content_length_is_digits(length: str, tls: Any) -> None:
    await assert_rejected(f"Content-Length: {length}\r\n", "hello", tls=tls)


@pytest.mark.parametrize("size", ["+5", "-5", "0x5", "0_5", " 5", "5 ", "5\t", "\xa05", "5h", "", "0X5"])
async def test_ghsa_qppv_j76h_2rpx_chunk_sizes_are_hexadecimal_digits(size: str) -> None:
    await assert_rejected("Transfer-Encoding: chunked\r\n", f"{size}\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "fields",
    [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    ],
)
async def test_ghsa_753j_mpmx_qq6g_repeated_transfer_encoding(fields: str) -> None:
    await assert_rejected(fields, CHUNKS, 400, 501)


@pytest.mark.parametrize(
    "coding",
    ["identity", "gzip", "chunked, gzip", "gzip, chunked", "xchunked", "chunked;a=b", '"chunked"', ""],
)
async def test_ghsa_753j_mpmx_qq6g_unknown_transfer_encoding(coding: str) -> None:
    await assert_rejected(f"Transfer-Encoding: {coding}\r\n", CHUNKS, 400, 501)


@pytest.mark.parametrize("length", [0, 5, len(CHUNKS)])
@pytest.mark.parametrize("last", ["length", "coding"])
async def test_ghsa_753j_mpmx_qq6g_length_with_transfer_encoding(length: int, last: str) -> None:
    fields = [f"Content-Length: {length}\r\n", "Transfer-Encoding: chunked\r\n"]
    if last == "length":
        fields.reverse()
    await assert_rejected("".join(fields), CHUNKS)


@pytest.mark.parametrize("space", ["\xa0", "\x85", "\x0b", "\x0c", "\x1c", "\x1f"])
async def test_ghsa_753j_mpmx_qq6g_only_space_and_tab_are_white_space(space: str) -> None:
    await assert_rejected(f"Transfer-Encoding: {space}chunked\r\n", CHUNKS, 400, 501)
    await assert_rejected(f"Transfer-Encoding: chunked{space}\r\n", CHUNKS, 400, 501)
    await assert_rejected(f"Content-Length: {space}5\r\n", "hello")
    await assert_rejected(f"Content-Length{space}: 5\r\n", "hello")
    await assert_rejected(f"{space}Content-Length: 5\r\n", "hello")


@pytest.mark.parametrize(
    "lengths", ["5\r\nContent-Length: 6", "5, 6", "5\r\nContent-Length: 05", "6\r\ncontent-length: 5"]
)
async def test_ghsa_753j_mpmx_qq6g_lengths_that_differ(lengths: str) -> None:
    await assert_rejected(f"Content-Length: {lengths}\r\n", "hello")


async def test_valid_framing_is_accepted() -> None:
    for fields, body in (("Content-Length: 5\r\n", "hello"), ("Transfer-Encoding: chunked\r\n", CHUNKS)):
        seen, answer = await send_request(
            fields + "X: y\r\n", body + SMUGGLED.replace("1.1\r\n", "1.1\r\nConnection: close\r\n")
        )
        assert seen == [("/p", b"hello"), ("/smuggled", b"")]
        assert answer.count(b"HTTP/1.1 200 OK") == 2
