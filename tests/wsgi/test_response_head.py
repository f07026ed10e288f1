"""`ResponseHead`: validation of statuses and header fields."""

from __future__ import annotations

import pytest

from tornado.wsgi._response_head import ResponseHead


def fields(head):
    return list(head.headers.get_all())


def test_fields_are_converted():
    head = ResponseHead(
        "404 Not Found", [("X-A", "1"), ("Set-Cookie", "a"), ("set-cookie", "b"), ("X-E", " \xe9\t")]
    )
    assert head.line == ("HTTP/1.1", 404, "Not Found")
    assert fields(head) == [("X-A", "1"), ("Set-Cookie", "a"), ("Set-Cookie", "b"), ("X-E", "\xe9")]
    assert head.length is None


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [("200 OK", 200, "OK"), ("200", 200, ""), ("200 ", 200, ""), ("999 \xe9t\xe9", 999, "\xe9t\xe9")],
)
def test_statuses_are_parsed(status, code, reason):
    assert ResponseHead(status, []).line == ("HTTP/1.1", code, reason)


@pytest.mark.parametrize(
    "status",
    [
        "",
        "OK",
        "20 OK",
        "2000 OK",
        "200OK",
        " 200 OK",
        "200 a\nb",
        "200 a\x00",
        "200 \u20ac",
        "\u0662\u0660\u0660 OK",
    ],
)
def test_malformed_statuses_raise(status):
    with pytest.raises(ValueError, match="three digits, a space and a reason"):
        ResponseHead(status, [])


@pytest.mark.parametrize("status", ["100 Continue", "101 Switching", "000 Nothing"])
def test_interim_statuses_raise(status):
    with pytest.raises(ValueError, match="must be a final one"):
        ResponseHead(status, [])


@pytest.mark.parametrize("status", [200, None, b"200 OK"])
def test_status_of_another_type(status):
    with pytest.raises(TypeError, match="a WSGI status must be a str such as '200 OK'"):
        ResponseHead(status, [])


@pytest.mark.parametrize(
    ("field", "error", "message"),
    [
        ("X-A", TypeError, "a pair of name and value, got 'X-A'"),
        (("X-A",), TypeError, "a pair of name and value"),
        (("X-A", 1), TypeError, "must be str, got 'X-A': 1"),
        ((b"X-A", "1"), TypeError, "must be str, got b'X-A'"),
        (("X A", "1"), ValueError, "Invalid header name 'X A'"),
        (("", "1"), ValueError, "Invalid header name"),
        (("X-A", "1\r\nX-B: 2"), ValueError, "control characters"),
        (("X-A", "\u20ac"), ValueError, "X-A must be Latin-1 text"),
        (("Content-Length", "-1"), ValueError, "a single decimal number, got '-1'"),
        (("Content-Length", "1_0"), ValueError, "a single decimal number"),
        (("Content-Length", ""), ValueError, "a single decimal number"),
        (("Connection", "upgrade"), ValueError, "must not send 'connection'"),
        (("Upgrade", "websocket"), ValueError, "must not send 'upgrade'"),
        (("TE", "trailers"), ValueError, "must not send 'te'"),
        (("Trailer", "X"), ValueError, "must not send 'trailer'"),
        (("Transfer-Encoding", "chunked"), ValueError, "must not send 'transfer-encoding'"),
        (("Proxy-Authenticate", "x"), ValueError, "must not send 'proxy-authenticate'"),
    ],
)
def test_malformed_fields_raise(field, error, message):
    with pytest.raises(error, match=message):
        ResponseHead("200 OK", [field])


def test_two_lengths_raise():
    with pytest.raises(ValueError, match="a single decimal number, got '1, 1'"):
        ResponseHead("200 OK", [("Content-Length", "1"), ("Content-Length", "1")])


def test_redundant_connection_fields_are_omitted():
    given = [("Connection", "Keep-Alive"), ("Keep-Alive", "timeout=5")]
    assert fields(ResponseHead("200 OK", given)) == []
    assert fields(ResponseHead("200 OK", [("Connection", "close")])) == [("Connection", "close")]


def test_missing_fields_are_added():
    head = ResponseHead("200 OK", [])
    head.set_length(3)
    head.set_length(4)
    head.add_defaults()
    assert head.length == 3
    assert head.headers["Content-Length"] == "3"
    assert head.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert {"Server", "Date"} <= set(head.headers)


def test_existing_fields_are_kept():
    given = [("Content-Type", "a/b"), ("Server", "s"), ("Date", "d"), ("Content-Length", "7")]
    head = ResponseHead("200 OK", given)
    head.set_length(3)
    head.add_defaults()
    assert fields(head) == given


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_body_have_no_length(status):
    head = ResponseHead(status, [])
    head.set_length(0)
    head.add_defaults()
    assert set(head.headers) == {"Server", "Date"}


def test_204_has_no_length():
    head = ResponseHead("204 No Content", [("Content-Length", "0")])
    assert head.length is None
    assert fields(head) == []
