"""Transfer-Encoding in a request without a Content-Length (RFC 9112 sections 6.1, 6.3 and 7)."""

from __future__ import annotations

from compliance.http1.case import Case, closed, code, echo, get, head, last, must, post, refused, seen, should

HOST = "Host: a.example"
BODY = b"5\r\nhello\r\n0\r\n\r\n"


def coded(*values: str | bytes, body: bytes = BODY) -> bytes:
    """Return a POST request with a Transfer-Encoding line for each value, and a chunked body."""
    lines = [
        b"Transfer-Encoding:" + (each if isinstance(each, bytes) else each.encode("latin-1"))
        for each in values
    ]
    return post(*lines, body=body)


#: RFC 9112 section 6.3, rule 4: if chunked is not the final coding, respond with 400 and close. Section 6.1
#: suggests 501 for an unknown coding; the request is refused with both.
_NOT_FINAL: dict[str, str] = {
    "gzip": " gzip",
    "identity": " identity",
    "unknown": " xchunked",
    "unknown-behind": " chunkedx",
    "hyphen": " chunked-x",
    "plural": " chunks",
    "chunked-then-identity": " chunked, identity",
    "chunked-then-gzip": " chunked, gzip",
    "empty": "",
    "white-space": " \t",
    "vertical-tab-before": " \vchunked",
    "vertical-tab-behind": " chunked\v",
    "form-feed-before": " \fchunked",
    "escape": " \x1bchunked",
    "delete": " chunked\x7f",
    "no-break-space": " \xa0chunked",
    "no-break-space-behind": " chunked\xa0",
    "next-line": " chunked\x85",
    "space-inside": " chun ked",
    "two-words": " chunked chunked",
    "semicolon-word": " identity; chunked",
    "double-quoted": ' "chunked"',
    "single-quoted": " 'chunked'",
    "bracketed": " [chunked]",
    "backslash": " \\chunked",
    "colon": " : chunked",
    "equals": " =chunked",
    "percent": " %63hunked",
    "kelvin-sign": " chun\xe2\x84\xaaed",
    "full-width": " \xef\xbd\x83hunked",
}

CASES: list[Case] = [
    must("upper-case", "9112 7", coded(" CHUNKED"), echo(body=b"hello")),
    must("mixed-case", "9112 7", coded(" Chunked"), echo(body=b"hello")),
    must("no-white-space", "9112 5", coded("chunked"), echo(body=b"hello")),
    must("tab-before-value", "9112 5", coded("\tchunked"), echo(body=b"hello")),
    must("white-space-behind", "9112 5", coded(" chunked \t"), echo(body=b"hello")),
    must(
        "name-in-lower-case", "9110 5.1", post("transfer-encoding: chunked", body=BODY), echo(body=b"hello")
    ),
    must(
        "name-in-upper-case", "9110 5.1", post("TRANSFER-ENCODING: chunked", body=BODY), echo(body=b"hello")
    ),
    must("get", "9110 9.3.1", get("Transfer-Encoding: chunked") + BODY, echo(method="GET", body=b"hello")),
    must(
        "before-host",
        "9112 6.1",
        head("POST /x HTTP/1.1", "Transfer-Encoding: chunked", HOST) + BODY,
        echo(body=b"hello"),
    ),
    *(
        must(f"not-final-{name}", "9112 6.3", coded(value), refused(400), refused(501))
        for name, value in _NOT_FINAL.items()
    ),
    # NUL is refused or replaced by a space, which is then whitespace around the value.
    *(
        must(f"not-final-{name}", "9110 5.5", coded(value), refused(400), refused(501), echo(body=b"hello"))
        for name, value in {"null": " chunked\0", "null-before": " \0chunked"}.items()
    ),
    # Chunked is final, but another coding is not understood: the response should be 501; Tornado sends 400.
    should("gzip-then-chunked", "9112 6.1", coded(" gzip, chunked"), refused(400), refused(501)),
    should("deflate-then-chunked", "9112 6.1", coded(" deflate,chunked"), refused(400), refused(501)),
    should("unknown-then-chunked", "9112 6.1", coded(" foo, chunked"), refused(400), refused(501)),
    should("identity-then-chunked", "9112 6.1", coded(" identity, chunked"), refused(400), refused(501)),
    should("two-lines-gzip-then-chunked", "9112 6.1", coded(" gzip", " chunked"), refused(400), refused(501)),
    must("two-lines-chunked-then-gzip", "9112 6.3", coded(" chunked", " gzip"), refused(400), refused(501)),
    must(
        "two-lines-chunked-then-identity",
        "9112 6.3",
        coded(" chunked", " identity"),
        refused(400),
        refused(501),
    ),
    must("two-lines-chunked-then-unknown", "9112 6.3", coded(" chunked", " x"), refused(400), refused(501)),
    # A sender must not apply chunked twice; the RFC does not define how a recipient handles it.
    should("chunked-twice", "9112 6.1", coded(" chunked, chunked"), refused(400), refused(501)),
    should("two-lines-chunked", "9112 6.1", coded(" chunked", " chunked"), refused(400), refused(501)),
    should("chunked-gzip-chunked", "9112 6.1", coded(" chunked, gzip, chunked"), refused(400), refused(501)),
    # Recipients must skip empty list members, but some do not. Waterspout refuses such a list, although this
    # violates the MUST.
    should("comma-behind", "9110 5.6.1", coded(" chunked,"), refused(400), echo(body=b"hello")),
    should("comma-before", "9110 5.6.1", coded(" ,chunked"), refused(400), echo(body=b"hello")),
    should("empty-line-first", "9110 5.6.1", coded("", " chunked"), refused(400), echo(body=b"hello")),
    should("empty-line-last", "9110 5.6.1", coded(" chunked", ""), refused(400), echo(body=b"hello")),
    # The chunked coding has no parameters; their presence should be treated as an error.
    should("parameter", "9112 7.1", coded(" chunked;q=1"), refused(400), refused(501)),
    should("semicolon", "9112 7.1", coded(" chunked;"), refused(400), refused(501)),
    must("space-before-colon", "9112 5.1", post("Transfer-Encoding : chunked", body=BODY), refused(400)),
    must("tab-before-colon", "9112 5.1", post("Transfer-Encoding\t: chunked", body=BODY), refused(400)),
    should("null-behind-name", "9110 5.1", post("Transfer-Encoding\0: chunked", body=BODY), refused(400)),
    should("null-before-name", "9110 5.1", post("\0Transfer-Encoding: chunked", body=BODY), refused(400)),
    should(
        "no-break-space-behind-name",
        "9110 5.1",
        post("Transfer-Encoding\xa0: chunked", body=BODY),
        refused(400),
    ),
    must(
        "folded",
        "9112 5.2",
        post("Transfer-Encoding:", " chunked", body=BODY),
        refused(400),
        echo(body=b"hello"),
    ),
    must(
        "folded-second-word",
        "9112 5.2",
        post("Transfer-Encoding: chunked", " , identity", body=BODY),
        refused(400),
    ),
    must(
        "folded-into-another-field",
        "9112 5.2",
        post("X-A: 1", " Transfer-Encoding: chunked", body=b""),
        refused(400),
        echo(body=b"", absent=["transfer-encoding"]),
    ),
    # Fields with similar names have no effect.
    must(
        "underscore-in-name",
        "9110 5.1",
        post("Transfer_Encoding: chunked", body=b"5\r\n\r\n"),
        closed(seen(body=b""), code(400)),
    ),
    must("te-is-another-field", "9110 10.1.4", get("TE: chunked"), echo(body=b"")),
    must(
        "content-encoding-is-another-field",
        "9110 8.4",
        post("Content-Encoding: chunked", "Content-Length: 5", body=b"hello"),
        echo(body=b"hello"),
    ),
    # HTTP/1.0 has no transfer codings: the framing is faulty, and the connection must close.
    must(
        "in-1.0",
        "9112 6.1",
        head("POST /x HTTP/1.0", HOST, "Transfer-Encoding: chunked") + BODY,
        last(body=b"hello"),
        refused(400),
    ),
    must(
        "in-1.0-kept-alive",
        "9112 6.1",
        head("POST /x HTTP/1.0", HOST, "Connection: keep-alive", "Transfer-Encoding: chunked") + BODY,
        last(body=b"hello"),
        refused(400),
    ),
    must(
        "in-1.0-with-length",
        "9112 6.1",
        head(
            "POST /x HTTP/1.0",
            HOST,
            "Connection: keep-alive",
            "Content-Length: 5",
            "Transfer-Encoding: chunked",
        )
        + BODY,
        refused(400),
        last(body=b"hello"),
    ),
    must(
        "in-1.0-not-final",
        "9112 6.1",
        head("POST /x HTTP/1.0", HOST, "Transfer-Encoding: identity") + BODY,
        refused(400),
        refused(501),
    ),
]
