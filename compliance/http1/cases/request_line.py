"""The request line: method, target and version, and their separators (RFC 9112 section 3)."""

from __future__ import annotations

from compliance.http1.case import (
    HOST,
    Case,
    closed,
    code,
    echo,
    either,
    head,
    must,
    octets,
    opened,
    refused,
    seen,
    should,
)


def line(text: str | bytes) -> bytes:
    """Return a request with this request line."""
    return head(text, HOST)


#: Section 3 permits splitting the line at any whitespace and stripping its ends; the safer choice is to
#: refuse the request.
_SPACED = {
    "two-spaces-before-target": "GET  /x HTTP/1.1",
    "two-spaces-before-version": "GET /x  HTTP/1.1",
    "tab-before-target": "GET\t/x HTTP/1.1",
    "tab-before-version": "GET /x\tHTTP/1.1",
    "vertical-tab-before-target": "GET\v/x HTTP/1.1",
    "form-feed-before-version": "GET /x\fHTTP/1.1",
    "carriage-return-before-target": "GET\r/x HTTP/1.1",
    "carriage-return-before-version": "GET /x\rHTTP/1.1",
    "space-behind-version": "GET /x HTTP/1.1 ",
    "tab-behind-version": "GET /x HTTP/1.1\t",
    "space-before-method": " GET /x HTTP/1.1",
    "tab-before-method": "\tGET /x HTTP/1.1",
}
#: A method is a token, which cannot contain these (RFC 9110 sections 5.6.2 and 9.1).
_NO_TOKEN = {
    "parenthesis": "G(T",
    "slash": "G/T",
    "colon": "G:T",
    "at": "G@T",
    "quote": 'G"T',
    "brace": "G{T",
    "comma": "G,T",
    "null": "G\0T",
    "delete": "G\x7fT",
    "latin-1": "G\xcbT",
}
#: Malformed HTTP versions, and versions that are not HTTP/1 (RFC 9112 section 2.3).
_NO_VERSION: dict[str, str | bytes] = {
    "lower-case": "http/1.1",
    "mixed-case": "Http/1.1",
    "no-dot": "HTTP/11",
    "no-minor": "HTTP/1.",
    "no-major": "HTTP/.1",
    "only-major": "HTTP/1",
    "two-digit-minor": "HTTP/1.10",
    "leading-zero": "HTTP/01.1",
    "plus": "HTTP/+1.1",
    "comma": "HTTP/1,1",
    "space-inside": "HTTP/1. 1",
    "space-before-slash": "HTTP /1.1",
    "another-name": "HTTPS/1.1",
    "icy": "ICY/1.1",
    "letters": "HTTP/a.b",
    "trailing-letter": "HTTP/1.1x",
    "three-numbers": "HTTP/1.1.1",
    "null-behind": "HTTP/1.1\0",
    "full-width-digit": b"HTTP/1.\xef\xbc\x91",
    "empty": "",
}

NOT_ALLOWED = opened(code(405))

CASES: list[Case] = [
    must("plain", "9112 3", line("GET /x HTTP/1.1"), echo(method="GET", target="/x", version="HTTP/1.1")),
    should(
        "method-of-all-token-characters",
        "9110 9.1",
        line("!#$%&'*+-.^_`|~09AZaz /x HTTP/1.1"),
        either(code(405, 501)),
        echo(method="!#$%&'*+-.^_`|~09AZaz"),
        refused(400),
        ours=NOT_ALLOWED,
    ),
    should(
        "unknown-method",
        "9110 9.1",
        line("FETCH /x HTTP/1.1"),
        either(code(405, 501)),
        echo(method="FETCH"),
        ours=NOT_ALLOWED,
    ),
    must(
        "lower-case-method",
        "9110 9.1",
        line("get /x HTTP/1.1"),
        either(code(405, 501)),
        echo(method="get"),
        refused(400),
        ours=NOT_ALLOWED,
    ),
    must(
        "mixed-case-method",
        "9110 9.1",
        line("Get /x HTTP/1.1"),
        either(code(405, 501)),
        echo(method="Get"),
        refused(400),
        ours=NOT_ALLOWED,
    ),
    should(
        "method-of-1000-letters",
        "9112 3",
        line(f"{'M' * 1000} /x HTTP/1.1"),
        either(code(405, 501)),
        refused(400),
        echo(method="M" * 1000),
        ours=NOT_ALLOWED,
    ),
    *(
        should(f"method-with-{name}", "9110 9.1", line(f"{method} /x HTTP/1.1"), refused(400))
        for name, method in _NO_TOKEN.items()
    ),
    *(
        should(name, "9112 3", line(text), refused(400), echo(method="GET", target="/x", version="HTTP/1.1"))
        for name, text in _SPACED.items()
    ),
    should("no-method", "9112 3", line("/x HTTP/1.1"), refused(400)),
    should("no-target", "9112 3", line("GET HTTP/1.1"), refused(400)),
    should("empty-target", "9112 3.2", line("GET  HTTP/1.1"), refused(400)),
    should("method-alone", "9112 3", line("GET"), refused(400)),
    should(
        "space-in-target",
        "9112 3.2",
        line("GET /a b HTTP/1.1"),
        refused(400),
        closed(code(301)),
        either(code(301)),
    ),
    should("four-words", "9112 3", line("GET /x HTTP/1.1 HTTP/1.1"), refused(400)),
    should("version-twice", "9112 3", line("GET /x HTTP/1.0 HTTP/1.1"), refused(400)),
    should("null-in-target", "9112 3.2", line("GET /a\0b HTTP/1.1"), refused(400)),
    should("control-in-target", "9112 3.2", line("GET /a\x01b HTTP/1.1"), refused(400)),
    should("escape-in-target", "9112 3.2", line("GET /a\x1bb HTTP/1.1"), refused(400)),
    should("delete-in-target", "9112 3.2", line("GET /a\x7fb HTTP/1.1"), refused(400)),
    must("carriage-return-in-target", "9112 2.2", line("GET /a\rb HTTP/1.1"), refused(400)),
    should("comma-for-space", "9112 3", line("GET,/x,HTTP/1.1"), refused(400)),
    should("no-break-space", "9112 3", line("GET\xa0/x HTTP/1.1"), refused(400)),
    *(
        should(
            f"version-{name}",
            "9112 2.3",
            line(b"GET /x " + octets(text)),
            refused(400, 505),
            ours=refused(400),
        )
        for name, text in _NO_VERSION.items()
    ),
    should("no-version-and-fields", "9112 3", line("GET /x"), refused(400)),
    should("version-2.0", "9110 15.6.6", line("GET /x HTTP/2.0"), refused(505), refused(400)),
    should("version-3.0", "9110 15.6.6", line("GET /x HTTP/3.0"), refused(505), refused(400)),
    should("version-0.9", "9110 15.6.6", line("GET /x HTTP/0.9"), refused(505), refused(400)),
    should("version-9.9", "9110 15.6.6", line("GET /x HTTP/9.9"), refused(505), refused(400)),
    # The request is processed as the highest minor version that the recipient supports.
    *(
        should(
            f"version-{version}",
            "9110 2.5",
            line(f"GET /x HTTP/{version}"),
            echo(target="/x"),
            either(seen(target="/x")),
            refused(505, 400),
        )
        for version in ("1.2", "1.9")
    ),
]
