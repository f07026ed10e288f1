"""The chunked coding: sizes, extensions, data (RFC 9112 section 7.1)."""

from __future__ import annotations

from compliance.http1.case import Case, chunked, closed, echo, get, must, refused, should
from compliance.http1.readings import second_if_late

END = b"0\r\n\r\n"


def size(line: bytes, data: bytes = b"hello\r\n") -> bytes:
    """Return a request whose only chunk has this size line, including its line end."""
    return chunked(line + data + END)


#: Invalid chunk sizes that the number parsers of some languages accept.
_BAD_SIZES = {
    "empty": b"",
    "plus": b"+5",
    "minus": b"-5",
    "minus-zero": b"-0",
    "prefix": b"0x5",
    "prefix-upper-case": b"0X5",
    "suffix": b"5h",
    "underscore": b"0_5",
    "letter-behind": b"5g",
    "letters": b"xyz",
    "dot": b"5.0",
    "exponent-minus": b"5e-1",
    "quoted": b'"5"',
    "comma": b"5,5",
    "space-before": b" 5",
    "tab-before": b"\t5",
    "space-inside": b"0 5",
    "vertical-tab-behind": b"5\v",
    "form-feed-behind": b"5\f",
    "null-behind": b"5\0",
    "null-before": b"\x005",
    "delete-behind": b"5\x7f",
    "no-break-space-behind": b"5\xa0",
    "full-width-digit": b"\xef\xbc\x95",
    "colon": b"5:a",
    "equals": b"5=a",
    "semicolon-first": b";5",
    "percent": b"%35",
}
#: Sizes that overflow 32, 63 or 64 bits: the request is refused, or the server waits for the data until the
#: sending side is closed.
_HUGE = {
    "two-to-the-32-plus-5": b"100000005",
    "two-to-the-63": b"8000000000000000",
    "two-to-the-64-minus-1": b"FFFFFFFFFFFFFFFF",
    "two-to-the-64": b"10000000000000000",
    "two-to-the-64-plus-5": b"10000000000000005",
    "32-digits": b"F" * 32,
    "100-digits": b"F" * 100,
    "all-but-the-last-5": b"FFFFFFFFFFFFFFFB",
}
#: Extensions must be ignored, regardless of their content.
_EXTENSIONS = {
    "name": b"5;a",
    "value": b"5;a=b",
    "quoted": b'5;a="b"',
    "quoted-semicolon": b'5;a="b;c"',
    "quoted-equals": b'5;a="="',
    "quoted-pair": b'5;a="\\""',
    "quoted-empty": b'5;a=""',
    "quoted-high-octets": b'5;a="\xe9"',
    "several": b"5;a;b=c;d",
    "bad-white-space": b"5 ; a = b",
    "tab": b"5\t;\ta",
    "like-a-size": b"5;5",
    "token-characters": b"5;!#$%&'*+-.^_`|~=1",
}
#: Invalid extensions without a line end.
_LOOSE_EXTENSIONS = {
    "empty": b"5;",
    "two-semicolons": b"5;;a",
    "no-name": b"5;=b",
    "no-value": b"5;a=",
    "open-quote": b'5;a="b',
    "braces": b"5;{}",
    "words": b"5;a b",
    "trailing-space": b"5;a ",
}

#: A line end inside an extension, where the line must not end.
_LF = second_if_late(b"a\n")
_QUOTED_LF = second_if_late(b'a="\n', b'"')
_QUOTED_CRLF = second_if_late(b'a="\r\n', b'"')
_CR = second_if_late(b"a\r")
_CR_AND_ANOTHER = second_if_late(b"a\ry")

CASES: list[Case] = [
    must("one", "9112 7.1", size(b"5\r\n"), echo(body=b"hello")),
    must("two", "9112 7.1", chunked(b"2\r\nhe\r\n3\r\nllo\r\n" + END), echo(body=b"hello")),
    must("none", "9112 7.1", chunked(END), echo(body=b"")),
    must(
        "of-one-octet",
        "9112 7.1",
        chunked(b"".join(b"1\r\n%c\r\n" % octet for octet in b"hello") + END),
        echo(body=b"hello"),
    ),
    must("hundred", "9112 7.1", chunked(b"3\r\nabc\r\n" * 100 + END), echo(body=b"abc" * 100)),
    must(
        "of-70000", "9112 7.1", chunked(b"11170\r\n" + b"x" * 70000 + b"\r\n" + END), echo(body=b"x" * 70000)
    ),
    must(
        "hexadecimal-lower-case", "9112 7.1", chunked(b"a\r\n0123456789\r\n" + END), echo(body=b"0123456789")
    ),
    must(
        "hexadecimal-upper-case", "9112 7.1", chunked(b"A\r\n0123456789\r\n" + END), echo(body=b"0123456789")
    ),
    must(
        "hexadecimal-two-digits",
        "9112 7.1",
        chunked(b"1a\r\n" + b"x" * 26 + b"\r\n" + END),
        echo(body=b"x" * 26),
    ),
    must(
        "hexadecimal-letter-e",
        "9112 7.1",
        chunked(b"1e\r\n" + b"x" * 30 + b"\r\n" + END),
        echo(body=b"x" * 30),
    ),
    must("leading-zeros", "9112 7.1", size(b"0005\r\n"), echo(body=b"hello")),
    should("leading-zeros-many", "9112 7.1", size(b"0" * 40 + b"5\r\n"), refused(400), echo(body=b"hello")),
    must("last-of-several-zeros", "9112 7.1", chunked(b"5\r\nhello\r\n000\r\n\r\n"), echo(body=b"hello")),
    must("data-of-line-ends", "9112 7.1", chunked(b"4\r\n\r\n\r\n\r\n" + END), echo(body=b"\r\n\r\n")),
    must("data-like-the-end", "9112 7.1", chunked(b"5\r\n0\r\n\r\n\r\n" + END), echo(body=b"0\r\n\r\n")),
    must(
        "data-like-a-request",
        "9112 7.1",
        chunked(b"%x\r\n%s\r\n" % (len(get()), get()) + END),
        echo(body=get()),
    ),
    must(
        "binary-data",
        "9112 7.1",
        chunked(b"100\r\n" + bytes(range(256)) + b"\r\n" + END),
        echo(body=bytes(range(256))),
    ),
    *(
        should(f"size-{name}", "9112 7.1", size(line + b"\r\n"), refused(400))
        for name, line in _BAD_SIZES.items()
    ),
    *(
        must(
            f"huge-{name}",
            "9112 7.1",
            size(line + b"\r\n"),
            *(refused(400), refused(413)) if len(line) > 16 else (refused(413), refused(400)),
            closed(),
            half_close=True,
        )
        for name, line in _HUGE.items()
    ),
    should("space-behind-size", "9112 7.1", size(b"5 \r\n"), refused(400), echo(body=b"hello")),
    should("tab-behind-size", "9112 7.1", size(b"5\t\r\n"), refused(400), echo(body=b"hello")),
    *(
        must(f"extension-{name}", "9112 7.1.1", size(line + b"\r\n"), echo(body=b"hello"))
        for name, line in _EXTENSIONS.items()
    ),
    *(
        should(f"extension-{name}", "9112 7.1.1", size(line + b"\r\n"), echo(body=b"hello"), refused(400))
        for name, line in _LOOSE_EXTENSIONS.items()
    ),
    must("extension-of-the-last", "9112 7.1.1", chunked(b"5\r\nhello\r\n0;a=b\r\n\r\n"), echo(body=b"hello")),
    must("extension-of-200-octets", "9112 7.1.1", size(b"5;a=" + b"b" * 200 + b"\r\n"), echo(body=b"hello")),
    # Lines end with CR LF; the permission in section 2.2 to accept a single LF applies only to the head.
    should("lf-in-extension", "9112 7.1.1", _LF.data, refused(400)),
    should("lf-in-quoted-extension", "9112 7.1.1", _QUOTED_LF.data, refused(400)),
    should("crlf-in-quoted-extension", "9112 7.1.1", _QUOTED_CRLF.data, _QUOTED_CRLF.early, refused(400)),
    should(
        "crlf-and-end-in-quoted-extension",
        "9112 7.1.1",
        chunked(b'5;a="\r\n0\r\n\r\n"\r\nhello\r\n' + END),
        refused(400),
    ),
    must("cr-in-extension", "9112 2.2", _CR.data, refused(400), _CR.late),
    must(
        "cr-and-a-letter-in-extension", "9112 2.2", _CR_AND_ANOTHER.data, refused(400), _CR_AND_ANOTHER.late
    ),
    should("null-in-extension", "9112 7.1.1", size(b"5;a\0b\r\n"), refused(400)),
    should("control-in-extension", "9112 7.1.1", size(b"5;a=\x01\r\n"), refused(400)),
    should("lf-behind-size", "9112 7.1", size(b"5\n"), refused(400)),
    should("lf-behind-extension", "9112 7.1", size(b"5;a\n"), refused(400)),
    should("cr-behind-size", "9112 2.2", size(b"5\r"), refused(400)),
    should("cr-cr-lf-behind-size", "9112 2.2", size(b"5\r\r\n"), refused(400)),
    should("lf-behind-data", "9112 7.1", chunked(b"5\r\nhello\n" + END), refused(400)),
    should("cr-behind-data", "9112 7.1", chunked(b"5\r\nhello\r" + END), refused(400)),
    should("two-line-ends-behind-data", "9112 7.1", chunked(b"5\r\nhello\r\n\r\n" + END), refused(400)),
    should("nothing-behind-data", "9112 7.1", chunked(b"5\r\nhello" + END), refused(400)),
    should("data-longer", "9112 7.1", chunked(b"5\r\nhello!\r\n" + END), refused(400)),
    should("data-shorter", "9112 7.1", chunked(b"5\r\nhell\r\n" + END), refused(400)),
    should("two-letters-for-a-line-end", "9112 7.1", chunked(b"5\r\nhelloXX" + END), refused(400)),
    should("lf-for-last-size", "9112 7.1", chunked(b"5\r\nhello\r\n0\n\r\n"), refused(400)),
    should(
        "lf-for-last-line",
        "9112 7.1",
        chunked(b"5\r\nhello\r\n0\r\n\n" + b"X: y\r\n\r\n"),
        refused(400),
    ),
    should("no-coding-at-all", "9112 7.1", chunked(b"hello\r\n\r\n"), refused(400)),
    should("line-end-first", "9112 7.1", chunked(b"\r\n5\r\nhello\r\n" + END), refused(400)),
]
