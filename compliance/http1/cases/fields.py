"""Field lines: names, values, whitespace, folding (RFC 9112 section 5, RFC 9110 section 5)."""

from __future__ import annotations

from compliance.http1.case import Case, echo, get, must, refused, should

#: The visible characters that are not allowed in a token (RFC 9110 section 5.6.2), without the colon.
_NO_TOKEN = '"(),/;<=>?@[\\]{}'
_OTHERS = {
    "null": "\0",
    "control": "\x01",
    "escape": "\x1b",
    "delete": "\x7f",
    "latin-1": "\xe9",
    "space": " ",
    "tab": "\t",
    "vertical-tab": "\v",
}
#: RFC 9110 section 5.5: a recipient MUST reject NUL or replace it by a space.
_CONTROLS = {
    "start-of-heading": "\x01",
    "backspace": "\b",
    "vertical-tab": "\v",
    "form-feed": "\f",
    "escape": "\x1b",
    "unit-separator": "\x1f",
    "delete": "\x7f",
}

CASES: list[Case] = [
    must("plain", "9112 5", get("X-A: 1"), echo(fields={"x-a": ["1"]})),
    must("no-white-space", "9112 5", get("X-A:1"), echo(fields={"x-a": ["1"]})),
    must("tab-before-value", "9112 5", get("X-A:\t1"), echo(fields={"x-a": ["1"]})),
    must("white-space-around-value", "9112 5", get("X-A: \t  1 2 \t "), echo(fields={"x-a": ["1 2"]})),
    must("tab-inside-value", "9110 5.5", get("X-A: 1\t2"), echo(fields={"x-a": ["1\t2"]})),
    must("empty-value", "9110 5.5", get("X-A:"), echo(fields={"x-a": [""]})),
    must("white-space-for-value", "9112 5", get("X-A: \t "), echo(fields={"x-a": [""]})),
    must("colons-in-value", "9112 5", get("X-A: a:b: c"), echo(fields={"x-a": ["a:b: c"]})),
    must("colon-for-value", "9112 5", get("X-A::"), echo(fields={"x-a": [":"]})),
    must(
        "visible-characters",
        "9110 5.5",
        get("X-A: !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        echo(fields={"x-a": ["!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]}),
    ),
    should("latin-1-value", "9110 5.5", get("X-A: caf\xe9"), echo(fields={"x-a": ["caf\xe9"]})),
    should("utf-8-value", "9110 5.5", get("X-A: caf\xc3\xa9"), echo(fields={"x-a": ["caf\xc3\xa9"]})),
    should(
        "high-octets-at-the-ends",
        "9110 5.5",
        get("X-A: \xa0\x85x\xa0"),
        echo(fields={"x-a": ["\xa0\x85x\xa0"]}),
    ),
    must(
        "name-of-all-token-characters",
        "9110 5.1",
        get("!#$%&'*+-.^_`|~09az: 1"),
        echo(fields={"!#$%&'*+-.^_`|~09az": ["1"]}),
    ),
    must(
        "names-in-any-case",
        "9110 5.1",
        get("x-a: 1", "X-A: 2", "X-a: 3"),
        echo(fields={"x-a": ["1", "2", "3"]}),
    ),
    must(
        "order-of-equal-names",
        "9110 5.3",
        get("X-A: 1", "X-B: 2", "X-A: 3"),
        echo(fields={"x-a": ["1", "3"], "x-b": ["2"]}),
    ),
    should("underscore-is-another-name", "9110 5.1", get("X-A: 1", "X_A: 2"), echo(fields={"x-a": ["1"]})),
    should("name-of-200-octets", "9110 5.1", get(f"{'n' * 200}: 1"), echo(fields={"n" * 200: ["1"]})),
    should("value-of-4000-octets", "9110 5.4", get(f"X-A: {'v' * 4000}"), echo(fields={"x-a": ["v" * 4000]})),
    should(
        "fifty-fields",
        "9110 5.4",
        get(*(f"X-{n}: {n}" for n in range(50))),
        echo(fields={"x-0": ["0"], "x-49": ["49"]}),
    ),
    must("space-before-colon", "9112 5.1", get("X-A : 1"), refused(400)),
    must("tab-before-colon", "9112 5.1", get("X-A\t: 1"), refused(400)),
    should("no-colon", "9112 5", get("X-A"), refused(400)),
    should("no-colon-but-text", "9112 5", get("X-A 1"), refused(400)),
    should("empty-name", "9112 5", get(": 1"), refused(400)),
    should("colon-alone", "9112 5", get(":"), refused(400)),
    *(
        should(f"name-with-{ord(octet):02x}", "9110 5.1", get(f"X{octet}A: 1"), refused(400))
        for octet in _NO_TOKEN
    ),
    *(
        should(f"name-with-{name}", "9110 5.1", get(f"X{octet}A: 1"), refused(400))
        for name, octet in _OTHERS.items()
    ),
    *(
        should(f"name-begins-with-{name}", "9110 5.1", get("X-B: 2", f"{octet}X-A: 1"), refused(400))
        for name, octet in _OTHERS.items()
        if name not in ("space", "tab")
    ),
    *(
        should(f"name-ends-with-{name}", "9110 5.1", get(f"X-A{octet}: 1"), refused(400))
        for name, octet in _OTHERS.items()
        if name not in ("space", "tab")
    ),
    must("value-with-null", "9110 5.5", get("X-A: 1\x002"), refused(400), echo(fields={"x-a": ["1 2"]})),
    must("value-begins-with-null", "9110 5.5", get("X-A:\x001"), refused(400), echo(fields={"x-a": ["1"]})),
    must("value-ends-with-null", "9110 5.5", get("X-A: 1\0"), refused(400), echo(fields={"x-a": ["1"]})),
    *(
        should(
            f"value-with-{name}",
            "9110 5.5",
            get(f"X-A: 1{octet}2"),
            refused(400),
            echo(fields={"x-a": [f"1{octet}2"]}),
            echo(fields={"x-a": ["1 2"]}),
        )
        for name, octet in _CONTROLS.items()
    ),
    # RFC 9112 section 5.2: a folded line is refused, or the fold is replaced by spaces.
    must(
        "folded-by-space",
        "9112 5.2",
        get("X-A: 1", " 2"),
        refused(400),
        echo(fields={"x-a": ["1 2"]}),
        echo(fields={"x-a": ["1  2"]}),
        echo(fields={"x-a": ["1   2"]}),
    ),
    must(
        "folded-by-tab",
        "9112 5.2",
        get("X-A: 1", "\t2"),
        refused(400),
        echo(fields={"x-a": ["1 2"]}),
        echo(fields={"x-a": ["1  2"]}),
        echo(fields={"x-a": ["1   2"]}),
    ),
    must(
        "folded-twice",
        "9112 5.2",
        get("X-A: 1", " 2", " 3"),
        refused(400),
        echo(fields={"x-a": ["1 2 3"]}),
        echo(fields={"x-a": ["1  2  3"]}),
    ),
    must("folded-before-the-value", "9112 5.2", get("X-A:", " 1"), refused(400), echo(fields={"x-a": ["1"]})),
    must("folded-like-a-field", "9112 5.2", get("X-A: 1", " X-B: 2"), refused(400), echo(absent=["x-b"])),
    must("folded-length", "9112 5.2", get("X-A: 1", " Content-Length: 5"), refused(400), echo(body=b"")),
    must("folded-by-white-line", "9112 5.2", get("X-A: 1", " "), refused(400), echo(fields={"x-a": ["1"]})),
]
