"""A half-close by the client, after a complete request or inside a request (RFC 9112 section 9.6)."""

from __future__ import annotations

from compliance.http1.case import (
    ANSWER,
    Case,
    Outcome,
    chunked,
    closed,
    code,
    get,
    must,
    post,
    refused,
    seen,
    should,
    sized,
)

#: Section 8: the server MAY respond to an incomplete request before it closes.
_UNSERVED: tuple[Outcome, ...] = (closed(), refused(400, 408))

_CUT = {
    "method": b"GE",
    "request-line": b"GET /x HTTP/1.1",
    "request-line-and-cr": b"GET /x HTTP/1.1\r",
    "behind-request-line": b"GET /x HTTP/1.1\r\n",
    "field-name": b"GET /x HTTP/1.1\r\nHost",
    "field-value": b"GET /x HTTP/1.1\r\nHost: a",
    "behind-field": b"GET /x HTTP/1.1\r\nHost: a\r\n",
    "empty-line-and-cr": b"GET /x HTTP/1.1\r\nHost: a\r\n\r",
    "before-a-body": post("Content-Length: 5"),
    "body": post("Content-Length: 5", body=b"hell"),
    "large-body": post("Content-Length: 90000", body=b"x" * 80000),
    "before-chunks": chunked(b""),
    "chunk-size": chunked(b"5"),
    "chunk-size-and-cr": chunked(b"5\r"),
    "chunk-data": chunked(b"5\r\nhel"),
    "behind-chunk-data": chunked(b"5\r\nhello"),
    "between-chunks": chunked(b"5\r\nhello\r\n"),
    "last-chunk": chunked(b"5\r\nhello\r\n0"),
    "before-last-line": chunked(b"5\r\nhello\r\n0\r\n"),
    "last-line-and-cr": chunked(b"5\r\nhello\r\n0\r\n\r"),
    "trailer": chunked(b"5\r\nhello\r\n0\r\nX-T: 1\r\n"),
}

CASES: list[Case] = [
    must("nothing-sent", "9112 9.5", b"", closed(), half_close=True),
    should("empty-line-sent", "9112 2.2", b"\r\n", *_UNSERVED, half_close=True),
    *(must(f"in-{name}", "9112 8", data, *_UNSERVED, half_close=True) for name, data in _CUT.items()),
    *(
        must(
            f"second-in-{name}",
            "9112 8",
            get() + data,
            closed(seen()),
            closed(seen(), code(400, 408)),
            half_close=True,
        )
        for name, data in _CUT.items()
        if name in ("request-line", "body", "chunk-data")
    ),
    should("behind-a-request", "9112 9.6", get(), closed(seen(target="/x")), half_close=True),
    should("behind-a-body", "9112 9.6", sized(b"hello"), closed(seen(body=b"hello")), half_close=True),
    should(
        "behind-chunks",
        "9112 9.6",
        chunked(b"5\r\nhello\r\n0\r\n\r\n"),
        closed(seen(body=b"hello")),
        half_close=True,
    ),
    should("behind-ten-requests", "9112 9.6", get() * 10, closed(*[seen(target="/x")] * 10), half_close=True),
    should("behind-close", "9112 9.6", get("Connection: close"), closed(seen(target="/x")), half_close=True),
    should("behind-1.0", "9112 9.6", get(version="HTTP/1.0"), closed(seen(target="/x")), half_close=True),
    should("behind-a-bad-request", "9112 9.6", b"nonsense\r\n\r\n", refused(400), half_close=True),
    must(
        "behind-100",
        "9112 8",
        (post("Content-Length: 5", "Expect: 100-continue"), ANSWER, b"he"),
        closed(code(100)),
        closed(code(100), code(400, 408)),
        half_close=True,
    ),
]
