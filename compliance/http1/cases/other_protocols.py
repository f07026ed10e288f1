"""Octets of other protocols: they cannot become a request, so the server must not wait for more data."""

from __future__ import annotations

from compliance.http1.case import HOST, Case, closed, get, refused, should

#: The start of a TLS 1.2 ClientHello.
HELLO = bytes.fromhex("160301006c010000680303") + b"\x5a" * 32 + bytes.fromhex("0000020035010000")

#: The first octet already shows that this is not a request.
_FIRST = {"tls": b"\x16", "null": b"\0", "high": b"\x80", "brace": b"{", "colon": b":", "slash": b"/"}

CASES: list[Case] = [
    *(
        should(
            f"first-octet-{name}", "9112 3", octet, closed(), refused(400), ours=refused(400), half_close=True
        )
        for name, octet in _FIRST.items()
    ),
    should(
        "http-2-preface",
        "9110 15.6.6",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        refused(505),
        refused(400),
        refused(501),
        closed(),
    ),
    should(
        "http-2-preface-and-settings",
        "9110 15.6.6",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        refused(505),
        refused(400),
        refused(501),
        closed(),
    ),
    should("tls-greeting", "9112 3", HELLO, refused(400), closed()),
    should("http-0.9", "9112 3", b"GET /x\r\n\r\n", refused(400), closed()),
    should("ssh-banner", "9112 3", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", refused(400), closed()),
    should("smtp-greeting", "9112 3", b"EHLO a.example\r\n\r\n", refused(400), closed()),
    should(
        "proxy-protocol-1",
        "9112 3",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(),
        refused(400),
        closed(),
    ),
    should(
        "proxy-protocol-2",
        "9112 3",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\1" * 12 + get(),
        refused(400),
        closed(),
    ),
    should("nulls", "9112 3", b"\0" * 100, refused(400), closed()),
    should("high-octets", "9112 3", b"\xff\xfe\xfd\xfc", refused(400), closed()),
    should("byte-order-mark", "9112 3", b"\xef\xbb\xbf" + get(), refused(400), closed()),
    should("utf-16", "9112 3", get().decode().encode("utf-16-le"), refused(400), closed()),
    should(
        "a-response",
        "9112 3",
        b"HTTP/1.1 200 OK\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        refused(400),
        closed(),
    ),
    should("json", "9112 3", b'{"method": "GET"}\r\n\r\n', refused(400), closed()),
    should(
        "rtsp",
        "9112 2.3",
        b"OPTIONS * RTSP/1.0\r\n" + HOST.encode() + b"\r\n\r\n",
        refused(400, 505),
        closed(),
        ours=refused(400),
    ),
    should(
        "sip",
        "9112 2.3",
        b"INVITE sip:a@b.example SIP/2.0\r\n" + HOST.encode() + b"\r\n\r\n",
        refused(400, 505),
        closed(),
        ours=refused(400),
    ),
]
