"""The head of a response for an ASGI server, and the check of its length."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.threads import in_other_thread
from tornado._wire.errors import HTTPOutputError
from tornado.asgi import _http_head
from tornado.asgi._response_head import ResponseFraming, response_fields
from tornado.httputil import HTTPHeaders


class Unchecked(HTTPHeaders):
    """Header fields whose values are not checked."""

    fields: Any = ()

    def get_all(self) -> Any:
        return iter(self.fields)


def test_names_are_in_lower_case_and_fields_of_the_server_are_omitted() -> None:
    headers = HTTPHeaders({"X-A": "ü", "Date": "x", "Transfer-Encoding": "chunked", "Server": "mine"})
    headers.add("Set-Cookie", "a")
    headers.add("Set-Cookie", "b")
    fields = [(b"x-a", b"\xfc"), (b"server", b"mine"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]
    assert response_fields(headers, False, True) == fields


@pytest.mark.parametrize(
    ("value", "close_after", "is_http_1", "closes"),
    [
        ("close", False, True, True),
        ("Close, x", False, True, True),
        ("keep-alive", False, True, False),
        ("keep-alive", True, True, True),
        ("close", True, False, False),  # HTTP/2 has no such field
    ],
)
def test_connection_field(value: str, close_after: bool, is_http_1: bool, closes: bool) -> None:
    fields = response_fields(HTTPHeaders({"Connection": value}), close_after, is_http_1)
    assert fields == ([(b"connection", b"close")] if closes else [])


@pytest.mark.parametrize(("name", "value"), [("X", "a\nb"), ("X\r", "a"), ("X", "\0")])
def test_line_break_is_rejected(name: str, value: str) -> None:
    headers = Unchecked()
    headers.fields = [(name, value)]
    with pytest.raises(ValueError, match="Illegal characters"):
        response_fields(headers, False, True)


def test_length_is_checked() -> None:
    framing = ResponseFraming(False)
    with pytest.raises(HTTPOutputError, match="decimal number, got 'x'"):
        framing.begin(200, HTTPHeaders({"Content-Length": "x"}))
    framing.begin(200, HTTPHeaders({"Content-Length": "3"}))
    assert framing.count(b"ab") == b"ab"
    with pytest.raises(HTTPOutputError, match="more data"):
        framing.count(b"cd")
    with pytest.raises(HTTPOutputError, match="1 bytes less"):
        framing.finish()


@pytest.mark.parametrize(("code", "is_head"), [(200, True), (304, False)])
def test_length_of_a_body_that_is_not_sent(code: int, is_head: bool) -> None:
    framing = ResponseFraming(is_head)
    framing.begin(code, HTTPHeaders({"Content-Length": "3"}))
    assert framing.finish()


def test_body_after_204_is_discarded(expect_log: Any) -> None:
    framing = ResponseFraming(False)
    framing.begin(204, HTTPHeaders())
    with expect_log("tornado.application", "Discarded 3 bytes written after a 204 response"):
        assert framing.count(b"abc") == b""
    assert framing.finish()


def test_truncated_response_is_not_complete() -> None:
    framing = ResponseFraming(False)
    framing.begin(200, HTTPHeaders({"Content-Length": "3"}))
    framing.truncate()
    assert not framing.finish()


def test_response_without_head_is_not_complete() -> None:
    assert not ResponseFraming(False).finish()


def test_default_fields_in_another_thread_at_the_beginning_of_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original, found = _http_head.format_http_date, []

    def format_http_date(moment: float) -> str:
        monkeypatch.setattr(_http_head, "format_http_date", original)
        found.append(in_other_thread(_http_head.default_fields))
        return original(moment)

    monkeypatch.setattr(_http_head, "format_http_date", format_http_date)
    monkeypatch.setattr(_http_head, "time", lambda: 1_000_000_000.5)
    fields = _http_head.default_fields()
    assert b"Date: Sun, 09 Sep 2001 01:46:40 GMT\r\n" in fields
    assert found == [fields]
