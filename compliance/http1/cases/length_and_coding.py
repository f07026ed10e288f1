"""Content-Length and Transfer-Encoding in one request: what smuggling is made of (RFC 9112 section 6.3).

Rule 3: such a request is refused, or read by its Transfer-Encoding alone; in both cases the connection is
closed after the answer. Where the coding is not understood there is nothing to read by: 400 by rule 4, or
501. Each form of the field stands once before and once behind the length, and once with a length that covers
the chunked body and once with one that ends inside it.
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
)

CHUNKED = b"0\r\n\r\n"
SMUGGLED = get(target="/smuggled")

_REFUSED_OR_LAST = (refused(400), last(body=b""))
_REFUSED = (refused(400), refused(501))
#: The lines of a Transfer-Encoding, and what they allow.
_CODINGS: dict[str, tuple[tuple[str, ...], tuple[Outcome, ...]]] = {
    "chunked": (("Transfer-Encoding: chunked",), _REFUSED_OR_LAST),
    "upper-case": (("TRANSFER-ENCODING: CHUNKED",), _REFUSED_OR_LAST),
    "tab": (("Transfer-Encoding:\tchunked",), _REFUSED_OR_LAST),
    "no-space": (("Transfer-Encoding:chunked",), _REFUSED_OR_LAST),
    "space-behind": (("Transfer-Encoding: chunked ",), _REFUSED_OR_LAST),
    "twice": (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), _REFUSED),
    "list": (("Transfer-Encoding: chunked, chunked",), _REFUSED),
    "gzip-chunked": (("Transfer-Encoding: gzip, chunked",), _REFUSED),
    "identity": (("Transfer-Encoding: identity",), _REFUSED),
    "chunked-identity": (("Transfer-Encoding: chunked, identity",), _REFUSED),
    "lines-chunked-identity": (
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        _REFUSED,
    ),
    "lines-identity-chunked": (
        ("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
        _REFUSED,
    ),
    "xchunked": (("Transfer-Encoding: xchunked",), _REFUSED),
    "empty": (("Transfer-Encoding:",), _REFUSED),
    "space-before-colon": (("Transfer-Encoding : chunked",), (refused(400),)),
    "tab-before-colon": (("Transfer-Encoding\t: chunked",), (refused(400),)),
    "vertical-tab": (("Transfer-Encoding:\vchunked",), _REFUSED),
    "null": (("Transfer-Encoding: chunked\0",), _REFUSED),
    "no-break-space": (("Transfer-Encoding: \xa0chunked",), _REFUSED),
    "quoted": (('Transfer-Encoding: "chunked"',), _REFUSED),
    "parameter": (("Transfer-Encoding: chunked;a",), _REFUSED),
    "carriage-return": (("Transfer-Encoding: chunked\r\x20",), (refused(400), last(body=b""))),
    "folded": (("Transfer-Encoding:", " chunked"), _REFUSED_OR_LAST),
    "hidden-by-carriage-return": (("X-A: 1\rTransfer-Encoding: chunked",), (refused(400),)),
}


def _combinations() -> Iterator[Case]:
    for name, (lines, outcomes) in _CODINGS.items():
        folded_first = lines[0].endswith(":") and len(lines) > 1
        for place in ("before", "behind"):
            for kind, body, length in (
                ("covering", CHUNKED + SMUGGLED, len(CHUNKED + SMUGGLED)),
                ("ending-inside", CHUNKED, 3),
            ):
                # A coding that hides in the length's own folded line would be another case.
                fields = (f"Content-Length: {length}",)
                ordered = (*fields, *lines) if place == "before" or folded_first else (*lines, *fields)
                allowed = outcomes
                if kind == "covering" and any(each.answers[0].seen for each in outcomes):
                    # Behind the chunked body comes a request: it must not be answered.
                    allowed = (refused(400), last(body=b""))
                yield must(f"{name}-length-{place}-{kind}", "9112 6.3", post(*ordered, body=body), *allowed)


CASES: list[Case] = [
    *_combinations(),
    must(
        "lengths-equal-and-chunked",
        "9112 6.3",
        post("Content-Length: 5", "Content-Length: 5", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "lengths-different-and-chunked",
        "9112 6.3",
        post("Content-Length: 5", "Content-Length: 6", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "length-invalid-and-chunked",
        "9112 6.3",
        post("Content-Length: x", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "length-zero-and-chunked",
        "9112 6.3",
        post("Content-Length: 0", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    must(
        "get-with-both",
        "9112 6.3",
        get("Content-Length: 5", "Transfer-Encoding: chunked") + CHUNKED,
        *_REFUSED_OR_LAST,
    ),
    must(
        "keep-alive-asked-for",
        "9112 6.3",
        post("Connection: keep-alive", "Content-Length: 5", "Transfer-Encoding: chunked", body=CHUNKED),
        *_REFUSED_OR_LAST,
    ),
    # Names that only look like the one: the length alone counts.
    must(
        "underscore-in-coding",
        "9110 5.1",
        post("Content-Length: 5", "Transfer_Encoding: chunked", body=CHUNKED),
        echo(body=CHUNKED),
    ),
    must(
        "x-transfer-encoding",
        "9110 5.1",
        post("Content-Length: 5", "X-Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=CHUNKED),
    ),
    must("te", "9110 10.1.4", post("Content-Length: 5", "TE: chunked", body=CHUNKED), echo(body=CHUNKED)),
    must(
        "underscore-in-length",
        "9110 5.1",
        post("Content_Length: 50", "Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=b""),
    ),
    must(
        "coding-in-a-value",
        "9112 5",
        post("Content-Length: 5", "X-A: Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=CHUNKED),
    ),
    must(
        "length-in-a-value",
        "9112 5",
        post("X-A: Content-Length: 50", "Transfer-Encoding: chunked", body=CHUNKED),
        echo(body=b""),
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
        opened(seen(body=b""), seen(target="/second")),
    ),
    must(
        "nonsense-behind-chunks",
        "9112 6.3",
        post("Transfer-Encoding: chunked", body=CHUNKED + b"{}\r\n\r\n"),
        closed(seen(body=b""), code(400)),
    ),
]
