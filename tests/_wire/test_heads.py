"""Heads as values, from a whole block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.feeder import attributes
from tornado._wire import heads
from tornado._wire.errors import HTTPInputError, VersionNotSupported
from tornado._wire.fields import request_memos
from tornado._wire.headers import HTTPHeaders
from tornado._wire.heads import (
    KNOWN_HEAD_SIZE,
    KNOWN_HEADS,
    KNOWN_LINE_SIZE,
    KNOWN_LINES,
    known_heads,
    parse_request_head,
    parse_response_head,
)

GET = b"GET /a?b=c HTTP/1.1\r\nHost: example.com:80\r\nX: y\r\n\r\n"


recalled = known_heads.__getitem__


@pytest.fixture(autouse=True)
def _fresh_memo():
    known_heads.clear()
    heads._known_lines.clear()
    for memo in request_memos.values():
        memo.clear()


def test_a_request():
    head = parse_request_head(GET)
    assert attributes(head) == {
        "method": "GET",
        "target": "/a?b=c",
        "raw_target": "/a?b=c",
        "version": "HTTP/1.1",
        "headers_block": "Host: example.com:80\r\nX: y\r\n",
        "host": "example.com:80",
        "content_length": None,
        "chunked": False,
        "has_body": False,
        "keep_alive": True,
        "upgrade": False,
        "expect_continue": False,
        "expect_unknown": False,
        "path": "/a",
        "conditional": False,
        "plain": True,
    }
    assert repr(head) == "<RequestHead GET /a?b=c HTTP/1.1>"


@pytest.mark.parametrize(
    ("target", "path"), [("/", "/"), ("/?", "/"), ("/a?b?c", "/a"), ("*", "*"), ("http://b/c?d", "/c")]
)
def test_the_path(target, path):
    method = "OPTIONS" if target == "*" else "GET"
    assert parse_request_head(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).path == path


@pytest.mark.parametrize(
    ("line", "conditional"),
    [("If-None-Match: *", True), ("IF-NONE-MATCH: x", True), ("If-Match: *", False), ("X: y", False)],
)
def test_conditional(line, conditional):
    head = parse_request_head(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode())
    assert head.conditional is conditional


def test_headers_are_made_when_touched():
    head = parse_request_head(GET)
    assert isinstance(head.headers, HTTPHeaders)
    assert dict(head.headers) == {"Host": "example.com:80", "X": "y"}
    response = parse_response_head(b"HTTP/1.1 200 OK\r\nA: b\r\nA: c\r\n\r\n")
    assert response.headers.get_list("a") == ["b", "c"]
    assert response.headers is response.headers


def test_the_mappings_of_two_requests_are_apart():
    parse_request_head(GET)
    head = recalled(GET)
    first, second = head.headers, recalled(GET).headers
    first["X"] = "changed"
    del first["Host"]
    assert dict(second) == dict(recalled(GET).headers) == {"Host": "example.com:80", "X": "y"}


def test_text_is_latin_1():
    head = parse_request_head(b"GET /\xe9\xff HTTP/1.1\r\nHost: a\r\nX: \x80\xe9\r\n\r\n")
    assert (head.target, head.headers["x"]) == ("/\xe9\xff", "\x80\xe9")


@pytest.mark.parametrize(
    ("line", "target", "host"),
    [
        (b"GET http://other/a HTTP/1.1", "/a", "other"),
        (b"OPTIONS http://other HTTP/1.1", "*", "other"),
        (b"OPTIONS * HTTP/1.1", "*", "example.com"),
        (b"CONNECT other:443 HTTP/1.1", "other:443", "other:443"),
        (b"GET //other/a HTTP/1.1", "//other/a", "example.com"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"A: b\r\n"])
def test_the_authority_of_the_target_wins(line, target, host, before):
    head = parse_request_head(line + b"\r\n" + before + b"HOST: example.com\r\nX-Host: c\r\n\r\n")
    assert (head.target, head.host) == (target, host)
    # What was received is to be ignored (RFC 9112 section 3.2.2), also by who looks at the fields.
    assert head.headers.get_list("Host") == [host]
    assert head.headers["X-Host"] == "c"
    assert len(head.headers) == (3 if before else 2)
    assert head.raw_target == line.split()[1].decode()


def test_the_authority_of_the_target_where_there_is_no_host():
    head = parse_request_head(b"GET http://b:81/ HTTP/1.0\r\nA: b\r\n\r\n")
    assert (head.host, dict(head.headers)) == ("b:81", {"Host": "b:81", "A": "b"})


@pytest.mark.parametrize(
    ("line", "field", "plain"),
    [
        ("GET /", "Content-Length: 0", True),
        ("OPTIONS *", "X: y", True),
        ("CONNECT a:1", "X: y", True),
        ("GET http://a/", "X: y", False),
        ("GET /", "Content-Length: 1", False),
        ("GET /", "Transfer-Encoding: chunked", False),
        ("GET /", "Expect: 100-continue", True),
        ("GET /", "Expect: what", False),
    ],
)
def test_what_is_plain(line, field, plain):
    data = f"{line} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n".encode()
    assert parse_request_head(data).plain is plain


def test_a_head_that_closes_is_another_one():
    head = parse_request_head(GET)
    last = head.closing()
    assert (head.keep_alive, last.keep_alive) == (True, False)
    assert attributes(last) | {"keep_alive": True} == attributes(head)


def test_what_the_target_says_is_not_remembered_for_others():
    parse_request_head(b"GET http://other/a HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert parse_request_head(b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n").host == "example.com"


def test_an_absolute_target_does_not_excuse_a_missing_host():
    with pytest.raises(HTTPInputError, match="Missing Host"):
        parse_request_head(b"GET http://other/a HTTP/1.1\r\n\r\n")


def test_http_10_does_without_host():
    assert parse_request_head(b"GET / HTTP/1.0\r\n\r\n").host is None


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"GET http://a/ HTTP/1.1"])
def test_lines_may_end_in_a_bare_lf(line):
    head = parse_request_head(line + b"\nHost: a\n\n")
    assert (head.target, head.headers_block.replace("\r", "")) == ("/", "Host: a\n")


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\n",
    ],
)
def test_blocks_that_are_no_heads(block):
    with pytest.raises(HTTPInputError) as caught:
        parse_request_head(block)
    assert caught.value.status_code == 400


def test_the_preface_of_http_2_is_a_version_that_is_not_spoken():
    with pytest.raises(VersionNotSupported):
        parse_request_head(b"PRI * HTTP/2.0\r\n\r\n")


# What is known


def test_a_head_is_recalled_when_its_block_is_known():
    assert recalled(GET) is None
    parsed = parse_request_head(GET)
    again = recalled(GET)
    assert again is not parsed
    assert attributes(again) == attributes(parsed)
    assert recalled(GET) is again
    # The same fields behind another line are known too.
    other = recalled(GET.replace(b"GET /a?b=c", b"HEAD /d"))
    assert (other.method, other.target, other.host) == ("HEAD", "/d", "example.com:80")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GET[:-1],
        GET[:-2],
        GET + b"\n",
        GET + GET,
        GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GET.replace(b"HTTP/1.1", b"HTTP/1.2"),
        GET.replace(b" /a", b"  /a"),
        GET.replace(b"X: y", b"X: z"),
        GET.replace(b"/a?b=c", b"http://b/"),
        GET.replace(b"GET", b"CONNECT"),
    ],
)
def test_what_is_not_recalled(data):
    parse_request_head(GET)
    assert recalled(data) is None


def test_lines_that_are_kept_are_bounded():
    assert KNOWN_HEAD_SIZE > KNOWN_LINE_SIZE
    for number in range(KNOWN_LINES + 1):
        parse_request_head(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
        assert len(heads._known_lines) <= KNOWN_LINES
    assert list(heads._known_lines) == [b"GET /%d HTTP/1.1\r" % KNOWN_LINES]
    parse_request_head(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * KNOWN_LINE_SIZE))
    assert len(heads._known_lines) == 1


def test_heads_that_are_kept_are_bounded():
    parse_request_head(GET)
    for number in range(KNOWN_HEADS + 1):
        assert recalled(GET.replace(b"/a", b"/%d" % number)).path == f"/{number}"
        assert len(known_heads) <= KNOWN_HEADS
    assert list(known_heads) == [GET.replace(b"/a", b"/%d" % KNOWN_HEADS)]


@pytest.mark.parametrize(
    "line",
    ["Content-Length: 5", "Transfer-Encoding: chunked", "Authorization: Basic YTpi", "X: " + "y" * 1024],
)
def test_heads_that_are_not_kept(line):
    """With a body a message is not over after its head; a password is not for keeping."""
    data = f"POST / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode()
    for _ in range(2):
        parse_request_head(data)
        assert recalled(data) is None
    assert known_heads == {}


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/item/42?q=abc", True),
        ("/item/550e8400-e29b-41d4-a716-446655440000?page=2&sort=name", True),
        ("/static/app.js?v=1.2", True),
        ("/a?access_token=x", False),
        ("/a?b=c&PassWord=x", False),
        ("/a?X-Amz-Signature=x", False),
        ("/a?code=4", False),
        ("/a?x=0123456789abcdef0123", False),
        ("/a?x=012345-6789%2Fabc_def0", False),
        ("/reset/0123456789abcdefABCD", False),
    ],
)
def test_credentials_in_a_target_are_not_kept(target, kept):
    data = f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    for _ in range(2):
        assert parse_request_head(data).target == target
        assert recalled(data).target == target  # read anew where nothing is kept
    assert (data in known_heads) is kept
    assert bool(heads._known_lines) is kept


def test_a_head_with_a_line_too_long_to_be_kept_is_not_kept():
    data = GET.replace(b"/a", b"/a-" * KNOWN_LINE_SIZE)
    parse_request_head(data)
    assert recalled(data).method == "GET"
    assert not known_heads


# Responses


def test_a_response():
    head = parse_response_head(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n")
    assert attributes(head) == {
        "version": "HTTP/1.1",
        "code": 404,
        "reason": "Not Found",
        "headers_block": "Content-Length: 5\r\n",
        "content_length": 5,
        "chunked": False,
        "has_body": True,
        "keep_alive": True,
        "until_close": False,
    }
    assert repr(head) == "<ResponseHead HTTP/1.1 404 Not Found>"


@pytest.mark.parametrize(
    ("line", "fields", "method", "framing"),
    [
        # (content_length, chunked, has_body, keep_alive, until_close)
        ("HTTP/1.1 200 OK", "", None, (None, False, True, False, True)),
        ("HTTP/1.0 200 OK", "", "GET", (None, False, True, False, True)),
        ("HTTP/1.0 200 OK", "Connection: keep-alive", "GET", (None, False, True, False, True)),
        (
            "HTTP/1.0 200 OK",
            "Connection: keep-alive\r\nContent-Length: 1",
            "GET",
            (1, False, True, True, False),
        ),
        ("HTTP/1.0 200 OK", "Content-Length: 1", "GET", (1, False, True, False, False)),
        ("HTTP/1.1 200 OK", "Content-Length: 0", "GET", (0, False, False, True, False)),
        ("HTTP/1.1 200 OK", "Content-Length: 0\r\nConnection: close", "GET", (0, False, False, False, False)),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "GET", (None, True, True, True, False)),
        ("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "GET", (None, True, True, False, False)),
        ("HTTP/1.1 200 OK", "", "HEAD", (None, False, False, True, False)),
        ("HTTP/1.1 200 OK", "Content-Length: 5", "HEAD", (5, False, False, True, False)),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "HEAD", (None, True, False, True, False)),
        ("HTTP/1.1 304 Not Modified", "Content-Length: 5", "GET", (5, False, False, True, False)),
        ("HTTP/1.1 304 Not Modified", "", "GET", (None, False, False, True, False)),
        ("HTTP/1.1 204 No Content", "", "GET", (None, False, False, True, False)),
        ("HTTP/1.1 204 No Content", "Content-Length: 0", "GET", (0, False, False, True, False)),
        ("HTTP/1.1 100 Continue", "", "GET", (None, False, False, True, False)),
        ("HTTP/1.1 101 Switching Protocols", "Connection: upgrade", "GET", (None, False, False, True, False)),
        ("HTTP/1.1 200 OK", "Content-Length: 5", "CONNECT", (5, False, False, True, False)),
        ("HTTP/1.1 299 OK", "", "CONNECT", (None, False, False, True, False)),
        ("HTTP/1.1 407 No", "Content-Length: 5", "CONNECT", (5, False, True, True, False)),
        ("HTTP/1.1 407 No", "", "CONNECT", (None, False, True, False, True)),
    ],
)
def test_the_framing_of_responses(line, fields, method, framing):
    block = f"{line}\r\n{fields}{fields and chr(13) + chr(10)}\r\n".encode()
    head = parse_response_head(block, request_method=method)
    assert (head.content_length, head.chunked, head.has_body, head.keep_alive, head.until_close) == framing


@pytest.mark.parametrize("code", [100, 101, 103, 204])
@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_codes_that_have_no_body(code, field):
    with pytest.raises(HTTPInputError, match=f"Response with code {code} should not have body"):
        parse_response_head(f"HTTP/1.1 {code} A\r\n{field}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n",
        b"HTTP/1.1 2 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b;\r\n\tc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ],
)
def test_responses_that_are_refused(block):
    with pytest.raises(HTTPInputError):
        parse_response_head(block)


@given(st.binary(), st.booleans())
def test_any_bytes(data, ended):
    block = data + b"\r\n\r\n" if ended else data
    for parse in (parse_request_head, parse_response_head):
        try:
            parse(block)
        except HTTPInputError:
            pass
