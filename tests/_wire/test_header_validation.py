"""The validation of header sections, and the framing that they imply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornado._wire.errors import BodyTooLarge, HeadTooLarge, HTTPInputError
from tornado._wire.header_validation import (
    check_field_lines,
    parse_request_fields,
    parse_response_fields,
)
from tornado._wire.limits import DEFAULT, Limits

NAMES = """
    version headers_block host content_length chunked has_body keep_alive
    upgrade expect_continue expect_unknown
""".split()


def block(*lines, host="Host: a"):
    """Return a header section of these lines, as bytes."""
    return "".join(f"{line}\r\n" for line in ([host] if host else []) + list(lines) + [""]).encode("latin-1")


def request(*lines, version="HTTP/1.1", host="Host: a", limits=DEFAULT):
    """Return the parsed values of a request's header section, by name."""
    values = parse_request_fields(block(*lines, host=host), version, limits)
    return dict(zip(NAMES, values, strict=True))


def test_values_of_a_plain_request():
    assert request("X: y") == {
        "version": "HTTP/1.1",
        "headers_block": "Host: a\r\nX: y\r\n",
        "host": "a",
        "content_length": None,
        "chunked": False,
        "has_body": False,
        "keep_alive": True,
        "upgrade": False,
        "expect_continue": False,
        "expect_unknown": False,
    }


def test_section_without_fields():
    assert request(version="HTTP/1.0", host=None)["headers_block"] == ""
    assert parse_response_fields(b"\r\n", "HTTP/1.1").headers_block == ""


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_may_end_in_a_bare_lf(end):
    fields = parse_request_fields(b"Host: a\nX: y\n" + end, "HTTP/1.1")
    assert fields[1:3] == ("Host: a\nX: y\n", "a")


FAULTS = [
    ("asdf", "no colon in header line 'asdf'"),
    ("", "no colon in header line ''"),
    (" X: y", "Line folding is not supported"),
    ("\tX: y", "Line folding is not supported"),
    (": y", "Invalid header name ''"),
    ("X : y", "Invalid header name 'X '"),
    ("X\t: y", "Invalid header name"),
    ("X\x00: y", "Invalid header name"),
    ("X\xe9: y", "Invalid header name"),
    ("X(: y", "Invalid header name"),
    ("X\x0b: y", "Invalid header name"),
    ("X: a\x00b", "Invalid header value"),
    ("X: a\rb", "Invalid header value"),
    ("X: a\r", "Invalid header value"),
    ("X: a\x0bb", "Invalid header value"),
    ("X: a\x1fb", "Invalid header value"),
    ("X: a\x7fb", "Invalid header value"),
]


@pytest.mark.parametrize(("line", "fault"), FAULTS)
def test_invalid_lines_are_rejected(line, fault):
    with pytest.raises(HTTPInputError, match=fault) as caught:
        request("A: b", line, "C: d")
    assert caught.value.status_code == 400
    with pytest.raises(HTTPInputError, match=fault):
        parse_response_fields(block("A: b", line, "C: d"), "HTTP/1.1")


@pytest.mark.parametrize(
    "line", ["X:", "X: ", "X:\t", "X:a:b", "X: \xe9\x80\xff", "X: a\tb", "!#$%&'*+-.^_`|~09: a"]
)
def test_valid_lines_are_accepted(line):
    assert request(line)["headers_block"] == f"Host: a\r\n{line}\r\n"


@pytest.mark.parametrize("data", [b"", b"Host: a", b"Host: a\r", b"Host: a\r\n", b"\r", b"\nHost: a\r\n\r\n"])
def test_incomplete_section_is_rejected(data):
    with pytest.raises(HTTPInputError):
        parse_request_fields(data, "HTTP/1.1")


# Host (RFC 9112 section 3.2)


@pytest.mark.parametrize(
    ("line", "host"), [("Host:a", "a"), ("HOST: \t a:80 ", "a:80"), ("host:", ""), ("hOsT: [::1]", "[::1]")]
)
def test_valid_hosts_are_accepted(line, host):
    assert request(host=line)["host"] == host


def test_host_may_be_omitted_only_in_http_1_0():
    assert request(host=None, version="HTTP/1.0")["host"] is None
    with pytest.raises(HTTPInputError, match="Missing Host header"):
        request(host=None)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["Host: a", "Host: a"], "Multiple Host headers"),
        (["Host: a", "host: b"], "Multiple Host headers"),
        (["Host: foo bar"], "Invalid Host header"),
        (["Host: a:99999"], "Invalid Host header"),
        (["Host: [a]"], "Invalid Host header"),
    ],
)
def test_invalid_hosts_are_rejected(version, lines, fault):
    with pytest.raises(HTTPInputError, match=fault):
        request(*lines, host=None, version=version)


def test_name_that_contains_a_framing_field_name_has_no_effect():
    fields = request("X-Host: b", "Hosts: c", "My-Content-Length: 5", "Content-Length-X: 5", "A: Host: b")
    assert (fields["host"], fields["content_length"]) == ("a", None)


# Content-Length (RFC 9110 section 8.6)


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (["Content-Length: 0"], 0),
        (["content-length:5"], 5),
        (["CONTENT-LENGTH: \t5\t "], 5),
        (["Content-Length: 9223372036854775807"], 2**63 - 1),
    ],
)
def test_content_length_is_parsed(lines, length):
    fields = request(*lines)
    assert (fields["content_length"], fields["has_body"], fields["chunked"]) == (length, length > 0, False)
    assert fields["headers_block"] == "Host: a\r\n" + lines[0] + "\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "X: y", "Content-Length: 5"],
        ["Content-Length: 5,5", "X: y"],
        ["Content-Length: 5 ,\t5", "X: y", "content-length: 5, 5"],
        ["Content-Length: 005", "X: y"],
    ],
)
def test_equal_lengths_are_merged(lines):
    fields = request(*lines)
    assert fields["content_length"] == 5
    assert fields["headers_block"] == "Host: a\r\nX: y\r\nContent-Length: 5\r\n"
    assert parse_response_fields(block(*lines), "HTTP/1.1").headers_block == fields["headers_block"]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["Content-Length: 5", "Content-Length: 6"], "Multiple unequal Content-Lengths: '5, 6'"),
        (["Content-Length: 5, 6"], "Multiple unequal"),
        (["Content-Length: 5, 05"], "Multiple unequal"),
        (["Content-Length: 5,"], "Multiple unequal"),
        (["Content-Length: ,5"], "Multiple unequal"),
        (["Content-Length: 5,\xa05"], "Multiple unequal"),
        (["Content-Length: 5,\x855"], "Multiple unequal"),
        *[
            ([f"Content-Length: {value}"], "Only integer Content-Length is allowed: ")
            for value in (
                "",
                "foo",
                "+1",
                "-1",
                "1_0",
                "0x5",
                "5 5",
                "5.0",
                "1e1",
                "\xb2",
                "\xa05",
                "5\xa0",
                ",",
                "5;",
            )
        ],
    ],
)
def test_invalid_lengths_are_rejected(lines, fault):
    with pytest.raises(HTTPInputError, match=fault) as caught:
        request(*lines)
    assert caught.value.status_code == 400


def test_digits_of_a_length_are_limited():
    assert request("Content-Length: " + "9" * 19)["content_length"] == 10**19 - 1
    for digits in ("9" * 20, "0" + "9" * 20, "1" * 5000):
        with pytest.raises(BodyTooLarge, match=f"Content-Length too long: {len(digits)} digits"):
            request("Content-Length: " + digits)


def test_small_length_with_many_digits_is_malformed_not_too_large():
    assert request("Content-Length: " + "3".zfill(19))["content_length"] == 3
    for digits in ("0" * 20, "3".zfill(20), "3".zfill(5000)):
        with pytest.raises(HTTPInputError, match=f"leading zeros: {len(digits)} digits") as caught:
            request("Content-Length: " + digits)
        assert caught.value.status_code == 400


# Transfer-Encoding (RFC 9112 section 6.1)


@pytest.mark.parametrize("value", ["chunked", "Chunked", " CHUNKED\t"])
def test_chunked_is_recognised(value):
    fields = request(f"Transfer-Encoding: {value}")
    assert (fields["chunked"], fields["has_body"], fields["content_length"]) == (True, True, None)


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["Transfer-Encoding: chunked", "Transfer-encoding: chunked"], "chunked,chunked"),
        (["Transfer-Encoding: chunked, chunked"], "chunked, chunked"),
        (["Transfer-Encoding: gzip, chunked"], "gzip, chunked"),
        (["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], "gzip,chunked"),
        (["Transfer-Encoding: chunked, gzip"], "chunked, gzip"),
        (["Transfer-Encoding: chunked, gzip, chunked"], "chunked, gzip, chunked"),
        (["Transfer-Encoding: a b, chunked"], "a b, chunked"),
        *(([f"Transfer-Encoding: {one}"], one) for one in ("gzip", "identity", "xchunked", "chunked2")),
        (["Transfer-Encoding: chunked,"], "chunked,"),
        (["Transfer-Encoding: ,chunked"], ",chunked"),
        (["Transfer-Encoding:"], ""),
        (["Transfer-Encoding: chunked;a=b"], "chunked;a=b"),
        (['Transfer-Encoding: "chunked"'], '"chunked"'),
        (["Transfer-Encoding: chunked\xa0"], r"chunked\xa0"),
        (["Transfer-Encoding: chun\tked"], r"chun\tked"),
    ],
)
def test_unsupported_transfer_codings_are_rejected(lines, shown):
    with pytest.raises(HTTPInputError) as caught:
        request(*lines)
    assert caught.value.status_code == 400
    assert str(caught.value).startswith(f"Unsupported Transfer-Encoding {shown}:")


@pytest.mark.parametrize("coding", ["chunked", "identity", "gzip"])
def test_transfer_coding_with_a_length_is_rejected(coding):
    with pytest.raises(
        HTTPInputError, match="^Message with both Transfer-Encoding and Content-Length$"
    ) as caught:
        request(f"Transfer-Encoding: {coding}", "Content-Length: 5")
    assert caught.value.status_code == 400


# Connection, Upgrade, Expect


@pytest.mark.parametrize(
    ("version", "lines", "keep_alive"),
    [
        ("HTTP/1.1", [], True),
        ("HTTP/1.1", ["Connection: keep-alive"], True),
        ("HTTP/1.1", ["Connection: close"], False),
        ("HTTP/1.1", ["Connection: CLOSE"], False),
        ("HTTP/1.1", ["connection: keep-alive, Close"], False),
        ("HTTP/1.1", ["Connection: a,\tclose\t,b"], False),
        ("HTTP/1.1", ["Connection: keep-alive", "Connection: close"], False),
        ("HTTP/1.1", ["Connection: close", "Connection: keep-alive"], False),
        ("HTTP/1.1", ["Connection: closed", "X-Connection: close", "Connection: not-close"], True),
        ("HTTP/1.1", ["Connection:"], True),
        ("HTTP/1.0", [], False),
        ("HTTP/1.0", ["Connection: close"], False),
        ("HTTP/1.0", ["Connection: Keep-Alive"], True),
        ("HTTP/1.0", ["Connection: keep-alive, close"], False),
        ("HTTP/1.0", ["Connection: keep-alive", "Content-Length: 5"], True),
        ("HTTP/1.0", ["Connection: keep-alive", "Transfer-Encoding: chunked"], False),
    ],
)
def test_keep_alive_follows_connection_and_version(version, lines, keep_alive):
    assert request(*lines, version=version)["keep_alive"] is keep_alive
    assert parse_response_fields(block(*lines), version).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("version", "lines", "upgrade"),
    [
        ("HTTP/1.1", ["Connection: Upgrade", "Upgrade: websocket"], True),
        ("HTTP/1.1", ["Upgrade: websocket", "Connection: keep-alive, upgrade"], True),
        ("HTTP/1.1", ["Connection: Upgrade"], False),
        ("HTTP/1.1", ["Upgrade: websocket"], False),
        ("HTTP/1.1", ["Upgrade-Insecure-Requests: 1", "Connection: Upgrade"], False),
        ("HTTP/1.0", ["Connection: Upgrade", "Upgrade: websocket"], False),
    ],
)
def test_upgrade_requires_the_connection_option(version, lines, upgrade):
    assert request(*lines, version=version)["upgrade"] is upgrade


@pytest.mark.parametrize(
    ("version", "lines", "waits", "unknown"),
    [
        ("HTTP/1.1", ["Expect: 100-continue", "Content-Length: 5"], True, False),
        ("HTTP/1.1", ["EXPECT: 100-Continue", "Transfer-Encoding: chunked"], True, False),
        ("HTTP/1.1", ["Expect: 100-continue"], False, False),
        ("HTTP/1.1", ["Expect: 100-continue", "Content-Length: 0"], False, False),
        ("HTTP/1.1", ["Expect: 100-continue, x", "Content-Length: 5"], True, True),
        ("HTTP/1.1", ["Expect: 200-ok"], False, True),
        ("HTTP/1.1", ["Expect:"], False, False),
        ("HTTP/1.0", ["Expect: 100-continue", "Content-Length: 5"], False, False),
        ("HTTP/1.0", ["Expect: 200-ok"], False, False),
    ],
)
def test_expectations_are_recognised(version, lines, waits, unknown):
    fields = request(*lines, version=version)
    assert (fields["expect_continue"], fields["expect_unknown"]) == (waits, unknown)


# Limits


def test_number_of_fields_is_limited():
    limits = Limits(max_header_count=5)
    lines = ["X:"] * 4
    assert request(*lines, limits=limits)["headers_block"].count("\n") == 5
    with pytest.raises(HeadTooLarge, match="6 header fields exceed the limit of 5") as caught:
        request(*lines, "Y:", limits=limits)
    assert caught.value.status_code == 431


def test_default_for_keep_alive_depends_on_the_version():
    assert request()["keep_alive"] is True
    assert request(version="HTTP/1.0")["keep_alive"] is False


@given(st.text(st.characters(max_codepoint=255)))
def test_field_line_check_agrees_with_the_grammar(text):
    """The regular expression gives the same result as a direct implementation of the grammar."""
    token = set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    lines = text.split("\n")
    valid = lines.pop() == ""
    for line in lines:
        name, colon, value = line.removesuffix("\r").partition(":")
        valid = valid and bool(name and colon) and set(name) <= token
        valid = valid and all(c == "\t" or (c >= " " and c != "\x7f") for c in value)
    try:
        check_field_lines(text)
    except HTTPInputError:
        assert not valid
    else:
        assert valid
