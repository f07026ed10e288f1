"""Framing and required fields of responses (RFC 9112 section 6, RFC 9110 section 6.6.1)."""

from __future__ import annotations

from compliance.http1.case import (
    HOST,
    Case,
    closed,
    code,
    get,
    head,
    last,
    must,
    opened,
    seen,
    should,
    sized,
)

#: Fields that a response without content must not have (RFC 9110 section 8.6, RFC 9112 section 6.1).
NO_FRAMING = ("content-length", "transfer-encoding")
SECOND = get(target="/second")
#: The servers that can send a response of unknown length; nginx's configuration cannot.
FLUSHING = ("ours", "tornado", "uvicorn", "uvicorn-h11", "aiohttp")
KEPT = "Connection: keep-alive"


def request(target: str, *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """Return a request without a body."""
    return head(f"{method} {target} {version}", HOST, *fields)


NO_CONTENT = code(204, lacks=NO_FRAMING)
NOT_MODIFIED = code(304)
GOES_ON = seen(target="/second")

CASES: list[Case] = [
    must("204", "9110 8.6", request("/status/204") + SECOND, opened(NO_CONTENT, GOES_ON)),
    must(
        "204-to-head", "9110 8.6", request("/status/204", method="HEAD") + SECOND, opened(NO_CONTENT, GOES_ON)
    ),
    must("204-and-close", "9110 8.6", request("/status/204", "Connection: close"), closed(NO_CONTENT)),
    must(
        "204-in-1.0",
        "9110 8.6",
        request("/status/204", KEPT, version="HTTP/1.0") + SECOND,
        opened(NO_CONTENT, GOES_ON),
        closed(NO_CONTENT),
    ),
    must("304", "9112 6.3", request("/status/304") + SECOND, opened(NOT_MODIFIED, GOES_ON)),
    must(
        "304-to-head",
        "9112 6.3",
        request("/status/304", method="HEAD") + SECOND,
        opened(NOT_MODIFIED, GOES_ON),
    ),
    # Responses whose length is unknown when the head is sent.
    must(
        "flushed",
        "9112 6.3",
        request("/flushed") + SECOND,
        opened(seen(target="/flushed"), GOES_ON),
        only=FLUSHING,
    ),
    must(
        "flushed-to-head",
        "9110 9.3.2",
        request("/flushed", method="HEAD") + SECOND,
        opened(code(200, bodiless=True), GOES_ON),
        only=FLUSHING,
    ),
    must(
        "flushed-and-close",
        "9112 9.6",
        request("/flushed", "Connection: close"),
        last(target="/flushed"),
        only=FLUSHING,
    ),
    *(
        must(
            f"flushed-in-1.0{name}",
            "9112 6.1",
            request("/flushed", *fields, version="HTTP/1.0"),
            closed(seen(("transfer-encoding",), target="/flushed")),
            only=FLUSHING,
        )
        for name, fields in {"": (), "-kept-alive": (KEPT,)}.items()
    ),
    # An error response to HEAD has no body either, and the connection may be closed after it. Octets after
    # its head would be parsed as the next response.
    must(
        "404-to-head",
        "9110 9.3.2",
        request("/unread/missing", method="HEAD") + SECOND,
        opened(code(404, bodiless=True), GOES_ON),
        only=("ours", "tornado"),
    ),
    must(
        "417-to-head",
        "9110 9.3.2",
        request("/x", "Expect: the-moon", method="HEAD"),
        closed(code(417, bodiless=True)),
        opened(code(417, bodiless=True)),
        opened(code(200, bodiless=True)),
    ),
    # A server with a clock sends Date with every response, including refusals.
    *(
        must(f"date-of-{name}", "9110 6.6.1", data, outcome)
        for name, data, outcome in (
            ("200", get(), opened(code(200, date=None))),
            ("200-to-a-body", sized(b"hello"), opened(code(200, date=None))),
            ("204", request("/status/204"), opened(code(204, date=None))),
            ("304", request("/status/304"), opened(code(304, date=None))),
            ("403", request("/unread/forbidden"), opened(code(403, date=None))),
            ("400-for-a-line", b"nonsense\r\n\r\n", closed(code(400, date=None))),
            ("400-for-a-host", head("GET /x HTTP/1.1"), closed(code(400, date=None))),
            (
                "400-for-a-length",
                head("POST /x HTTP/1.1", HOST, "Content-Length: x"),
                closed(code(400, date=None)),
            ),
        )
    ),
    should(
        "closing-is-said",
        "9112 9.6",
        head("GET /x HTTP/1.1", HOST, HOST),
        closed(code(400, connection="close")),
    ),
    should(
        "closing-of-a-refused-body-is-said",
        "9112 9.6",
        head("POST /x HTTP/1.1", HOST, "Content-Length: +5") + b"hello",
        closed(code(400, connection="close")),
    ),
]
