"""Content-Length: its syntax, and several values (RFC 9110 section 8.6, RFC 9112 section 6.3)."""

from __future__ import annotations

from compliance.http1.case import (
    Case,
    closed,
    code,
    echo,
    get,
    head,
    last,
    must,
    post,
    refused,
    seen,
    should,
    sized,
)

HOST = "Host: a.example"


def length(*values: str | bytes, body: bytes = b"hello") -> bytes:
    """Return a POST request with a Content-Length line for each value, and a body."""
    lines = [
        b"Content-Length:" + (each if isinstance(each, bytes) else each.encode("latin-1")) for each in values
    ]
    return post(*lines, body=body)


#: RFC 9112 section 6.3, rule 5: an invalid value is an unrecoverable error, which requires 400 and a close.
_INVALID: dict[str, str | bytes] = {
    "plus": " +5",
    "minus": " -5",
    "minus-zero": " -0",
    "hexadecimal": " 0x5",
    "octal-prefix": " 0o5",
    "letter": " 5a",
    "letters": " five",
    "underscore": " 0_5",
    "dot": " 5.0",
    "exponent": " 5e0",
    "empty": "",
    "white-space": " \t ",
    "space-inside": " 0 5",
    "quoted": ' "5"',
    "parameter": " 5;a=b",
    "comma-alone": " ,",
    "different-in-a-list": " 5, 6",
    "different-in-a-list-2": " 6,5",
    "equal-but-one-signed": " 5, +5",
    "semicolons": " 5;5",
    "vertical-tab": " \v5",
    "form-feed": " 5\f",
    "escape": " 5\x1b",
    "no-break-space": " \xa05",
    "no-break-space-behind": " 5\xa0",
    "next-line": " 5\x85",
    "no-break-space-utf-8": " 5\xc2\xa0",
    "full-width-digit": " \uff15".encode(),
    "arabic-digit": " \u0665".encode(),
    "superscript-two": " \xb2",
    "superscript-three": " \xb3",
    "superscript-one": " \xb9",
    "micro-sign": " \xb5",
    "percent": " %35",
    "infinity": " inf",
    "not-a-number": " NaN",
    "chunked": " chunked",
}
_EMPTY_MEMBERS = {
    "with-comma-behind": (" 5,",),
    "with-comma-before": (" ,5",),
    "with-empty-members": (" , 5 ,, 5",),
    "with-empty-line-behind": (" 5", ""),
    "with-empty-line-before": ("", " 5"),
}
#: Too large values: the request is refused because of a limit (413), or the server waits for the body, of
#: which it receives five octets.
_HUGE = {
    "two-to-the-63": str(2**63),
    "two-to-the-64": str(2**64),
    "two-to-the-64-plus-5": str(2**64 + 5),
    "two-to-the-32-of-19-digits": "9999999999999999999",
    "20-digits": "9" * 20,
    "100-digits": "9" * 100,
    "5000-digits": "9" * 5000,
}

CASES: list[Case] = [
    must("body", "9112 6.3", sized(b"hello"), echo(body=b"hello")),
    must("zero", "9112 6.3", sized(b""), echo(body=b"")),
    must("no-white-space", "9112 5", length("5"), echo(body=b"hello")),
    must("white-space-around", "9112 5", length(" \t5\t "), echo(body=b"hello")),
    must("leading-zeros", "9110 8.6", length(" 005"), echo(body=b"hello")),
    should(
        "leading-zeros-many",
        "9110 8.6",
        length(" " + "0" * 30 + "5"),
        refused(400),
        refused(413),
        echo(body=b"hello"),
    ),
    must("lower-case-name", "9110 5.1", post("content-length: 5", body=b"hello"), echo(body=b"hello")),
    must("upper-case-name", "9110 5.1", post("CONTENT-LENGTH: 5", body=b"hello"), echo(body=b"hello")),
    must(
        "first-field",
        "9112 6.3",
        head("POST /x HTTP/1.1", "Content-Length: 5", HOST) + b"hello",
        echo(body=b"hello"),
    ),
    must("binary-body", "9112 6.3", sized(bytes(range(256))), echo(body=bytes(range(256)))),
    must("body-of-line-ends", "9112 6.3", sized(b"\r\n\r\n"), echo(body=b"\r\n\r\n")),
    must(
        "body-like-a-request", "9112 6.3", sized(get(target="/smuggled")), echo(body=get(target="/smuggled"))
    ),
    must(
        "body-like-chunks",
        "9112 6.3",
        sized(b"5\r\nhello\r\n0\r\n\r\n"),
        echo(body=b"5\r\nhello\r\n0\r\n\r\n"),
    ),
    must("body-of-70000", "9112 6.3", sized(b"x" * 70000), echo(body=b"x" * 70000)),
    must(
        "get-with-body", "9110 9.3.1", get("Content-Length: 5") + b"hello", echo(method="GET", body=b"hello")
    ),
    must(
        "delete-with-body",
        "9110 9.3.5",
        head("DELETE /x HTTP/1.1", HOST, "Content-Length: 5") + b"hello",
        echo(method="DELETE", body=b"hello"),
    ),
    must("in-1.0", "9112 6.3", sized(b"hello", version="HTTP/1.0"), last(body=b"hello")),
    must(
        "in-1.0-kept-alive",
        "9112 9.3",
        sized(b"hello", "Connection: keep-alive", version="HTTP/1.0"),
        echo(body=b"hello"),
        last(body=b"hello"),
    ),
    *(must(f"invalid-{name}", "9112 6.3", length(value), refused(400)) for name, value in _INVALID.items()),
    *(
        must(
            f"huge-{name}",
            "9110 8.6",
            length(f" {value}"),
            refused(413),
            refused(400),
            closed(),
            half_close=True,
        )
        for name, value in _HUGE.items()
    ),
    # Rule 5 makes an exception for a list of equal values; a recipient that parses a list ignores empty
    # members.
    *(
        must(f"list-{name}", "9110 5.6.1.2", length(*values), refused(400), echo(body=b"hello"))
        for name, values in _EMPTY_MEMBERS.items()
    ),
    # NUL is refused or replaced by a space, which is then whitespace around the value.
    *(
        must(f"invalid-{name}", "9110 5.5", length(value), refused(400), echo(body=b"hello"))
        for name, value in {"null": " 5\0", "null-before": " \x005"}.items()
    ),
    must("twice-equal", "9110 8.6", length(" 5", " 5"), echo(body=b"hello"), refused(400)),
    must("equal-in-a-list", "9110 8.6", length(" 5, 5"), echo(body=b"hello"), refused(400)),
    must("equal-in-a-list-no-space", "9110 8.6", length(" 5,5"), echo(body=b"hello"), refused(400)),
    must("three-equal", "9110 8.6", length(" 5", " 5, 5"), echo(body=b"hello"), refused(400)),
    must("twice-different", "9112 6.3", length(" 5", " 6"), refused(400)),
    must("twice-different-smaller-last", "9112 6.3", length(" 6", " 5"), refused(400)),
    must("twice-one-zero", "9112 6.3", length(" 0", " 5"), refused(400)),
    must("twice-one-invalid", "9112 6.3", length(" 5", " +5"), refused(400)),
    should("twice-leading-zero", "9110 8.6", length(" 5", " 05"), refused(400), echo(body=b"hello")),
    must(
        "twice-in-two-cases",
        "9112 6.3",
        post("content-length: 5", "CONTENT-LENGTH: 6", body=b"hello!"),
        refused(400),
    ),
    must("space-before-colon", "9112 5.1", post("Content-Length : 5", body=b"hello"), refused(400)),
    must("tab-before-colon", "9112 5.1", post("Content-Length\t: 5", body=b"hello"), refused(400)),
    should("null-behind-name", "9110 5.1", post("Content-Length\0: 5", body=b"hello"), refused(400)),
    should(
        "no-break-space-behind-name", "9110 5.1", post("Content-Length\xa0: 5", body=b"hello"), refused(400)
    ),
    must(
        "folded", "9112 5.2", post("Content-Length:", " 5", body=b"hello"), refused(400), echo(body=b"hello")
    ),
    must("folded-second-digit", "9112 5.2", post("Content-Length: 5", " 0", body=b"hello"), refused(400)),
    # Fields with similar names have no effect, so the octets after the head are another request.
    must(
        "underscore-in-name",
        "9110 5.1",
        post("Content_Length: 5", body=b"hello\r\n\r\n"),
        closed(seen(body=b""), code(400)),
    ),
    must(
        "no-hyphen-in-name",
        "9110 5.1",
        post("ContentLength: 5", body=b"hello\r\n\r\n"),
        closed(seen(body=b""), code(400)),
    ),
    must(
        "x-content-length",
        "9110 5.1",
        post("X-Content-Length: 5", body=b"hello\r\n\r\n"),
        closed(seen(body=b""), code(400)),
    ),
    must(
        "more-than-announced",
        "9112 6.3",
        length(" 5", body=b"hello!\r\n\r\n"),
        closed(seen(body=b"hello"), code(400)),
    ),
]
