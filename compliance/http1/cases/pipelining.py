"""Pipelined requests, and requests after a malformed one (RFC 9112 section 9.3.2)."""

from __future__ import annotations

from compliance.http1.case import (
    Case,
    chunked,
    closed,
    code,
    get,
    head,
    must,
    opened,
    post,
    refused,
    seen,
    should,
    sized,
)

CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
HEAD = head("HEAD /x HTTP/1.1", "Host: a.example")


def numbered(count: int) -> bytes:
    """Return `count` GET requests."""
    return b"".join(get(target=f"/{number}") for number in range(count))


#: Malformed requests, each sent after two valid ones. No request after a malformed one may get a response.
_FAULTS = {
    "request-line": b"nonsense\r\n\r\n",
    "version": b"GET /x HTTP/2.0\r\nHost: a\r\n\r\n",
    "no-host": b"GET /x HTTP/1.1\r\n\r\n",
    "two-hosts": get("Host: b"),
    "field-line": get("no colon"),
    "space-before-colon": get("X-A : 1"),
    "folded": get("X-A:", " 1"),
    "null": get("X-A: \0"),
    "length": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "lengths": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "coding": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n" + CHUNKS,
    "length-and-bad-coding": post("Content-Length: 5", "Transfer-Encoding: x", body=CHUNKS),
    "chunk-size": chunked(b"x\r\nhello\r\n0\r\n\r\n"),
    "chunk-data": chunked(b"5\r\nhello!\r\n0\r\n\r\n"),
    "trailer": chunked(b"0\r\nno colon\r\n\r\n"),
}

CASES: list[Case] = [
    must("two", "9112 9.3.2", numbered(2), opened(*(seen(target=f"/{n}") for n in range(2)))),
    must("ten", "9112 9.3.2", numbered(10), opened(*(seen(target=f"/{n}") for n in range(10)))),
    must("two-hundred", "9112 9.3.2", numbered(200), opened(*(seen(target=f"/{n}") for n in range(200)))),
    must(
        "bodies-of-both-kinds",
        "9112 9.3.2",
        sized(b"one") + chunked(CHUNKS) + get() + sized(b"") + chunked(b"0\r\n\r\n"),
        opened(seen(body=b"one"), seen(body=b"hello"), seen(method="GET"), seen(body=b""), seen(body=b"")),
    ),
    must("ten-bodies", "9112 9.3.2", sized(b"hello") * 10, opened(*[seen(body=b"hello")] * 10)),
    must("ten-chunked-bodies", "9112 9.3.2", chunked(CHUNKS) * 10, opened(*[seen(body=b"hello")] * 10)),
    must(
        "large-body-then-get",
        "9112 9.3.2",
        sized(b"x" * 80000) + get(),
        opened(seen(body=b"x" * 80000), seen(method="GET")),
    ),
    must(
        "head-between", "9112 9.3.2", get() + HEAD + get(), opened(seen(), code(200, bodiless=True), seen())
    ),
    must(
        "head-and-body-between",
        "9112 9.3.2",
        HEAD + sized(b"hello") + HEAD,
        opened(code(200, bodiless=True), seen(body=b"hello"), code(200, bodiless=True)),
    ),
    must("close-in-the-second", "9112 9.6", get() + get("Connection: close") + get(), closed(seen(), seen())),
    must("1.0-in-the-second", "9112 9.3", get() + get(version="HTTP/1.0") + get(), closed(seen(), seen())),
    should("empty-line-between", "9112 2.2", get() + b"\r\n" + get(), opened(seen(), seen())),
    should(
        "empty-line-behind-a-body",
        "9112 2.2",
        sized(b"hello") + b"\r\n" + get(),
        opened(seen(body=b"hello"), seen()),
    ),
    should(
        "empty-line-behind-chunks",
        "9112 2.2",
        chunked(CHUNKS) + b"\r\n" + get(),
        opened(seen(body=b"hello"), seen()),
    ),
    should(
        "space-between", "9112 3", get() + b" " + get(), closed(seen(), code(400)), opened(seen(), seen())
    ),
    must(
        "nonsense-behind-a-body",
        "9112 6.3",
        sized(b"hello") + b"\x00\r\n\r\n",
        closed(seen(body=b"hello"), code(400)),
    ),
    must(
        "unknown-method-between",
        "9112 9.3.2",
        get() + head("PROPFIND /x HTTP/1.1", "Host: a") + get(),
        opened(seen(), code(405, 501), seen()),
        opened(seen(), seen(method="PROPFIND"), seen()),
        closed(seen(), code(405, 501)),
        ours=opened(seen(), code(405), seen()),
    ),
    *(
        (should if name == "trailer" else must)(
            f"nothing-behind-{name}",
            "9112 9.6",
            get() + get() + fault + get(target="/smuggled"),
            closed(seen(), seen(), code(400, 501, 505)),
            ours=closed(seen(), seen(), code(505 if name == "version" else 400)),
        )
        for name, fault in _FAULTS.items()
    ),
    *(
        must(
            f"nothing-behind-{name}-with-body",
            "9112 9.6",
            fault + sized(b"hello") + chunked(CHUNKS),
            closed(code(400, 501, 505)),
            ours=refused(400),
        )
        for name, fault in _FAULTS.items()
        if name in ("request-line", "no-host", "length", "coding")
    ),
]
