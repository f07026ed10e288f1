"""The Host field: exactly one, with a valid value (RFC 9112 section 3.2, RFC 9110 section 7.2)."""

from __future__ import annotations

from compliance.http1.case import Case, echo, head, last, must, refused, should


def host(*values: str | bytes, version: str = "HTTP/1.1") -> bytes:
    """Return a request with a Host line for each value, between two other fields."""
    lines = [b"Host:" + (value if isinstance(value, bytes) else value.encode("latin-1")) for value in values]
    return head(f"GET /x {version}", "X-A: 1", *lines, "X-B: 2")


_VALID = {
    "name": "a.example",
    "upper-case": "A.EXAMPLE",
    "one-label": "localhost",
    "port": "a.example:8080",
    "port-80": "a.example:80",
    "highest-port": "a.example:65535",
    "trailing-dot": "a.example.",
    "punycode": "xn--bcher-kva.example",
    "digits": "123",
    "hyphens": "a--b.example",
    "underscore": "a_b.example",
    "ipv4": "192.0.2.1",
    "ipv4-port": "192.0.2.1:80",
    "ipv6": "[2001:db8::1]",
    "ipv6-port": "[2001:db8::1]:8080",
    "ipv6-upper-case": "[2001:DB8::A]",
    "ipv6-mapped": "[::ffff:192.0.2.1]",
}
#: Valid by the grammar of reg-name and IP-literal, but not a name in the DNS.
_ODD = {
    "empty-port": "a.example:",
    "port-zero": "a.example:0",
    "port-leading-zeros": "a.example:0080",
    "sub-delims": "a!$&'()*+;=b",
    "tilde": "a~b",
    "escape": "a%41.example",
    "ip-future": "[v1.fe80]",
    "two-dots": "a..example",
    "numbers-like-an-address": "192.0.2.999",
}
#: RFC 9112 section 3.2: any invalid value MUST be refused with 400.
_INVALID: dict[str, str | bytes] = {
    "space-inside": "a b",
    "tab-inside": "a\tb",
    "slash": "a/b",
    "trailing-slash": "a/",
    "backslash": "a\\b",
    "user": "u@a.example",
    "user-and-password": "u:p@a.example",
    "port-of-letters": "a.example:http",
    "port-mixed": "a.example:8o",
    "port-negative": "a.example:-1",
    "port-plus": "a.example:+80",
    "port-hexadecimal": "a.example:0x50",
    "port-underscore": "a.example:8_0",
    "port-space": "a.example: 80",
    "space-before-port": "a.example :80",
    "two-ports": "a.example:80:80",
    "two-colons": "a.example::80",
    "bracket-open": "[::1",
    "bracket-closed": "::1]",
    "bracket-then-text": "[::1]x",
    "bracket-then-dot": "[::1].example",
    "bracket-bad-port": "[::1]:x",
    "bracket-name": "[a.example]",
    "bracket-empty": "[]",
    "bracket-bad-address": "[::g]",
    "bracket-long-address": "[1:2:3:4:5:6:7:8:9]",
    "bracket-two-gaps": "[1::2::3]",
    "ipv6-without-brackets": "2001:db8::1",
    "question-mark": "a?b",
    "fragment": "a#b",
    "scheme": "http://a.example",
    "angle-brackets": "<a>",
    "quotes": '"a"',
    "caret": "a^b",
    "pipe": "a|b",
    "bad-escape": "a%zz",
    "short-escape": "a%",
    "latin-1": "b\xfccher.example",
    "utf-8": "b\u00fccher.example".encode(),
    "null": "a\0b",
    "control": "a\x01b",
    "delete": "a\x7fb",
}

CASES: list[Case] = [
    *(
        must(f"valid-{name}", "9110 7.2", host(f" {value}"), echo(host=value))
        for name, value in _VALID.items()
    ),
    *(
        should(f"odd-{name}", "3986 3.2.2", host(f" {value}"), echo(host=value), refused(400))
        for name, value in _ODD.items()
    ),
    should("odd-port-over-65535", "3986 3.2.3", host(" a.example:65536"), refused(400), echo()),
    should(
        "odd-port-of-many-digits", "3986 3.2.3", host(" a.example:99999999999999999999"), refused(400), echo()
    ),
    should("odd-port-alone", "9110 4.2.1", host(" :80"), refused(400), echo()),
    should("odd-two-names", "3986 3.2.2", host(" a.example,b.example"), refused(400), echo()),
    should("odd-zone", "6874", host(" [fe80::1%25eth0]"), refused(400), echo()),
    *(
        must(
            f"invalid-{name}",
            "9112 3.2",
            host(b" " + (value if isinstance(value, bytes) else value.encode("latin-1"))),
            refused(400),
        )
        for name, value in _INVALID.items()
    ),
    must("invalid-two-names-and-space", "9112 3.2", host(" a.example, b.example"), refused(400)),
    must("missing", "9112 3.2", host(), refused(400)),
    must("two-different", "9112 3.2", host(" a.example", " b.example"), refused(400)),
    must("two-equal", "9112 3.2", host(" a.example", " a.example"), refused(400)),
    must("two-one-empty", "9112 3.2", host(" a.example", ""), refused(400)),
    must("three", "9112 3.2", host(" a.example", " a.example", " a.example"), refused(400)),
    should("empty", "9112 3.2", host(""), echo(), refused(400)),
    must("no-space", "9112 5", host("a.example"), echo(host="a.example")),
    must("white-space-around", "9112 5", host(" \t a.example \t "), echo(host="a.example")),
    must("lower-case-name", "9110 5.1", head("GET /x HTTP/1.1", "host: a.example"), echo(host="a.example")),
    must("upper-case-name", "9110 5.1", head("GET /x HTTP/1.1", "HOST: a.example"), echo(host="a.example")),
    must(
        "mixed-case-twice",
        "9112 3.2",
        head("GET /x HTTP/1.1", "host: a.example", "HOST: b.example"),
        refused(400),
    ),
    must("space-before-colon", "9112 5.1", head("GET /x HTTP/1.1", "Host : a.example"), refused(400)),
    must(
        "folded",
        "9112 5.2",
        head("GET /x HTTP/1.1", "Host:", " a.example"),
        refused(400),
        echo(host="a.example"),
    ),
    must(
        "folded-second-name",
        "9112 5.2",
        head("GET /x HTTP/1.1", "Host: a.example", " b.example"),
        refused(400),
    ),
    must("null-behind-name", "9112 5.1", head("GET /x HTTP/1.1", "Host\0: a.example"), refused(400)),
    must("in-1.0-missing", "9112 3.2", host(version="HTTP/1.0"), last(target="/x")),
    must("in-1.0", "9112 3.2", host(" a.example", version="HTTP/1.0"), last(host="a.example")),
    must("in-1.0-twice", "9112 3.2", host(" a.example", " b.example", version="HTTP/1.0"), refused(400)),
    must("in-1.0-invalid", "9112 3.2", host(" a b", version="HTTP/1.0"), refused(400)),
]
