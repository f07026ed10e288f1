"""Methods with special framing of the response, and unknown methods (RFC 9110 section 9)."""

from __future__ import annotations

from compliance.http1.case import (
    HOST,
    Answer,
    Case,
    closed,
    code,
    echo,
    either,
    get,
    head,
    must,
    opened,
    refused,
    seen,
    should,
)


def method(name: str, *fields: str, body: bytes = b"") -> bytes:
    """Return a request with this method."""
    return head(f"{name} /x HTTP/1.1", HOST, *fields) + body


HEADED = code(200, bodiless=True)
_ALLOW = Answer(frozenset({405}), says={"allow": None})
_NOT_ALLOWED = (opened(_ALLOW), closed(_ALLOW), either(code(501)))

CASES: list[Case] = [
    must("head-has-no-body", "9110 9.3.2", method("HEAD"), opened(HEADED)),
    must("head-then-get", "9110 9.3.2", method("HEAD") + get(), opened(HEADED, seen(method="GET"))),
    must("head-and-close", "9110 9.3.2", method("HEAD", "Connection: close"), closed(HEADED)),
    must(
        "head-with-body",
        "9110 9.3.2",
        method("HEAD", "Content-Length: 5", body=b"hello"),
        opened(HEADED),
        closed(HEADED),
    ),
    must("head-three-times", "9110 9.3.2", method("HEAD") * 3, opened(HEADED, HEADED, HEADED)),
    *(
        must(
            f"{name.lower()}-is-understood",
            "9110 9.1",
            method(name),
            echo(method=name, body=b""),
            *(() if name == "OPTIONS" else (closed(code(411)),)),
        )
        for name in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    ),
    *(
        must(
            f"{name.lower()}-with-body",
            "9110 9.3",
            method(name, "Content-Length: 5", body=b"hello"),
            echo(method=name, body=b"hello"),
        )
        for name in ("PUT", "PATCH", "OPTIONS")
    ),
    must("trace", "9110 9.3.8", method("TRACE"), *_NOT_ALLOWED, opened(code(200)), refused(400)),
    must(
        "not-allowed-says-what-is", "9110 15.5.6", method("PROPFIND"), *_NOT_ALLOWED, echo(method="PROPFIND")
    ),
    must(
        "not-allowed-with-body",
        "9112 9.3",
        method("PROPFIND", "Content-Length: 5", body=b"hello"),
        *_NOT_ALLOWED,
        echo(body=b"hello"),
    ),
    must(
        "not-allowed-with-chunks",
        "9112 9.3",
        method("PROPFIND", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        *_NOT_ALLOWED,
        echo(body=b"hello"),
    ),
    should("hyphen", "9110 9.1", method("M-SEARCH"), *_NOT_ALLOWED, echo(method="M-SEARCH")),
    should("pri", "9113 3.4", method("PRI"), *_NOT_ALLOWED, echo(method="PRI"), refused(400)),
]
