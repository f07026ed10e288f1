"""Waterspout's limits in `tornado._wire.limits` and its body limits: each is reached, and exceeded by one."""

from __future__ import annotations

from compliance.http1.apps.echo import MAX_BODY
from compliance.http1.case import (
    ANSWER,
    HOST,
    Case,
    Outcome,
    Part,
    chunked,
    closed,
    code,
    echo,
    get,
    head,
    must,
    opened,
    post,
    refused,
    seen,
    sized,
)

OURS = ("ours",)
HEAD = 65536
FIELDS = 1000
CHUNK_LINE = 4096
EXTENSIONS = 16384
TRAILERS = 16384
END = b"0\r\n\r\n"


def limit(name: str, clause: str, data: bytes | tuple[Part, ...], *outcomes: Outcome) -> Case:
    """Return a case about a limit of Waterspout."""
    return must(name, clause, data, *outcomes, only=OURS)


def request_line(size: int) -> bytes:
    """Return a request whose request line has this size, including the line end."""
    return get(target="/" + "x" * (size - len("GET / HTTP/1.1\r\n")))


def head_of(size: int) -> bytes:
    """Return a request whose head has this size."""
    return get("X-A: " + "x" * (size - len(get("X-A: "))))


def fields(count: int) -> bytes:
    """Return a request with this number of fields, including Host."""
    return get(*[f"x{number}:" for number in range(count - 1)])


def size_line(size: int) -> bytes:
    """Return a chunk whose size line has this size, including the line end."""
    return chunked(b"5;" + b"x" * (size - 4) + b"\r\nhello\r\n" + END)


def extensions(size: int) -> bytes:
    """Return a body of a few chunks of one octet whose extensions have this total size."""
    each = 2048
    lines = [each] * (size // each) + [size % each]
    return chunked(b"".join(b"1;" + b"x" * (length - 1) + b"\r\na\r\n" for length in lines if length) + END)


def trailers(size: int) -> bytes:
    """Return a trailer section of this size, including the empty line."""
    return chunked(b"0\r\nX-T: " + b"x" * (size - len("X-T: \r\n\r\n")) + b"\r\n\r\n")


def chunks(size: int) -> bytes:
    """Return a chunked body of this size."""
    half = size // 2
    parts = (half, size - half)
    return chunked(b"".join(b"%x\r\n" % part + b"x" * part + b"\r\n" for part in parts) + END)


CASES: list[Case] = [
    limit("head-at-the-limit", "9110 5.4", head_of(HEAD), echo(target="/x")),
    limit("head-over", "6585 5", head_of(HEAD + 1), refused(431)),
    limit("request-line-near-the-limit", "9112 3", request_line(HEAD - len(HOST) - 4), echo(method="GET")),
    limit("request-line-at-the-limit-makes-a-large-head", "6585 5", request_line(HEAD), refused(431)),
    limit("request-line-over", "9110 15.5.15", request_line(HEAD + 1), refused(414)),
    limit("fields-at-the-limit", "9110 5.4", fields(FIELDS), echo(target="/x")),
    limit("fields-over", "6585 5", fields(FIELDS + 1), refused(431)),
    limit("empty-lines-at-the-limit", "9112 2.2", b"\r\n" * 4 + get(), echo(target="/x")),
    limit("empty-lines-over", "9112 2.2", b"\r\n" * 5 + get(), refused(400)),
    limit(
        "length-of-19-digits",
        "9110 8.6",
        post("Content-Length: 0000000000000000005", body=b"hello"),
        echo(body=b"hello"),
    ),
    limit(
        "length-of-20-digits",
        "9110 8.6",
        post("Content-Length: 00000000000000000005", body=b"hello"),
        refused(400),
    ),
    limit("body-at-the-limit", "9110 15.5.14", sized(b"x" * MAX_BODY), echo(body=b"x" * MAX_BODY)),
    limit("body-over", "9110 15.5.14", sized(b"x" * (MAX_BODY + 1)), refused(413)),
    limit("body-over-announced", "9110 15.5.14", post(f"Content-Length: {MAX_BODY + 1}"), refused(413)),
    limit(
        "body-over-and-100",
        "9110 10.1.1",
        post(f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue"),
        refused(413),
    ),
    limit(
        "body-at-the-limit-and-100",
        "9110 10.1.1",
        (post(f"Content-Length: {MAX_BODY}", "Expect: 100-continue"), ANSWER, b"x" * MAX_BODY),
        opened(code(100), seen(body=b"x" * MAX_BODY)),
    ),
    limit("chunked-body-at-the-limit", "9110 15.5.14", chunks(MAX_BODY), echo(body=b"x" * MAX_BODY)),
    limit("chunked-body-over", "9110 15.5.14", chunks(MAX_BODY + 1), refused(413)),
    limit("chunk-over", "9110 15.5.14", chunked(b"%x\r\n" % (MAX_BODY + 1)), refused(413)),
    limit(
        "chunk-size-of-16-digits",
        "9112 7.1",
        chunked(b"0" * 15 + b"5\r\nhello\r\n" + END),
        echo(body=b"hello"),
    ),
    limit("chunk-size-of-17-digits", "9112 7.1", chunked(b"0" * 16 + b"5\r\nhello\r\n" + END), refused(400)),
    limit("chunk-line-at-the-limit", "9112 7.1.1", size_line(CHUNK_LINE), echo(body=b"hello")),
    limit("chunk-line-over", "9112 7.1.1", size_line(CHUNK_LINE + 1), refused(400)),
    limit("extensions-at-the-limit", "9112 7.1.1", extensions(EXTENSIONS), echo(body=b"a" * 8)),
    limit("extensions-over", "9112 7.1.1", extensions(EXTENSIONS + 1), refused(400)),
    limit("trailers-at-the-limit", "9112 7.1.2", trailers(TRAILERS), echo(body=b"")),
    limit("trailers-over", "6585 5", trailers(TRAILERS + 1), refused(431)),
    limit(
        "trailer-count-at-the-limit",
        "9112 7.1.2",
        chunked(b"0\r\n" + b"X-T: 1\r\n" * 100 + b"\r\n"),
        echo(body=b""),
    ),
    limit("trailer-count-over", "6585 5", chunked(b"0\r\n" + b"X-T: 1\r\n" * 101 + b"\r\n"), refused(431)),
    limit("nothing-behind-a-limit", "9112 9.6", get() + head_of(HEAD + 1) + get(), closed(seen(), code(431))),
    limit(
        "target-over-in-the-second",
        "9112 9.6",
        get() + request_line(HEAD + 1) + get(),
        closed(seen(), code(414)),
    ),
    limit(
        "length-over-in-the-second",
        "9112 9.6",
        get() + head("POST /x HTTP/1.1", HOST, f"Content-Length: {MAX_BODY + 1}"),
        closed(seen(), code(413)),
    ),
]
