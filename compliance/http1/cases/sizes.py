"""Input without an end, and sizes that every server must support.

RFCs do not require limits, they only define the responses. A quarter of a megabyte is assumed to exceed every
server's limit on a line or a head. The status (RFC 9110 section 15.5 and RFC 6585 section 5) depends on the
part that exceeds the limit.
"""

from __future__ import annotations

from compliance.http1.case import (
    HOST,
    Case,
    chunked,
    closed,
    code,
    echo,
    get,
    head,
    opened,
    refused,
    should,
)

MANY = 250_000

CASES: list[Case] = [
    should(
        "request-line-of-8000",
        "9112 3",
        get(target="/" + "x" * (8000 - len("GET / HTTP/1.1"))),
        echo(target="/" + "x" * (8000 - len("GET / HTTP/1.1"))),
    ),
    should("target-too-long", "9112 3", get(target="/" + "x" * MANY), refused(414), refused(400, 431)),
    should("target-without-end", "9112 3", b"GET /" + b"x" * MANY, refused(414), refused(400, 431)),
    should("method-without-end", "9112 3", b"G" * MANY, refused(414), refused(400, 431, 501)),
    should(
        "version-without-end",
        "9112 3",
        b"GET /x HTTP/1.1" + b"1" * MANY,
        refused(414),
        refused(400, 431, 505),
    ),
    should("value-too-long", "9110 5.4", get(f"X-A: {'x' * MANY}"), refused(431), refused(400, 413)),
    should(
        "value-without-end",
        "9110 5.4",
        head("GET /x HTTP/1.1", HOST)[:-2] + b"X-A: " + b"x" * MANY,
        refused(431),
        refused(400, 413),
    ),
    should(
        "name-without-end",
        "9110 5.4",
        head("GET /x HTTP/1.1", HOST)[:-2] + b"x" * MANY,
        refused(431),
        refused(400, 413),
    ),
    should(
        "host-too-long",
        "9110 5.4",
        head("GET /x HTTP/1.1", f"Host: {'a' * MANY}"),
        refused(431),
        refused(400, 413),
    ),
    should(
        "head-without-end",
        "9110 5.4",
        head("GET /x HTTP/1.1", HOST)[:-2] + b"X-A: 1\r\n" * 20000,
        refused(431),
        refused(400, 413),
    ),
    should(
        "length-without-end",
        "9110 5.4",
        head("POST /x HTTP/1.1", HOST)[:-2] + b"Content-Length: " + b"1" * MANY,
        refused(431),
        refused(400, 413),
    ),
    should("empty-lines-without-end", "9112 2.2", b"\r\n" * 2000, refused(400), opened()),
    should("chunk-size-without-end", "9112 7.1", chunked(b"0" * MANY), refused(400), refused(413, 431)),
    should(
        "chunk-extension-without-end",
        "9112 7.1.1",
        chunked(b"5;" + b"x" * MANY),
        refused(400),
        refused(413, 431),
    ),
    should(
        "chunk-extension-too-long",
        "9112 7.1.1",
        chunked(b"5;" + b"x" * MANY + b"\r\nhello\r\n0\r\n\r\n"),
        refused(400),
        refused(413, 431),
    ),
    should(
        "trailer-without-end",
        "9112 7.1.2",
        chunked(b"0\r\nX-T: " + b"x" * MANY),
        refused(431),
        refused(400, 413),
    ),
    should(
        "trailers-without-end",
        "9112 7.1.2",
        chunked(b"0\r\n" + b"X-T: 1\r\n" * 20000),
        refused(431),
        refused(400, 413),
    ),
    should(
        "tiny-target-huge-query",
        "9112 3",
        get(target="/x?" + "q" * MANY),
        closed(code(414)),
        refused(400, 431),
    ),
]
