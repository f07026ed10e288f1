"""The trailer section (RFC 9112 section 7.1.2, RFC 9110 section 6.5)."""

from __future__ import annotations

from typing import Any

from compliance.http1.case import Case, chunked, echo, get, must, opened, refused, seen, should


def trailing(*lines: str | bytes, fields: tuple[str, ...] = ()) -> bytes:
    """Return a chunked request with these trailer lines."""
    text = b"".join((each if isinstance(each, bytes) else each.encode("latin-1")) + b"\r\n" for each in lines)
    return chunked(b"5\r\nhello\r\n0\r\n" + text + b"\r\n", *fields)


_BAD = {
    "no-colon": "X-T",
    "empty-name": ": 1",
    "space-in-name": "X T: 1",
    "slash-in-name": "X/T: 1",
    "null-in-name": "X\0T: 1",
    "null-in-value": "X-T: \0",
    "control-in-value": "X-T: \x01",
    "carriage-return-in-value": "X-T: 1\r2",
    "space-before-first": " X-T: 1",
}
#: RFC 9110 section 6.5.1: fields for framing, routing, authentication etc. must not be accepted in trailers.
_FORBIDDEN = {
    "content-length": "Content-Length: 50",
    "transfer-encoding": "Transfer-Encoding: gzip",
    "host": "Host: b.example",
    "authorization": "Authorization: Basic YTpi",
    "cookie": "Cookie: a=b",
    "content-type": "Content-Type: text/evil",
    "content-encoding": "Content-Encoding: gzip",
    "connection": "Connection: close",
    "expect": "Expect: 100-continue",
    "x-forwarded-for": "X-Forwarded-For: 192.0.2.1",
}

#: Values of the same fields in the head, which must not change.
_KEPT: dict[str, dict[str, Any]] = {
    "host": {"fields": {"host": ["a.example"]}},
    "transfer-encoding": {"fields": {"transfer-encoding": ["chunked"]}},
}

CASES: list[Case] = [
    must("three", "9112 7.1.2", trailing("X-T: 1", "X-U: 2", "X-T: 3"), echo(body=b"hello")),
    must("announced", "9110 6.6.2", trailing("X-T: 1", fields=("Trailer: X-T",)), echo(body=b"hello")),
    must("announced-and-missing", "9110 6.6.2", trailing(fields=("Trailer: X-T",)), echo(body=b"hello")),
    must("empty-value", "9112 7.1.2", trailing("X-T:"), echo(body=b"hello")),
    must("white-space", "9112 7.1.2", trailing("X-T:\t 1 \t"), echo(body=b"hello")),
    must("latin-1", "9110 5.5", trailing("X-T: caf\xe9"), echo(body=b"hello")),
    must("empty-body", "9112 7.1.2", chunked(b"0\r\nX-T: 1\r\n\r\n"), echo(body=b"")),
    must("kept-apart", "9110 6.5", trailing("X-T: 1"), echo(body=b"hello", absent=["x-t"])),
    must("no-second-value", "9110 6.5", trailing("X-A: 2", fields=("X-A: 1",)), echo(fields={"x-a": ["1"]})),
    *(
        must(
            f"forbidden-{name}",
            "9110 6.5.1",
            trailing(line),
            echo(body=b"hello", host="a.example", **_KEPT.get(name, {"absent": [name]})),
            refused(400),
        )
        for name, line in _FORBIDDEN.items()
    ),
    must(
        "followed-by-a-request",
        "9112 7.1.2",
        trailing("X-T: 1") + get(target="/second"),
        opened(seen(body=b"hello"), seen(target="/second")),
    ),
    must("like-a-request", "9112 7.1.2", trailing("GET: /smuggled HTTP/1.1"), echo(body=b"hello")),
    should("space-before-colon", "9112 5.1", trailing("X-T : 1"), refused(400)),
    *(should(f"bad-{name}", "9112 7.1.2", trailing(line), refused(400)) for name, line in _BAD.items()),
    should("bad-request-line", "9112 7.1.2", trailing("GET /smuggled HTTP/1.1"), refused(400)),
    must("folded", "9112 5.2", trailing("X-T: 1", " 2"), refused(400), echo(body=b"hello")),
    should("lf-behind-trailer", "9112 2.2", chunked(b"0\r\nX-T: 1\n\r\n"), refused(400), echo(body=b"")),
    should(
        "lf-between-trailers",
        "9112 2.2",
        chunked(b"0\r\nX-T: 1\nX-U: 2\r\n\r\n"),
        refused(400),
        echo(body=b""),
    ),
]
