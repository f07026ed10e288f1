"""The parsers of heads: the specification, and the fast path with its caches."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.feeder import attributes
from tornado._wire import heads
from tornado._wire.errors import HTTPInputError, VersionNotSupported
from tornado._wire.h1 import Reader, Role
from tornado._wire.headers import HTTPHeaders
from tornado._wire.heads import (
    MAX_BLOCKS,
    MAX_FIXED_TARGETS,
    MAX_HEADS,
    SMALL,
    SMALL_FIELDS,
    add_fixed_targets,
    fixed_targets,
    known_head,
    parse_request_head,
    parse_response_head,
    read_usual_head,
)
from tornado._wire.limits import DEFAULT, Limits

GET = b"GET /a?b=c HTTP/1.1\r\nHost: example.com:80\r\nX: y\r\n\r\n"


@pytest.fixture(autouse=True)
def _empty_caches():
    heads.forget()
    yield
    heads.forget()
    fixed_targets.clear()


def test_values_of_a_request_head():
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
        "query": "b=c",
        "conditional": False,
        "plain": True,
    }
    assert repr(head) == "<RequestHead GET /a?b=c HTTP/1.1>"


@pytest.mark.parametrize(
    ("target", "path"), [("/", "/"), ("/?", "/"), ("/a?b?c", "/a"), ("*", "*"), ("http://b/c?d", "/c")]
)
def test_path_of_the_target(target, path):
    method = "OPTIONS" if target == "*" else "GET"
    assert parse_request_head(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).path == path


@pytest.mark.parametrize(
    ("line", "conditional"),
    [
        ("If-None-Match: *", True),
        ("IF-NONE-MATCH: x", True),
        ("If-Match: *", False),
        ("X: if-none-match: y", False),
    ],
)
def test_conditional_fields_are_recognised(line, conditional):
    head = parse_request_head(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode())
    assert head.conditional is conditional


def test_headers_are_created_on_access():
    head = parse_request_head(GET)
    assert isinstance(head.headers, HTTPHeaders)
    assert dict(head.headers) == {"Host": "example.com:80", "X": "y"}
    response = parse_response_head(b"HTTP/1.1 200 OK\r\nA: b\r\nA: c\r\n\r\n")
    assert response.headers.get_list("a") == ["b", "c"]
    assert response.headers is response.headers


def test_requests_with_one_head_have_separate_headers():
    add_fixed_targets(["/a"])
    data = GET.replace(b"?b=c", b"").replace(b"X: y", b"DNT: 1")
    heads_read = [read_usual_head(data, DEFAULT) for _ in range(4)]
    assert heads_read[3] is known_head(data)
    first, second = known_head(data).headers, known_head(data).headers
    first["Dnt"] = "changed"
    del first["Host"]
    assert dict(second) == dict(known_head(data).headers) == {"Host": "example.com:80", "Dnt": "1"}


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
def test_authority_of_the_target_replaces_host(line, target, host, before):
    head = parse_request_head(line + b"\r\n" + before + b"HOST: example.com\r\nX-Host: c\r\n\r\n")
    assert (head.target, head.host) == (target, host)
    # The received field must be ignored (RFC 9112 section 3.2.2), so it is also replaced in the headers.
    assert head.headers.get_list("Host") == [host]
    assert head.headers["X-Host"] == "c"
    assert len(head.headers) == (3 if before else 2)
    assert head.raw_target == line.split()[1].decode()


def test_authority_of_the_target_without_host_field():
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
def test_plain_requests_are_recognised(line, field, plain):
    data = f"{line} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n".encode()
    assert parse_request_head(data).plain is plain


def test_closing_returns_a_copy():
    head = parse_request_head(GET)
    last = head.closing()
    assert (head.keep_alive, last.keep_alive) == (True, False)
    assert attributes(last) | {"keep_alive": True} == attributes(head)


def test_authority_of_a_target_does_not_affect_other_requests():
    parse_request_head(b"GET http://other/a HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert parse_request_head(b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n").host == "example.com"


def test_absolute_target_without_host_field_is_rejected():
    with pytest.raises(HTTPInputError, match="Missing Host"):
        parse_request_head(b"GET http://other/a HTTP/1.1\r\n\r\n")


def test_http_1_0_request_may_omit_host():
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
def test_malformed_heads_are_rejected(block):
    with pytest.raises(HTTPInputError) as caught:
        parse_request_head(block)
    assert caught.value.status_code == 400


def test_http_2_preface_is_an_unsupported_version():
    with pytest.raises(VersionNotSupported):
        parse_request_head(b"PRI * HTTP/2.0\r\n\r\n")


# The fast path for usual heads


def usual(*lines, first="GET /a?b=c HTTP/1.1"):
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1")


BROWSER = [
    "Host: example.com",
    "Connection: keep-alive",
    "User-Agent: Mozilla/5.0",
    "Accept: */*",
    "Accept-Language: en-GB,en;q=0.9",
    "Cookie: session=8c7f; theme=dark",
    "X-Request-Id: 7d3f8a1c-52b9",
    "X-Forwarded-For: 198.51.100.23",
    "X-Forwarded-Proto: https",
    "Authorization: Bearer c2VjcmV0",
    "Referer: https://example.com/reset/0a1b2c",
    "X-Api-Key: 99887766",
]


@pytest.mark.parametrize(
    "data",
    [
        usual("Host: a"),
        usual("host:a"),
        usual("DNT: 1", "HOST:   a:80  "),
        usual(*BROWSER),
        usual(*BROWSER[1:], BROWSER[0]),
        usual("Host: a", "Connection: close"),
        usual("Host: a", "connection:  Keep-Alive "),
        usual("Host: a", "Content-Length: 5", first="POST / HTTP/1.1"),
        usual("Host: a", "Content-Length: 0", first="POST / HTTP/1.1"),
        usual("Host: a", "Content-Type: text/plain", "Content-Length:12345678901234", first="PUT / HTTP/1.1"),
        usual("Host: a", 'IF-none-MATCH: "x"'),
        usual("Host: a", "Content-Type: multipart/form-data; boundary=x"),
        usual("Host: a", "X:", "Y: z:", first="DELETE //?? HTTP/1.1"),
        usual("Host: a", first="GET /100%?q=%u2603#x HTTP/1.1"),
        usual("Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        usual(*BROWSER[:1], "Connection: keep-alive, Upgrade", "upgrade: websocket", *BROWSER[2:]),
        usual("Host: a", "Upgrade:", "Connection: upgrade"),
        usual("Host: a", "Upgrade: websocket"),
        usual("Host: a", "Connection: upgrade"),
    ],
)
def test_usual_head_is_parsed_as_by_the_specification(data):
    expected = attributes(parse_request_head(data))
    add_fixed_targets(["/", "/a"])
    for _ in range(4):  # empty caches, then cached lines, then the cached block, then the cached head
        assert attributes(read_usual_head(data, DEFAULT)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        GET[:-1],
        GET[:-2],
        GET + b"\r\n",
        GET + GET,
        GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GET.replace(b"HTTP/1.1", b"HTTP/1.2"),
        GET.replace(b" /a", b"  /a"),
        GET.replace(b" /a", b"\t/a"),
        GET.replace(b"/a?b=c", b"http://b/"),
        GET.replace(b"/a?b=c", b"*"),
        GET.replace(b"/a", b"/\xe9"),
        GET.replace(b"/a", b"/\x7f"),
        GET.replace(b"GET", b"CONNECT"),
        GET.replace(b"GET", b"get"),
        GET.replace(b"Host", b"Hots"),
        GET.replace(b"Host:", b"Host"),
        GET.replace(b"example.com:80", b"a b"),
        GET.replace(b"example.com:80", b""),
        GET.replace(b"X: y", b"Host: example.com:80"),
        GET.replace(b"X: y", b"host: b"),
        GET.replace(b"X: y", b"X : y"),
        GET.replace(b"X: y", b"X: y\r\n z"),
        GET.replace(b"X: y", b"X: y\nHost: b"),
        GET.replace(b"X: y", b"X: y\rz"),
        GET.replace(b"X: y", b"X: \0"),
        GET.replace(b"X: y", b"X: \ty"),
        GET.replace(b"X: y", b"Cookie"),
        GET.replace(b"X: y", b": y"),
        GET.replace(b"X: y", b"X\xe9: y"),
        GET.replace(b"X: y\r\n", b"\r\nX: y\r\n"),
        GET.replace(b"X: y", b"Connection: close, upgrade"),
        GET.replace(b"X: y", b"Connection: close, x"),
        GET.replace(b"X: y", b"Connection: upgrade\r\nConnection: close"),
        GET.replace(b"X: y", b"Expect: 100-continue"),
        GET.replace(b"X: y", b"Transfer-Encoding: chunked"),
        GET.replace(b"X: y", b"Content-Length: +5"),
        GET.replace(b"X: y", b"Content-Length: 5_0"),
        GET.replace(b"X: y", b"Content-Length: 05"),
        GET.replace(b"X: y", b"Content-Length: 5, 5"),
        GET.replace(b"X: y", b"Content-Length: 5\r\nContent-Length: 5"),
        GET.replace(b"X: y", b"Content-Length: 1234567890123456"),
        b"DNT: 1\r\n" + GET,
        b"DNT: 1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_unusual_heads_are_not_parsed_by_the_fast_path(data):
    for line in (b"X: y", b"DNT: 1", b"DNT: 1 HTTP/1.1", b"Connection: keep-alive"):
        read_usual_head(GET.replace(b"X: y", line), DEFAULT)
        read_usual_head(GET.replace(b"X: y", line), DEFAULT)
    assert read_usual_head(data, DEFAULT) is None


def test_limits_of_the_fast_path():
    data = usual("Host: a", *["X: y"] * SMALL_FIELDS)
    assert read_usual_head(data, Limits(max_header_count=SMALL_FIELDS + 1)) is not None
    assert read_usual_head(data, Limits(max_header_count=SMALL_FIELDS)) is None
    data = usual("Host: a", "Content-Length: 555", first="POST / HTTP/1.1")
    assert read_usual_head(data, Limits(max_length_digits=4)) is not None  # with the space before it
    assert read_usual_head(data, Limits(max_length_digits=2)) is None


def cached_text():
    """Return the content of all caches as one string."""
    known = heads.field_line_cache
    blocks = [heads._blocks, heads._blocks_before_cookies]
    tables = [known.lines, known.hosts, known.kind_of, heads._heads, *blocks]
    return repr(tables) + repr([attributes(head) for head in heads._heads.values()])


@pytest.mark.parametrize(
    "secret", ["8c7f", "7d3f8a1c", "198.51.100.23", "c2VjcmV0", "0a1b2c", "99887766", "b=c"]
)
def test_data_about_a_user_is_not_cached(secret):
    """No cache stores a cookie, a token, an address, a request ID, a referring page or a query."""
    add_fixed_targets(["/a"])
    data = usual(*BROWSER)
    assert secret.encode() in data
    for _ in range(4):
        read_usual_head(data, DEFAULT)
        read_usual_head(usual("Host: a"), DEFAULT)
        parse_request_head(data)
    assert secret not in cached_text()
    assert "Mozilla" in cached_text()


@pytest.mark.parametrize("target", ["/reset/0a1b2c", "/fixed?token=0a1b2c", "/fixed?"])
def test_only_targets_defined_by_the_program_are_cached(target):
    add_fixed_targets(["/fixed"])
    for each in (target, "/fixed"):
        for _ in range(3):
            assert read_usual_head(usual("Host: a", first=f"GET {each} HTTP/1.1"), DEFAULT).target == each
    assert [head.target for head in heads._heads.values()] == ["/fixed"]
    assert "0a1b2c" not in cached_text()


def test_cached_head_is_one_object():
    add_fixed_targets(["/"])
    data = usual("Host: a", first="GET / HTTP/1.1")
    first, second = read_usual_head(data, DEFAULT), read_usual_head(data, DEFAULT)
    assert first is not second
    assert known_head(data) is second
    assert attributes(first) == attributes(second)


@pytest.mark.parametrize(
    "lines",
    [
        ["X: y"],
        ["Connection: close"],
        ["Connection: upgrade"],
        ["Upgrade: h2c"],
        ["Upgrade: websocket"],
        ["Upgrade: websocket", "Connection: Upgrade"],
        ["Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13"],
        ["Content-Length: 5"],
        ["Content-Length: 0"],
        ["User-Agent: " + "x" * SMALL],
        ["Content-Type: multipart/form-data; boundary=x"],
    ],
)
def test_head_with_an_uncached_line_is_not_cached(lines):
    add_fixed_targets(["/"])
    for _ in range(4):
        assert read_usual_head(usual("Host: a", *lines, first="GET / HTTP/1.1"), DEFAULT) is not None
    assert heads._heads == heads._blocks == heads._blocks_before_cookies == {}


@pytest.mark.parametrize(
    ("lines", "upgrade", "keep_alive"),
    [
        (["Upgrade: websocket", "Connection: Upgrade"], True, True),
        (["Connection: keep-alive, Upgrade", "Upgrade: websocket"], True, True),
        (["Upgrade: WebSocket", "Connection: Upgrade"], True, True),
        (["Upgrade: websocket", "Connection: upgrade"], True, True),
        (["Upgrade: websocket"], False, True),
        (["Connection: Upgrade"], False, True),
        (["Upgrade: websocket", "Connection: close"], False, False),
        (["Upgrade: websocket", "Connection: keep-alive"], False, True),
        (["Connection: Upgrade", "Connection: close"], False, False),
        (["Upgrade: websocket", "X: Connection: Upgrade"], False, True),
    ],
)
def test_offer_to_switch_protocols(lines, upgrade, keep_alive):
    data = usual("Host: a", *lines, "X: y")
    for _ in range(3):
        head = read_usual_head(data, DEFAULT)
        assert attributes(head) == attributes(parse_request_head(data))
        assert (head.upgrade, head.keep_alive) == (upgrade, keep_alive)


def test_two_connection_lines_with_an_offer_are_left_to_the_other_parser():
    for last in ("close", "upgrade", "keep-alive, TE"):
        data = usual("Host: a", "Upgrade: websocket", "Connection: Upgrade", f"Connection: {last}")
        assert read_usual_head(data, DEFAULT) is None


LONG = ["Host: a", f"User-Agent: {'x' * 200}", f"Accept: {'y' * 100}"]


def test_block_before_a_cookie_is_cached_without_the_cookie():
    for cookie in ("a=b", "c=d", "e=f", "secret=1"):
        data = usual(*LONG, f"Cookie: {cookie}")
        assert attributes(read_usual_head(data, DEFAULT)) == attributes(parse_request_head(data))
    (kept,) = heads._blocks_before_cookies
    assert kept == "".join(f"{line}\r\n" for line in LONG).encode()
    assert "secret" not in cached_text()


@pytest.mark.parametrize("cookie", ["a\x00", "a\nX: y", "a\rb", "\xe9", "a\x7f"])
def test_cookie_after_a_cached_block_is_validated(cookie):
    for _ in range(3):
        read_usual_head(usual(*LONG, "Cookie: a=b"), DEFAULT)
    assert heads._blocks_before_cookies
    assert read_usual_head(usual(*LONG, f"Cookie: {cookie}"), DEFAULT) is None


def test_limits_apply_to_cached_blocks():
    data = usual(*LONG, "Cookie: a=b")
    for _ in range(3):
        assert read_usual_head(data, Limits(max_header_count=4)) is not None
    assert read_usual_head(data, Limits(max_header_count=3)) is None


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_cached_block_is_used_only_for_exactly_one_head(end):
    for lines in (LONG, [*LONG, "Cookie: a=b"]):
        data = usual(*lines)
        for _ in range(3):
            read_usual_head(data, DEFAULT)
        assert read_usual_head(data.removesuffix(b"\r\n\r\n") + end.encode(), DEFAULT) is None


@pytest.mark.parametrize("path", ["/", "/" + "x" * SMALL])
def test_head_that_ends_with_a_block_cached_before_a_cookie_is_incomplete(path):
    lines = ["Host: a", "User-Agent: b"]
    for _ in range(3):
        read_usual_head(usual(*lines, f"Cookie: {'x' * SMALL}"), DEFAULT)
    assert heads._blocks_before_cookies
    begun = usual(*lines, first=f"GET {path} HTTP/1.1").removesuffix(b"\r\n")
    assert read_usual_head(begun, DEFAULT) is None
    reader = Reader(Role.SERVER)
    assert reader.receive_request(begun) is None
    assert reader.next_event() is None
    reader.receive_data(b"Authorization: secret\r\n\r\n")
    assert reader.next_event().headers["Authorization"] == "secret"


def test_cache_sizes_are_limited():
    for number in range(max(MAX_BLOCKS, MAX_HEADS) + 1):
        add_fixed_targets([f"/{number}"])
        for host in ("a", f"a{number}"):
            for _ in range(3):
                data = usual(f"Host: {host}", first=f"GET /{number} HTTP/1.1")
                assert read_usual_head(data, DEFAULT).path == f"/{number}"
                read_usual_head(usual(f"Host: {host}", f"Cookie: {'x' * SMALL}"), DEFAULT)
        assert len(heads._heads) <= MAX_HEADS
        assert len(heads._blocks) <= MAX_BLOCKS
        assert len(heads._blocks_before_cookies) <= MAX_BLOCKS
    add_fixed_targets(map(str, range(MAX_FIXED_TARGETS + 1)))
    assert len(fixed_targets) <= MAX_FIXED_TARGETS


FIELD = st.sampled_from(
    [
        "Host: a",
        "host:b",
        "Connection: keep-alive",
        "Connection: close",
        "Connection: upgrade",
        "connection: Keep-Alive, Upgrade",
        "Upgrade: x",
        "Content-Length: 5",
        "Content-Length: 05",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "If-None-Match: *",
        "Accept: */*",
        "DNT: 1",
        "Cookie: a=b",
        "Cookie",
        "X : y",
        " z",
        "",
        "X: \x00",
        "X: \xe9",
        "X: y\nHost: b",
        "Content-Type: x",
        f"User-Agent: {'x' * 240}",
        "Cookie: c=d",
        "Cookie: \x01",
        "Cookie: a\rX: b",
        "Cookie: a\nX: b",
        "Cookie: \xe9",
    ]
)
FIRST = st.sampled_from(
    [
        "GET / HTTP/1.1",
        "GET /a?b HTTP/1.1",
        "POST / HTTP/1.1",
        "GET / HTTP/1.0",
        "DNT: 1",
        "GET http://a/ HTTP/1.1",
    ]
)


@given(st.lists(st.tuples(FIRST, st.lists(FIELD, max_size=6)), min_size=1, max_size=6))
def test_fast_path_agrees_with_the_specification(requests):
    """Cached data of earlier heads must not change how a later head is parsed."""
    heads.forget()
    add_fixed_targets(["/"])
    for first, lines in requests * 2:
        data = usual(*lines, first=first)
        head = known_head(data) or read_usual_head(data, DEFAULT)
        if head is not None:
            assert attributes(head) == attributes(parse_request_head(data))
        for line_end in re.finditer(b"\r\n", data[:-2]):  # a head may arrive in pieces
            begun = data[: line_end.end()]
            assert begun.endswith(b"\r\n\r\n") or read_usual_head(begun, DEFAULT) is None


# Responses


def test_values_of_a_response_head():
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
def test_framing_of_responses_depends_on_method_status_and_fields(line, fields, method, framing):
    block = f"{line}\r\n{fields}{fields and chr(13) + chr(10)}\r\n".encode()
    head = parse_response_head(block, request_method=method)
    assert (head.content_length, head.chunked, head.has_body, head.keep_alive, head.until_close) == framing


@pytest.mark.parametrize("code", [100, 101, 103, 204])
@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_framing_fields_are_rejected_for_codes_without_body(code, field):
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
def test_malformed_responses_are_rejected(block):
    with pytest.raises(HTTPInputError):
        parse_response_head(block)


@given(st.binary(), st.booleans())
def test_arbitrary_bytes_raise_only_input_errors(data, ended):
    block = data + b"\r\n\r\n" if ended else data
    for parse in (parse_request_head, parse_response_head):
        try:
            parse(block)
        except HTTPInputError:
            pass
