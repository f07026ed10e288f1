"""Start lines and grammar rules."""

from __future__ import annotations

import pytest

from tornado.httputil import (
    _ABNF,
    HTTPInputError,
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
)


@pytest.mark.parametrize(
    "line",
    [
        "GET /foo HTTP/1.1",
        "get / HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "CONNECT a:80 HTTP/1.1",
        "GET /é HTTP/1.1",
    ],
)
def test_valid_request_line_is_parsed(line: str) -> None:
    parsed = parse_request_start_line(line)
    assert isinstance(parsed, RequestStartLine)
    assert " ".join(parsed) == line


@pytest.mark.parametrize(
    "line",
    ["", "GET /", "GET  / HTTP/1.1", "GET / / HTTP/1.1", "G(T / HTTP/1.1", "GET / http/1.1",
     "GET / HTTP/1.11", "GET / HTTP/1.1 ", "GET / HTTP/1.1\n", "GET /\x01 HTTP/1.1", "GET /\x7f HTTP/1.1",
     "GET /中 HTTP/1.1", "GET / HTTP/2.0", "GET / HTTP/3"],
)  # fmt: skip
def test_bad_request_line(line: str) -> None:
    with pytest.raises(HTTPInputError, match=r"malformed HTTP request line|unexpected HTTP version"):
        parse_request_start_line(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("HTTP/1.1 200 OK", ("HTTP/1.1", 200, "OK")),
        ("HTTP/1.0 404 Not Found", ("HTTP/1.0", 404, "Not Found")),
        ("HTTP/1.1 200 ", ("HTTP/1.1", 200, None)),
        ("HTTP/1.1 200 é\t", ("HTTP/1.1", 200, "é\t")),
    ],
)
def test_valid_status_line_is_parsed(line: str, expected: tuple[str, int, str | None]) -> None:
    parsed = parse_response_start_line(line)
    assert isinstance(parsed, ResponseStartLine)
    assert parsed == expected


@pytest.mark.parametrize(
    "line",
    ["", "HTTP/1.1 200", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 abc OK", "HTTP/1.1  200 OK",
     "ICY 200 OK", "HTTP/1.1 200 O\x01", "HTTP/1.1 200 中", "HTTP/1.1 \u0662\u0660\u0660 OK",
     "HTTP/2.0 200 OK"],
)  # fmt: skip
def test_bad_status_line(line: str) -> None:
    with pytest.raises(HTTPInputError, match=r"malformed HTTP status line|unexpected HTTP version"):
        parse_response_start_line(line)


def test_grammar_rules_match_valid_text_only() -> None:
    assert _ABNF.token.fullmatch("a-Z0!#$%&'*+.^_`|~")
    assert not _ABNF.token.fullmatch("")
    for value in ("", "a", "a b", "a\tb", "é"):
        assert _ABNF.field_value.fullmatch(value)
    for value in (" a", "a ", "\t", "a\x00b", "a\nb", "a\x7f", "中", "a" * 100_000 + " " * 100_000):
        assert not _ABNF.field_value.fullmatch(value)
    assert not _ABNF.reason_phrase.fullmatch("a\r")
    assert not _ABNF.request_target.fullmatch("a b")
