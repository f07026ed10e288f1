"""Private classes of upstream that programs use."""

from __future__ import annotations

import gzip
import logging

import pytest

from tornado import http1connection, httputil

LINE = httputil.RequestStartLine("POST", "/", "HTTP/1.1")


class Received(httputil.HTTPMessageDelegate):
    """Stores what it receives."""

    def __init__(self):
        self.headers = httputil.HTTPHeaders()
        self.pieces = []
        self.ends = []

    def headers_received(self, start_line, headers):
        self.headers = headers

    async def data_received(self, chunk):
        self.pieces.append(chunk)

    def finish(self):
        self.ends.append("finish")

    def on_connection_close(self):
        self.ends.append("close")


def test_an_exception_is_logged_once(expect_log):
    log = logging.getLogger("tornado.application")
    with expect_log("tornado.application", "Uncaught exception"):
        with pytest.raises(http1connection._QuietException) as raised:
            with http1connection._ExceptionLoggingContext(log), http1connection._ExceptionLoggingContext(log):
                raise KeyError("name")
    assert isinstance(raised.value.__cause__, KeyError)


def test_no_exception_is_not_logged():
    with http1connection._ExceptionLoggingContext(logging.getLogger("program")):
        pass


async def received(body, coding="gzip", pieces=1):
    delegate = Received()
    decompressing = http1connection._GzipMessageDelegate(delegate, 100)
    decompressing.headers_received(LINE, httputil.HTTPHeaders({"Content-Encoding": coding}))
    size = -(-len(body) // pieces)
    for begin in range(0, len(body), size):
        await decompressing.data_received(body[begin : begin + size])
    decompressing.finish()
    return delegate


@pytest.mark.parametrize("pieces", [1, 2, 50])
async def test_a_compressed_body_arrives_in_small_pieces(pieces):
    data = bytes(range(256)) * 4
    delegate = await received(gzip.compress(data), pieces=pieces)
    assert b"".join(delegate.pieces) == data
    assert max(map(len, delegate.pieces)) <= 100
    assert dict(delegate.headers) == {"X-Consumed-Content-Encoding": "gzip"}
    assert delegate.ends == ["finish"]


async def test_another_body_is_passed_on():
    delegate = await received(b"text", coding="br")
    assert delegate.pieces == [b"text"]
    assert dict(delegate.headers) == {"Content-Encoding": "br"}


async def test_data_after_the_end_is_an_error():
    with pytest.raises(httputil.HTTPInputError, match="after its end|invalid"):
        await received(gzip.compress(b"x") + bytes(300))


def test_the_end_of_the_connection_is_passed_on():
    delegate = Received()
    http1connection._GzipMessageDelegate(delegate, 100).on_connection_close()
    assert delegate.ends == ["close"]
