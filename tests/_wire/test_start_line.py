"""Start lines and authorities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornado._wire.errors import HTTPInputError, HTTPOutputError, VersionNotSupported
from tornado._wire.start_line import (
    RequestLine,
    check_authority,
    match_origin_form,
    parse_request_line,
    parse_status_line,
    shown,
    status_line,
)


@pytest.mark.parametrize(
    ("line", "method", "target", "authority"),
    [
        ("GET / HTTP/1.1", "GET", "/", None),
        ("GET //host/a?b=c&d=/? HTTP/1.1", "GET", "//host/a?b=c&d=/?", None),
        ('GET /"<>\\^`{|}[] HTTP/1.0', "GET", '/"<>\\^`{|}[]', None),
        ("GET /%41%7e\xe9 HTTP/1.1", "GET", "/%41%7e\xe9", None),
        # A percent sign as typed (URL Standard section 4.4), and a "#", which is not special in this form.
        ("GET /% HTTP/1.1", "GET", "/%", None),
        ("GET /%4 HTTP/1.1", "GET", "/%4", None),
        ("GET /%zz?q=100% HTTP/1.1", "GET", "/%zz?q=100%", None),
        ("GET /?a=%u2603 HTTP/1.0", "GET", "/?a=%u2603", None),
        ("GET http://a/%zz?% HTTP/1.1", "GET", "/%zz?%", "a"),
        ("GET /a#b HTTP/1.1", "GET", "/a#b", None),
        ("GET /a?b#c?d HTTP/1.1", "GET", "/a?b#c?d", None),
        ("get /a HTTP/1.1", "get", "/a", None),
        ("M-SEARCH!#$%&'*+.^_`|~ /a HTTP/1.1", "M-SEARCH!#$%&'*+.^_`|~", "/a", None),
        ("OPTIONS * HTTP/1.1", "OPTIONS", "*", None),
        ("CONNECT example.com:443 HTTP/1.1", "CONNECT", "example.com:443", "example.com:443"),
        ("CONNECT [::1]:443 HTTP/1.1", "CONNECT", "[::1]:443", "[::1]:443"),
        ("GET http://a.b:80/c?d HTTP/1.1", "GET", "/c?d", "a.b:80"),
        ("GET HTTPS://a HTTP/1.1", "GET", "/", "a"),
        ("GET http://a?b HTTP/1.1", "GET", "/?b", "a"),
        ("OPTIONS http://a HTTP/1.1", "OPTIONS", "*", "a"),
        ("OPTIONS http://a/ HTTP/1.1", "OPTIONS", "/", "a"),
    ],
)
def test_valid_request_lines_are_parsed(line, method, target, authority):
    raw, version = line.split(" ")[1:]
    assert parse_request_line(line) == RequestLine(method, target, raw, version, authority)
    match = match_origin_form(line)
    assert (match is not None) == (raw[0] == "/")
    if match is not None:
        assert match.groups() == (method, target, version)


MALFORMED = [
    "",
    "asdf",
    "GET /",
    "GET / ",
    " GET / HTTP/1.1",
    "GET  / HTTP/1.1",
    "GET /  HTTP/1.1",
    "GET / HTTP/1.1 ",
    "GET\t/ HTTP/1.1",
    "GET /\tHTTP/1.1",
    "GET /a b HTTP/1.1",
    "GET /a\x0bb HTTP/1.1",
    "GET /a\x00 HTTP/1.1",
    "GET /a\x7f HTTP/1.1",
    "GET /a\rb HTTP/1.1",
    "FOO,BAR / HTTP/1.1",
    "G\xe9T / HTTP/1.1",
    "(GET) / HTTP/1.1",
    "GET / http/1.1",
    "GET / HTTP/1.10",
    "GET / HTTP/11",
    "GET / HTTP/1,1",
    "GET / HTTP/\u0661.1",
    "GET / HTTP/1.1\r",
    "GET / HTTPS/1.1",
    "GET / ICY/1.0",
]


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed_request_lines_are_rejected(line):
    assert match_origin_form(line.removesuffix("\r")) is None or line.endswith("\r")
    with pytest.raises(
        HTTPInputError, match="Malformed HTTP request line .*: expected METHOD target HTTP/1.1"
    ) as caught:
        parse_request_line(line)
    assert caught.value.status_code == 400


@pytest.mark.parametrize("version", ["HTTP/1.2", "HTTP/1.9"])
def test_higher_minor_version_is_treated_as_1_1(version):
    """RFC 9110 section 2.5 requires this for each minor version above the highest supported one."""
    assert match_origin_form(f"GET / {version}") is None  # not on the fast path
    assert parse_request_line(f"GET / {version}").version == "HTTP/1.1"
    assert parse_status_line(f"{version} 200 OK").version == "HTTP/1.1"


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/3.0"])
def test_unsupported_versions_are_rejected(version):
    assert match_origin_form(f"GET / {version}") is None
    with pytest.raises(VersionNotSupported, match=f"Unexpected HTTP version '{version}'"):
        parse_request_line(f"GET / {version}")
    with pytest.raises(VersionNotSupported, match=f"Unexpected HTTP version '{version}'"):
        parse_status_line(f"{version} 200 OK")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("GET #a HTTP/1.1", "Fragment"),
        ("GET http://a#b HTTP/1.1", "Fragment"),
        ("GET http://a/#b HTTP/1.1", "Fragment"),
        ("GET http://a?b#c HTTP/1.1", "Fragment"),
        ("GET http://a%zz/ HTTP/1.1", "Invalid request target"),
        ("GET a HTTP/1.1", "Invalid request target"),
        ("GET * HTTP/1.1", "Invalid request target"),
        ("OPTIONS *a HTTP/1.1", "Invalid request target"),
        ("GET example.com:80 HTTP/1.1", "Invalid request target"),
        ("GET ftp://a/b HTTP/1.1", "Invalid request target"),
        ("GET http:/a/b HTTP/1.1", "Invalid request target"),
        ("GET http:///b HTTP/1.1", "has no host"),
        ("GET http://?b HTTP/1.1", "has no host"),
        ("GET http://u:p@a/ HTTP/1.1", "Invalid request target"),
        ("GET http://a:b/ HTTP/1.1", "Invalid request target"),
        ("GET http://a:65536/ HTTP/1.1", "Invalid request target"),
        ("GET http://[::g]/ HTTP/1.1", "Invalid request target"),
        ("CONNECT / HTTP/1.1", "Invalid CONNECT target"),
        ("CONNECT /a:80 HTTP/1.1", "Invalid CONNECT target"),
        ("CONNECT http://a:80 HTTP/1.1", "Invalid CONNECT target"),
        ("CONNECT a@b:80 HTTP/1.1", "Invalid CONNECT target"),
        ("CONNECT :80 HTTP/1.1", "Invalid CONNECT target"),
        ("CONNECT example.com HTTP/1.1", "host:port"),
        ("CONNECT example.com: HTTP/1.1", "host:port"),
        ("CONNECT [::1] HTTP/1.1", "host:port"),
    ],
)
def test_invalid_targets_are_rejected(line, fault):
    assert match_origin_form(line) is None
    with pytest.raises(HTTPInputError, match=fault) as caught:
        parse_request_line(line)
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        "A.B.",
        "a_b",
        "a-b:80",
        "a:",
        "a:0",
        "a:00080",
        "a:65535",
        "127.0.0.1:8888",
        "a%41:80",
        "a!$&'()*+;=~",
        "[::1]",
        "[::1]:80",
        "[2001:DB8::1]",
        "[::ffff:127.0.0.1]",
        "[v1.a:b]",
    ],
)
def test_valid_authorities_are_accepted(text):
    check_authority(text)


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "a,b",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a@b",
        "\xe9",
        "a\x00",
        "a%4",
        "a%zz",
        ":80",
        "a:b",
        "a:-1",
        "a:+1",
        "a:1_0",
        "a:65536",
        "a:99999",
        "a:000080",
        "a:80:80",
        "a:80 ",
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[::1]a",
        "[::1]:b",
        "[::1]:65536",
        "[1.2.3.4]",
        "[a]",
        "[::1%25eth0]",
        "[::1::2]",
        "[1:2:3:4:5:6:7:8:9]",
        "[12345::]",
        "[v1.]",
        "[v.a]",
        "a[::1]",
        "a\n",
    ],
)
def test_invalid_authorities_are_rejected(text):
    with pytest.raises(HTTPInputError, match="Invalid Host header: "):
        check_authority(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("HTTP/1.1 200 OK", ("HTTP/1.1", 200, "OK")),
        ("HTTP/1.0 404 Not Found", ("HTTP/1.0", 404, "Not Found")),
        ("HTTP/1.1 200 ", ("HTTP/1.1", 200, "")),
        ("HTTP/1.1 200", ("HTTP/1.1", 200, "")),
        ("HTTP/1.1 999  \t\xe9", ("HTTP/1.1", 999, " \t\xe9")),
        ("HTTP/1.1 100 Continue", ("HTTP/1.1", 100, "Continue")),
    ],
)
def test_valid_status_lines_are_parsed(line, expected):
    assert parse_status_line(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "HTTP/1.1",
        "HTTP/1.1 20",
        "HTTP/1.1 099 a",
        "HTTP/1.1 2000",
        "HTTP/1.1 200OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 \u0662\u0660\u0660 OK",
        "HTTP/1.1 200 a\x00b",
        "HTTP/1.1 200 a\rb",
        "HTTP/1.1 200 a\x7f",
        "http/1.1 200 OK",
        "ICY 200 OK",
        " HTTP/1.1 200 OK",
    ],
)
def test_malformed_status_lines_are_rejected(line):
    with pytest.raises(HTTPInputError, match="Malformed HTTP status line"):
        parse_status_line(line)


def test_status_lines_are_serialized():
    assert status_line("HTTP/1.1", 200, "OK") == b"HTTP/1.1 200 OK\r\n"
    assert status_line("HTTP/1.0", 599, "") == b"HTTP/1.0 599 \r\n"
    assert status_line("HTTP/1.1", 200, "d\xe9j\xe0\tvu") == b"HTTP/1.1 200 d\xe9j\xe0\tvu\r\n"
    assert status_line("HTTP/1.1", 200, "OK") is status_line("HTTP/1.1", 200, "OK")


@pytest.mark.parametrize(
    ("version", "code", "reason", "fault"),
    [
        ("HTTP/1.1", 200, "a\r\nSet-Cookie: b", "reason phrase"),
        ("HTTP/1.1", 200, "a\nb", "reason phrase"),
        ("HTTP/1.1", 200, "a\x00", "reason phrase"),
        ("HTTP/1.1", 200, "\u20ac", "reason phrase"),
        ("HTTP/1.1", 99, "a", "three digits"),
        ("HTTP/1.1", 1000, "a", "three digits"),
        ("HTTP/1.1\r\n", 200, "a", "version"),
        ("1.1", 200, "a", "version"),
    ],
)
def test_invalid_status_lines_are_not_serialized(version, code, reason, fault):
    with pytest.raises(HTTPOutputError, match=fault):
        status_line(version, code, reason)


def test_long_text_is_truncated_in_messages():
    assert shown("a\r\n") == r"'a\r\n'"
    assert shown("a" * 100) == repr("a" * 100)
    assert shown("a" * 5000) == repr("a" * 100) + "... (5000 characters)"


@given(st.text(st.characters(max_codepoint=255)))
def test_arbitrary_text_raises_only_input_errors(line):
    for parse in (parse_request_line, parse_status_line, check_authority):
        try:
            parse(line)
        except HTTPInputError:
            pass


@given(
    st.text("abc/%?#:[]@*AF09 ht\xe9p", max_size=30),
    st.sampled_from(["GET", "CONNECT", "OPTIONS"]),
)
def test_origin_form_pattern_agrees_with_the_parser(target, method):
    line = f"{method} {target} HTTP/1.1"
    match = match_origin_form(line)
    try:
        parsed = parse_request_line(line)
    except HTTPInputError:
        assert match is None
    else:
        assert (match is not None) == (parsed.raw_target[0] == "/")
        if match is not None:
            assert match.groups() == (parsed.method, parsed.target, parsed.version)
