"""The forms of a request target and their meaning (RFC 9112 section 3.2)."""

from __future__ import annotations

from compliance.http1.case import (
    HOST,
    Case,
    Outcome,
    code,
    echo,
    either,
    get,
    head,
    must,
    opened,
    refused,
    should,
)


def absolute(target: str, *fields: str, method: str = "GET") -> bytes:
    """Return a request whose target is an absolute URI, with these fields."""
    return head(f"{method} {target} HTTP/1.1", *(fields or (HOST,)))


#: Section 3.2.2: the authority of the target replaces the value of Host.
_ABSOLUTE: dict[str, tuple[str, str, str]] = {
    "same-host": ("http://a.example/x", "/x", "a.example"),
    "another-host": ("http://b.example/x", "/x", "b.example"),
    "query": ("http://b.example/x?q=1", "/x?q=1", "b.example"),
    "port": ("http://b.example:8080/x", "/x", "b.example:8080"),
    "no-path": ("http://b.example", "/", "b.example"),
    "no-path-but-port": ("http://b.example:80", "/", "b.example:80"),
    "query-without-path": ("http://b.example?q=1", "/?q=1", "b.example"),
    "percent-alone": ("http://b.example/x?q=100%", "/x?q=100%", "b.example"),
    "upper-case-scheme": ("HTTP://b.example/x", "/x", "b.example"),
    "address": ("http://192.0.2.1/x", "/x", "192.0.2.1"),
    "ipv6": ("http://[2001:db8::1]:80/x", "/x", "[2001:db8::1]:80"),
    "two-slashes-in-path": ("http://b.example//x", "//x", "b.example"),
}
#: RFC 9110 sections 4.2.1 (no host: MUST reject) and 4.2.4 (user information), RFC 3986 (grammar).
_BAD_ABSOLUTE = {
    "user-information": "http://user@b.example/x",
    "user-and-password": "http://user:pass@b.example/x",
    "port-of-letters": "http://b.example:http/x",
    "negative-port": "http://b.example:-1/x",
    "port-over-65535": "http://b.example:65536/x",
    "two-ports": "http://b.example:80:80/x",
    "open-bracket": "http://[::1/x",
    "no-address-in-brackets": "http://[b.example]/x",
    "backslash-in-host": "http://b.example\\@c.example/x",
    "one-slash": "http:/b.example/x",
    "no-slash": "http:b.example",
    "three-slashes": "http:///x",
    "scheme-alone": "http:",
    "fragment": "http://b.example/x#y",
    "fragment-after-host": "http://b.example#@c.example/x",
    "bad-escape-in-host": "http://b%zz.example/x",
}
_PATHS = {
    "root": "/",
    "query": "/x?q=1&r=2",
    "two-question-marks": "/x?a?b",
    "two-slashes": "//x",
    "slashes-then-host": "//b.example/x",
    "escapes": "/a%20b%2Fc%25",
    "escapes-lower-case": "/a%2fb",
    "colon": "/http://b.example/",
    "at": "/@b",
    "sub-delims": "/a!$&'()*+,;=:@-._~",
    "semicolon": "/x;a=b",
}
#: Invalid by RFC 3986, but sent by browsers: passed on unchanged, or refused.
_LOOSE = {
    "raw-latin-1": "/caf\xe9",
    "raw-utf-8": "/caf\xc3\xa9",
    "quotes": '/"x"',
    "angle-brackets": "/<x>",
    "braces": "/{x}",
    "pipe": "/a|b",
    "caret": "/a^b",
    "backslash": "/a\\b",
    "backtick": "/a`b",
    "brackets-in-query": "/x?a[0]=1",
}
_NO_FORM = {
    "no-slash": "x",
    "no-slash-with-path": "x/y",
    "query-alone": "?q=1",
    "fragment-alone": "#x",
    "dot": ".",
    "authority-for-get": "a.example:80",
    "host-for-get": "a.example",
    "backslash": "\\x",
    "escaped-slash": "%2Fx",
    "two-stars": "**",
    "star-and-path": "*/x",
}

_REFUSED_OR_LOST: tuple[Outcome, ...] = (refused(400), either(code(400, 404, 405)))

CASES: list[Case] = [
    *(
        must(f"path-{name}", "9112 3.2.1", get(target=target), echo(target=target))
        for name, target in _PATHS.items()
    ),
    *(
        should(f"path-{name}", "3986 2", get(target=target), echo(target=target), refused(400))
        for name, target in _LOOSE.items()
    ),
    should(
        "path-dot-segments", "3986 5.2.4", get(target="/a/../x"), echo(target="/a/../x"), echo(target="/x")
    ),
    should(
        "path-above-the-root",
        "3986 5.2.4",
        get(target="/../x"),
        echo(target="/../x"),
        echo(target="/x"),
        refused(400),
    ),
    # Browsers send a percent sign as it was typed (URL Standard, sections 4.1 and 4.4): the target is passed
    # on unchanged, or refused.
    *(
        should(name, "3986 2.1", get(target=target), echo(target=target), refused(400))
        for name, target in {
            "path-bad-escape": "/%zz",
            "path-short-escape": "/%2",
            "path-percent-alone": "/a%",
            "path-percent-before-query": "/a%?b",
            "query-bad-escape": "/x?a=%",
            "query-percent-alone": "/x?q=100%",
            "query-unicode-escape": "/x?q=%u2603",
        }.items()
    ),
    should("path-escaped-null", "3986 7.3", get(target="/a%00b"), echo(target="/a%00b"), refused(400)),
    should("path-empty-query", "3986 6.2.3", get(target="/x?"), echo(target="/x?"), echo(target="/x")),
    # A recipient should refuse a request line with an invalid target, or pass the target on unchanged.
    # Waterspout treats "#" as a character of the path or query, like Tornado, and never splits the target at
    # this character.
    *(
        should(name, "9112 3.2", get(target=target), echo(target=target), refused(400))
        for name, target in {
            "path-fragment": "/x#y",
            "path-fragment-before-query": "/x#y?z",
            "query-fragment": "/x?a#y",
        }.items()
    ),
    *(
        should(f"form-{name}", "9112 3.2", get(target=target), *_REFUSED_OR_LOST)
        for name, target in _NO_FORM.items()
    ),
    *(
        must(
            f"absolute-{name}",
            "9112 3.2.2",
            absolute(target),
            echo(target=path, host=host),
            # The Host field must be ignored: in Waterspout the handler sees the host of the target instead.
            ours=echo(target=path, host=host, fields={"host": [host]}),
        )
        for name, (target, path, host) in _ABSOLUTE.items()
    ),
    must(
        "absolute-https-over-tcp",
        "9110 7.4",
        absolute("https://b.example/x"),
        either(code(400, 404, 421)),
        ours=refused(421),
        tls=False,
    ),
    must(
        "absolute-https-over-tcp-and-body",
        "9110 7.4",
        absolute("https://b.example/x", HOST, "Content-Length: 5", method="POST") + b"hello",
        either(code(400, 404, 421)),
        ours=refused(421),
        tls=False,
    ),
    # The certificate is for another name; a server that does not compare the names serves the request.
    should(
        "absolute-https-under-tls",
        "9112 3.2.2",
        absolute("https://b.example/x"),
        echo(target="/x", host="b.example"),
        either(code(400, 404, 421)),
        tls=True,
    ),
    should(
        "absolute-another-scheme",
        "9110 7.4",
        absolute("ftp://b.example/x"),
        *_REFUSED_OR_LOST,
        either(code(421)),
    ),
    must("absolute-without-host", "9112 3.2", b"GET http://b.example/x HTTP/1.1\r\n\r\n", refused(400)),
    must("absolute-with-two-hosts", "9112 3.2", absolute("http://b.example/x", HOST, HOST), refused(400)),
    must("absolute-with-bad-host", "9112 3.2", absolute("http://b.example/x", "Host: a b"), refused(400)),
    must(
        "absolute-with-empty-host",
        "9112 3.2.2",
        absolute("http://b.example/x", "Host:"),
        echo(target="/x", host="b.example"),
    ),
    *(
        (must if name == "three-slashes" else should)(
            f"absolute-{name}", "9110 4.2", absolute(target), refused(400)
        )
        for name, target in _BAD_ABSOLUTE.items()
    ),
    must(
        "asterisk-options",
        "9112 3.2.4",
        head("OPTIONS * HTTP/1.1", HOST),
        echo(method="OPTIONS", target="*"),
        opened(code(204, 405)),
    ),
    # The last proxy must convert a target without a path into an asterisk.
    should(
        "asterisk-options-absolute",
        "9112 3.2.4",
        absolute("http://b.example", method="OPTIONS"),
        echo(method="OPTIONS", target="*", host="b.example"),
        echo(method="OPTIONS", target="/", host="b.example"),
        opened(code(204, 405)),
    ),
    should(
        "options-absolute-with-slash",
        "9112 3.2.4",
        absolute("http://b.example/", method="OPTIONS"),
        echo(method="OPTIONS", target="/", host="b.example"),
    ),
    should("asterisk-get", "9112 3.2.4", get(target="*"), *_REFUSED_OR_LOST),
    should(
        "asterisk-post", "9112 3.2.4", head("POST * HTTP/1.1", HOST, "Content-Length: 0"), *_REFUSED_OR_LOST
    ),
    should("asterisk-query", "9112 3.2.4", head("OPTIONS *?q HTTP/1.1", HOST), *_REFUSED_OR_LOST),
    should(
        "connect",
        "9110 9.3.6",
        head("CONNECT a.example:443 HTTP/1.1", HOST),
        either(code(400, 403, 404, 405, 501)),
        ours=opened(code(405)),
    ),
    must(
        "connect-without-port",
        "9110 9.3.6",
        head("CONNECT a.example HTTP/1.1", HOST),
        refused(400),
        either(code(400, 405, 501)),
    ),
    must(
        "connect-with-empty-port",
        "9110 9.3.6",
        head("CONNECT a.example: HTTP/1.1", HOST),
        refused(400),
        either(code(400, 405, 501)),
    ),
    must(
        "connect-with-bad-port",
        "9110 9.3.6",
        head("CONNECT a.example:x HTTP/1.1", HOST),
        refused(400),
        either(code(400, 405, 501)),
    ),
    must(
        "connect-with-large-port",
        "9110 9.3.6",
        head("CONNECT a.example:65536 HTTP/1.1", HOST),
        refused(400),
        either(code(400, 405, 501)),
    ),
    should(
        "connect-path",
        "9112 3.2.3",
        head("CONNECT /x HTTP/1.1", HOST),
        refused(400),
        either(code(400, 405, 501)),
    ),
    should(
        "connect-absolute",
        "9112 3.2.3",
        head("CONNECT http://a.example/ HTTP/1.1", HOST),
        refused(400),
        either(code(400, 405, 501)),
    ),
    should("target-of-4000-octets", "9112 3", get(target="/" + "x" * 3999), echo(target="/" + "x" * 3999)),
]
