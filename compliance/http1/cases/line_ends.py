"""The ends of lines and of the head (RFC 9112 section 2.2)."""

from __future__ import annotations

from compliance.http1.case import Case, closed, echo, must, refused, should

CASES: list[Case] = [
    # A recipient may accept a single LF as the end of the request line or of a field line.
    should(
        "lf-everywhere",
        "9112 2.2",
        b"GET /x HTTP/1.1\nHost: a\nX-A: 1\n\n",
        echo(fields={"x-a": ["1"]}),
        refused(400),
    ),
    should(
        "lf-behind-request-line",
        "9112 2.2",
        b"GET /x HTTP/1.1\nHost: a\r\n\r\n",
        echo(target="/x"),
        refused(400),
    ),
    should(
        "lf-behind-field",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\nHost: a\nX-A: 1\r\n\r\n",
        echo(host="a", fields={"x-a": ["1"]}),
        refused(400),
    ),
    should(
        "lf-for-empty-line", "9112 2.2", b"GET /x HTTP/1.1\r\nHost: a\r\n\n", echo(host="a"), refused(400)
    ),
    should("lf-then-crlf", "9112 2.2", b"GET /x HTTP/1.1\r\nHost: a\n\r\n", echo(host="a"), refused(400)),
    should(
        "lf-before-length",
        "9112 2.2",
        b"POST /x HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\nhello",
        echo(body=b"hello"),
        refused(400),
    ),
    # RFC 9112 section 2.2: a CR without LF makes the element invalid, or is replaced by a space.
    must("cr-everywhere", "9112 2.2", b"GET /x HTTP/1.1\rHost: a\r\r", refused(400)),
    must("cr-behind-request-line", "9112 2.2", b"GET /x HTTP/1.1\rHost: a\r\n\r\n", refused(400)),
    must("cr-behind-field", "9112 2.2", b"GET /x HTTP/1.1\r\nHost: a\rX-A: 1\r\n\r\n", refused(400)),
    must(
        "cr-in-value",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r2\r\n\r\n",
        refused(400),
        echo(fields={"x-a": ["1 2"]}),
    ),
    must(
        "cr-before-value",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-A:\r1\r\n\r\n",
        refused(400),
        echo(fields={"x-a": ["1"]}),
    ),
    must(
        "cr-behind-value",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\r\n\r\n",
        refused(400),
        echo(fields={"x-a": ["1"]}),
    ),
    must("cr-in-name", "9112 2.2", b"GET /x HTTP/1.1\r\nHost: a\r\nX\r-A: 1\r\n\r\n", refused(400)),
    must(
        "cr-hides-length",
        "9112 2.2",
        b"POST /x HTTP/1.1\r\nHost: a\r\nX-A: 1\rContent-Length: 5\r\n\r\n",
        refused(400),
        echo(body=b"", fields={"x-a": ["1 Content-Length: 5"]}),
    ),
    must(
        "cr-cr-lf-behind-request-line",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\r\nHost: a\r\n\r\n",
        refused(400),
        echo(target="/x"),
    ),
    must("cr-cr-lf-for-empty-line", "9112 2.2", b"GET /x HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", refused(400)),
    must(
        "cr-before-method",
        "9112 2.2",
        b"\rGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        refused(400),
        echo(target="/x"),
    ),
    # Characters that end a line in some programming languages do not end one here.
    *(
        should(
            f"{name}-is-no-line-end",
            "9110 5.5",
            b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: 1" + octet + b"X-B: 2\r\n\r\n",
            refused(400),
            echo(absent=["x-b"]),
        )
        for name, octet in {"vertical-tab": b"\v", "form-feed": b"\f", "file-separator": b"\x1c"}.items()
    ),
    *(
        should(
            f"{name}-is-no-line-end",
            "9110 5.5",
            b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: 1" + octets + b"X-B: 2\r\n\r\n",
            echo(absent=["x-b"]),
            refused(400),
        )
        for name, octets in {"next-line": b"\x85", "line-separator": b"\xe2\x80\xa8"}.items()
    ),
    # Empty lines before a request line: at least one should be ignored.
    should("empty-line-first", "9112 2.2", b"\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", echo(target="/x")),
    should(
        "two-empty-lines-first",
        "9112 2.2",
        b"\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        echo(target="/x"),
        refused(400),
    ),
    should(
        "empty-lf-first", "9112 2.2", b"\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", echo(target="/x"), refused(400)
    ),
    should("space-line-first", "9112 2.2", b" \r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", refused(400)),
    # Whitespace between the request line and the first field: reject, or skip these lines.
    must(
        "space-before-first-field",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n",
        refused(400),
        echo(host="a"),
    ),
    must(
        "tab-before-first-field",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\n\tX-A: 1\r\nHost: a\r\n\r\n",
        refused(400),
        echo(absent=["x-a"]),
    ),
    must("space-before-only-host", "9112 2.2", b"GET /x HTTP/1.1\r\n Host: a\r\n\r\n", refused(400)),
    must(
        "space-before-length",
        "9112 2.2",
        b"POST /x HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\n",
        refused(400),
        echo(body=b""),
    ),
    must(
        "space-before-coding",
        "9112 2.2",
        b"POST /x HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: a\r\n\r\n",
        refused(400),
        echo(body=b""),
    ),
    must(
        "white-line-before-fields",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\n \r\nHost: a\r\n\r\n",
        refused(400),
        echo(host="a"),
    ),
    must(
        "white-line-for-empty-line",
        "9112 2.2",
        b"GET /x HTTP/1.1\r\nHost: a\r\n \r\nX-A: 1\r\n\r\n",
        refused(400),
        echo(host="a", fields={"x-a": ["1"]}),
    ),
    should("no-fields-but-host-in-body", "9112 3.2", b"GET /x HTTP/1.1\r\n\r\nHost: a\r\n\r\n", refused(400)),
    should("request-line-alone", "9112 3", b"GET /x\r\n", refused(400), closed()),
    should("request-line-alone-lf", "9112 3", b"GET /x\n", refused(400), closed()),
]
