"""Persistence of connections, and Upgrade (RFC 9112 section 9, RFC 9110 section 7.8)."""

from __future__ import annotations

from compliance.http1.case import (
    Answer,
    Case,
    closed,
    code,
    echo,
    either,
    framed,
    get,
    head,
    last,
    must,
    opened,
    seen,
    should,
    sized,
)


def says_close(**expected: object) -> Answer:
    """Return an echo with Connection: close."""
    return Answer(frozenset({200}), expected, {"connection": "close"})


SMUGGLED = get(target="/smuggled")

_CLOSING = {
    "close": ("Connection: close",),
    "upper-case": ("Connection: CLOSE",),
    "mixed-case": ("Connection: Close",),
    "name-in-lower-case": ("connection: close",),
    "last-in-a-list": ("Connection: keep-alive, close",),
    "first-in-a-list": ("Connection: close, keep-alive",),
    "in-the-middle": ("Connection: x, close, y",),
    "no-space-in-list": ("Connection: x,close",),
    "white-space-in-list": ("Connection: x \t, \t close \t",),
    "empty-members": ("Connection: , ,close,",),
    "in-a-second-line": ("Connection: keep-alive", "Connection: close"),
    "in-a-first-line": ("Connection: close", "Connection: keep-alive"),
    "in-a-third-line": ("Connection: x", "Connection: y", "Connection: Close"),
    "with-upgrade": ("Connection: upgrade, close", "Upgrade: x"),
    "twice": ("Connection: close, close",),
}
_GOING_ON = {
    "keep-alive": ("Connection: keep-alive",),
    "keep-alive-upper-case": ("Connection: KEEP-ALIVE",),
    "keep-alive-field": ("Connection: keep-alive", "Keep-Alive: timeout=5, max=10"),
    "unknown-option": ("Connection: x",),
    "longer-word": ("Connection: closed",),
    "word-with-hyphen": ("Connection: x-close",),
    "close-as-parameter": ("Connection: x=close",),
    "two-words": ("Connection: not close",),
    "empty": ("Connection:",),
    "commas": ("Connection: , ,",),
    "close-in-another-field": ("Proxy-Connection: close",),
    "close-field": ("Close: close",),
    "nominating-host": ("Connection: host",),
    "nominating-unknown": ("Connection: x-missing",),
}
#: Upgrades that the handler does not support; they are ignored (RFC 9110 section 7.8).
_OFFERS = {
    "websocket": ("Connection: Upgrade", "Upgrade: websocket"),
    "websocket-with-key": (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "tls": ("Connection: Upgrade", "Upgrade: TLS/1.0"),
    "unknown": ("Connection: upgrade", "Upgrade: the-moon/1"),
    "several": ("Connection: upgrade", "Upgrade: the-moon/1, h2c"),
    "without-connection": ("Upgrade: the-moon/1",),
    "without-upgrade": ("Connection: upgrade",),
    "empty": ("Connection: upgrade", "Upgrade:"),
}

CASES: list[Case] = [
    *(must(f"closes-{name}", "9112 9.3", get(*lines), last(target="/x")) for name, lines in _CLOSING.items()),
    *(
        should(f"goes-on-{name}", "9112 9.3", get(*lines), echo(target="/x"))
        for name, lines in _GOING_ON.items()
    ),
    *(
        must(
            f"offer-{name}",
            "9110 7.8",
            get(*lines),
            echo(target="/x"),
            # A server that supports the offered protocol may refuse the request.
            *((either(code(400, 403, 426)),) if name.startswith("websocket") else ()),
        )
        for name, lines in _OFFERS.items()
    ),
    should("close-is-answered", "9112 9.6", get("Connection: close"), closed(says_close(target="/x"))),
    should(
        "close-behind-a-body-is-answered",
        "9112 9.6",
        sized(b"hello", "Connection: close"),
        closed(says_close(body=b"hello")),
    ),
    must(
        "offer-with-body",
        "9110 7.8",
        sized(b"hello", "Connection: upgrade", "Upgrade: the-moon"),
        echo(body=b"hello"),
    ),
    must(
        "offer-h2c-with-body",
        "9110 7.8",
        sized(b"hello", "Connection: upgrade, http2-settings", "Upgrade: h2c", "HTTP2-Settings: "),
        echo(body=b"hello"),
    ),
    # A recipient that removes the fields named by Connection, like a proxy, must not remove the fields that
    # frame the message.
    must(
        "nominating-content-length",
        "9110 7.6.1",
        sized(SMUGGLED, "Connection: content-length"),
        echo(body=SMUGGLED),
    ),
    *(
        must(
            f"nominating-{name}",
            "9110 7.6.1",
            framed("POST", "/x", SMUGGLED, *lines, chunked=True),
            outcome(body=SMUGGLED),
        )
        for name, outcome, lines in (
            ("transfer-encoding", echo, ("Connection: transfer-encoding",)),
            ("transfer-encoding-and-keep-alive", echo, ("Connection: keep-alive, Transfer-Encoding",)),
            ("transfer-encoding-and-close", last, ("Connection: close, transfer-encoding",)),
            (
                "transfer-encoding-in-two-lines",
                echo,
                ("Connection: keep-alive", "Connection: transfer-encoding"),
            ),
        )
    ),
    must("in-1.0", "9112 9.3", get(version="HTTP/1.0"), last(version="HTTP/1.0")),
    must(
        "in-1.0-keep-alive",
        "9112 9.3",
        get("Connection: keep-alive", version="HTTP/1.0"),
        opened(Answer(frozenset({200}), {"version": "HTTP/1.0"}, {"connection": "keep-alive"})),
        last(),
    ),
    must(
        "in-1.0-keep-alive-upper-case",
        "9112 9.3",
        get("Connection: Keep-Alive", version="HTTP/1.0"),
        echo(version="HTTP/1.0"),
        last(),
    ),
    must(
        "in-1.0-keep-alive-and-close",
        "9112 9.3",
        get("Connection: keep-alive, close", version="HTTP/1.0"),
        last(version="HTTP/1.0"),
    ),
    must(
        "in-1.0-keep-alive-and-close-in-two-lines",
        "9112 9.3",
        get("Connection: keep-alive", "Connection: close", version="HTTP/1.0"),
        last(version="HTTP/1.0"),
    ),
    must(
        "in-1.0-unknown-option",
        "9112 9.3",
        get("Connection: x", version="HTTP/1.0"),
        last(version="HTTP/1.0"),
    ),
    should(
        "in-1.0-proxy-connection",
        "9112 C.2.2",
        get("Proxy-Connection: keep-alive", version="HTTP/1.0"),
        last(version="HTTP/1.0"),
    ),
    must(
        "in-1.0-upgrade-is-ignored",
        "9110 7.8",
        get("Connection: upgrade", "Upgrade: websocket", version="HTTP/1.0"),
        last(version="HTTP/1.0"),
    ),
    must(
        "in-1.0-then-1.1",
        "9112 9.3",
        get("Connection: keep-alive", version="HTTP/1.0") + get(),
        opened(seen(version="HTTP/1.0"), seen(version="HTTP/1.1")),
        last(version="HTTP/1.0"),
    ),
    must(
        "nothing-behind-1.0",
        "9112 9.3",
        get(version="HTTP/1.0") + get(target="/second"),
        last(version="HTTP/1.0"),
    ),
    must(
        "nothing-behind-close",
        "9112 9.6",
        get("Connection: close") + get(target="/second"),
        last(target="/x"),
    ),
    must(
        "close-on-an-error-page",
        "9112 9.6",
        head("FETCH /x HTTP/1.1", "Host: a", "Connection: close"),
        closed(code(405, 501)),
        last(method="FETCH"),
        ours=closed(code(405)),
    ),
]
