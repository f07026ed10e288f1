"""Content-Length and Transfer-Encoding in one request, as in request smuggling (RFC 9112 section 6).

Such a request is refused, or read by its Transfer-Encoding only; in both cases the connection is closed after
the response, which is the MUST of section 6.1. If chunked is not the final coding, rule 4 of section 6.3
requires 400. Each form of the field occurs before and after the length. Each is combined with a length that
covers the chunked body and a request after it, and with a length that ends inside the body.
"""

from __future__ import annotations

from collections.abc import Iterator

from compliance.http1.case import (
    Case,
    Outcome,
    closed,
    code,
    echo,
    get,
    last,
    must,
    opened,
    post,
    refused,
    seen,
    should,
)

CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = get(target="/smuggled")
COVERED = f"Content-Length: {len(CHUNKED)}"
#: The Content-Length and the octets after the head: the length covers the body, or ends inside it.
_KINDS = {"covering": (len(CHUNKED + SMUGGLED), CHUNKED + SMUGGLED), "ending-inside": (3, CHUNKED)}

_REFUSED_OR_LAST = (refused(400), last(body=b"hello"))
_REFUSED = (refused(400), refused(501))
#: Transfer-Encoding lines that mean chunked.
_CHUNKED: dict[str, tuple[str, ...]] = {
    "chunked": ("Transfer-Encoding: chunked",),
    "upper-case": ("TRANSFER-ENCODING: CHUNKED",),
    "tab": ("Transfer-Encoding:\tchunked",),
    "no-space": ("Transfer-Encoding:chunked",),
    "space-behind": ("Transfer-Encoding: chunked ",),
    # Section 2.2 permits replacing a single CR by a space, which is whitespace after the value.
    "carriage-return": ("Transfer-Encoding: chunked\r\x20",),
    "folded": ("Transfer-Encoding:", " chunked"),
}
#: Chunked is not the final coding, or the line is malformed.
_NOT_FINAL: dict[str, tuple[str, ...]] = {
    "identity": ("Transfer-Encoding: identity",),
    "chunked-identity": ("Transfer-Encoding: chunked, identity",),
    "lines-chunked-identity": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "xchunked": ("Transfer-Encoding: xchunked",),
    "empty": ("Transfer-Encoding:",),
    "vertical-tab": ("Transfer-Encoding:\vchunked",),
    "no-break-space": ("Transfer-Encoding: \xa0chunked",),
    "quoted": ('Transfer-Encoding: "chunked"',),
}
#: Chunked is the final coding, but the others are unknown. As in `transfer_encoding`, no MUST applies.
_NOT_UNDERSTOOD: dict[str, tuple[str, ...]] = {
    "twice": ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "list": ("Transfer-Encoding: chunked, chunked",),
    "gzip-chunked": ("Transfer-Encoding: gzip, chunked",),
    "lines-identity-chunked": ("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
    "parameter": ("Transfer-Encoding: chunked;a",),
}
_SPACE_BEFORE_COLON: dict[str, tuple[str, ...]] = {
    "space-before-colon": ("Transfer-Encoding : chunked",),
    "tab-before-colon": ("Transfer-Encoding\t: chunked",),
}
#: NUL is refused, or becomes a space after the value.
_NULL: dict[str, tuple[str, ...]] = {"null": ("Transfer-Encoding: chunked\0",)}


def _both(lines: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield requests with these lines and a Content-Length, each with a suffix for its case's name."""
    for kind, (length, body) in _KINDS.items():
        field = f"Content-Length: {length}"
        yield f"length-before-{kind}", post(field, *lines, body=body)
        yield f"length-behind-{kind}", post(*lines, field, body=body)


def _combinations() -> Iterator[Case]:
    tables: tuple[tuple[dict[str, tuple[str, ...]], str, tuple[Outcome, ...]], ...] = (
        (_CHUNKED, "9112 6.1", _REFUSED_OR_LAST),
        (_NOT_FINAL, "9112 6.3", _REFUSED),
        (_NOT_UNDERSTOOD, "9112 6.1", _REFUSED),
        (_SPACE_BEFORE_COLON, "9112 5.1", (refused(400),)),
        (_NULL, "9110 5.5", (*_REFUSED, last(body=b"hello"))),
    )
    for table, clause, outcomes in tables:
        word = should if table is _NOT_UNDERSTOOD else must
        for name, lines in table.items():
            for which, data in _both(lines):
                yield word(f"{name}-{which}", clause, data, *outcomes)


def _hidden_by_carriage_return() -> Iterator[Case]:
    """If the CR is replaced by a space, the coding is part of another field's value, so only the length
    applies.
    """
    for which, data in _both(("X-A: 1\rTransfer-Encoding: chunked",)):
        length, body = _KINDS["covering" if which.endswith("covering") else "ending-inside"]
        by_length = echo(body=body) if length == len(body) else closed(seen(body=body[:length]), code(400))
        yield must(f"hidden-by-carriage-return-{which}", "9112 2.2", data, refused(400), by_length)


CASES: list[Case] = [
    *_combinations(),
    *_hidden_by_carriage_return(),
    must(
        "lengths-equal-and-chunked",
        "9112 6.1",
        post("Content-Length: 5", "Content-Length: 5", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "lengths-different-and-chunked",
        "9112 6.1",
        post("Content-Length: 5", "Content-Length: 6", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "length-invalid-and-chunked",
        "9112 6.1",
        post("Content-Length: x", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "length-zero-and-chunked",
        "9112 6.1",
        post("Content-Length: 0", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "get-with-both",
        "9112 6.1",
        get("Content-Length: 5", "Transfer-Encoding: chunked") + CHUNKED,
        *_REFUSED_OR_LAST,
    ),
    must(
        "keep-alive-asked-for",
        "9112 6.1",
        post("Connection: keep-alive", "Content-Length: 5", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    # Fields with similar names have no effect, so only the length applies.
    must(
        "underscore-in-coding",
        "9110 5.1",
        post(COVERED, "Transfer_Encoding: chunked", body=CHUNKED),
        echo(body=CHUNKED),
    ),
    must(
        "x-transfer-encoding",
        "9110 5.1",
        post(COVERED, "X-Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=CHUNKED),
    ),
    must("te", "9110 10.1.4", post(COVERED, "TE: chunked", body=CHUNKED), echo(body=CHUNKED)),
    must(
        "underscore-in-length",
        "9110 5.1",
        post("Content_Length: 50", "Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=b"hello"),
    ),
    must(
        "coding-in-a-value",
        "9112 5",
        post(COVERED, "X-A: Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=CHUNKED),
    ),
    must(
        "length-in-a-value",
        "9112 5",
        post("X-A: Content-Length: 50", "Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=b"hello"),
    ),
    must(
        "coding-as-the-body",
        "9112 6.3",
        post("Content-Length: 28", body=b"Transfer-Encoding: chunked\r\n"),
        echo(body=b"Transfer-Encoding: chunked\r\n"),
    ),
    must(
        "smuggled-behind-chunks",
        "9112 6.3",
        post("Transfer-Encoding: chunked", body=CHUNKED + get(target="/second")),
        opened(seen(body=b"hello"), seen(target="/second")),
    ),
    must(
        "nonsense-behind-chunks",
        "9112 6.3",
        post("Transfer-Encoding: chunked", body=CHUNKED + b"{}\r\n\r\n"),
        closed(seen(body=b"hello"), code(400)),
    ),
]
