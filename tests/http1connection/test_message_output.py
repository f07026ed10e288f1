"""The framing of messages."""

from __future__ import annotations

import pytest

from tests.support.server import ExpectLog
from tornado._wire.errors import HTTPOutputError
from tornado._wire.h1 import RequestHead, parse_request_head
from tornado._wire.state_machine import InvalidTransition
from tornado.http1connection._message_output import MessageOutput
from tornado.http1connection._states import OutputState

FRAMED = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def head(method: str = "GET", version: str = "HTTP/1.1") -> RequestHead:
    return parse_request_head(f"{method} / {version}\r\nHost: a\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("request_head", "code", "length", "block", "until_close"),
    [
        (head(), 200, 5, FRAMED, False),
        (head(), 200, None, CHUNKED, False),
        (head("HEAD"), 200, None, CHUNKED, False),
        (head(version="HTTP/1.0"), 200, None, b"", True),
        (head("HEAD", "HTTP/1.0"), 200, None, b"", False),
        (head(), 204, 5, b"", False),
        (head(), 304, None, b"", False),
        (head(), 304, 5, FRAMED, False),
        (head(), 103, None, b"", False),
    ],
)
def test_response_head_gets_framing(
    request_head: RequestHead, code: int, length: int | None, block: bytes, until_close: bool
) -> None:
    given = b"" if length is None else FRAMED
    output = MessageOutput()
    assert output.begin_response(request_head, code, given, length, length is not None) == (
        block,
        until_close,
    )
    assert output.state is (OutputState.INTERIM if code < 200 else OutputState.BODY)
    assert output.interim_code == (code if code < 200 else 0)


def test_final_response_follows_interim_response():
    output = MessageOutput()
    output.begin_response(head(), 103, b"", None, False)
    output.begin_response(head(), 200, FRAMED, 5, True)
    assert output.remaining_length == 5
    assert output.frame(b"hello") == b"hello"
    assert output.last_bytes() == b""


def test_body_longer_than_length_is_rejected():
    output = MessageOutput()
    output.begin_response(head(), 200, FRAMED, 5, True)
    with pytest.raises(HTTPOutputError, match="more data than"):
        output.frame(b"longer")


def test_body_shorter_than_length_is_rejected():
    output = MessageOutput()
    output.begin_response(head(), 200, FRAMED, 5, True)
    output.frame(b"hey")
    with pytest.raises(HTTPOutputError, match="2 bytes less than"):
        output.last_bytes()
    output.truncate()
    assert output.last_bytes() == b""


def test_file_needs_sufficient_length():
    output = MessageOutput()
    with pytest.raises(HTTPOutputError):
        output.frame_file(1)
    output.begin_response(head(), 200, FRAMED, 5, True)
    output.frame_file(5)
    with pytest.raises(HTTPOutputError):
        output.frame_file(1)


def test_chunks_and_last_chunk():
    output = MessageOutput()
    assert output.begin_request("POST", b"", None, False) == CHUNKED
    assert output.frame(b"abc") == b"3\r\nabc\r\n"
    assert output.frame(b"") == b""
    assert output.last_bytes() == b"0\r\n\r\n"
    assert repr(output) == "<MessageOutput BODY, chunked>"


@pytest.mark.parametrize(
    ("framed", "expected"), [(b"", b"0\r\nA: b\r\n\r\n"), (FRAMED, b"")], ids=["chunked", "length"]
)
def test_trailers_follow_the_last_chunk(framed, expected):
    output = MessageOutput()
    output.begin_request("POST", framed, 0 if framed else None, bool(framed))
    output.set_trailers(b"A: b\r\n")
    assert output.last_bytes() == expected


def test_body_after_204_is_discarded(expect_log: ExpectLog) -> None:
    output = MessageOutput()
    output.begin_response(head(), 204, b"", None, False)
    with expect_log("tornado.application", "Discarded 3 bytes"):
        assert output.frame(b"abc") == b""


def test_tunnel_has_no_framing_fields():
    output = MessageOutput()
    assert output.begin_tunnel(b"A: b\r\n" + FRAMED) == b"A: b\r\n"


def test_complete_message_cannot_be_continued():
    output = MessageOutput()
    output.end()
    with pytest.raises(InvalidTransition, match="COMPLETE does not permit OutputState.BODY"):
        output.begin_request("GET", b"", None, False)
