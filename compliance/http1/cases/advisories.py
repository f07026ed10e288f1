"""What security advisories of HTTP servers were about, as far as it can be seen from outside.

The names begin with the advisory where it is one of Tornado's; the others are well-known ways of smuggling a
request past a proxy.
"""

from __future__ import annotations

from compliance.http1.case import (
    Case,
    chunked,
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

CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = get(target="/smuggled")

CASES: list[Case] = [
    # Lenient integers: int() takes signs, underscores, white space and the digits of other scripts.
    must(
        "GHSA-qppv-j76h-2rpx-length-plus", "9110 8.6", post("Content-Length: +5", body=b"hello"), refused(400)
    ),
    must(
        "GHSA-qppv-j76h-2rpx-length-underscore",
        "9110 8.6",
        post("Content-Length: 1_0", body=b"hellohello"),
        refused(400),
    ),
    must("GHSA-qppv-j76h-2rpx-chunk-plus", "9112 7.1", chunked(b"+5\r\nhello\r\n0\r\n\r\n"), refused(400)),
    must("GHSA-qppv-j76h-2rpx-chunk-prefix", "9112 7.1", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), refused(400)),
    must(
        "GHSA-qppv-j76h-2rpx-chunk-underscore",
        "9112 7.1",
        chunked(b"0_5\r\nhello\r\n0\r\n\r\n"),
        refused(400),
    ),
    # Duplicate and unknown codings, both framings at once, white space of Unicode.
    must(
        "GHSA-753j-mpmx-qq6g-duplicate-coding",
        "9112 6.3",
        post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=CHUNKS),
        refused(400),
        refused(501),
    ),
    must(
        "GHSA-753j-mpmx-qq6g-unknown-coding",
        "9112 6.3",
        post("Transfer-Encoding: foo", body=CHUNKS),
        refused(400),
        refused(501),
    ),
    must(
        "GHSA-753j-mpmx-qq6g-length-and-coding",
        "9112 6.3",
        post("Content-Length: 0", "Transfer-Encoding: chunked", body=CHUNKS),
        refused(400),
        last(body=b"hello"),
    ),
    must(
        "GHSA-753j-mpmx-qq6g-coding-in-no-break-space",
        "9112 6.3",
        post("Transfer-Encoding: \xa0chunked\xa0", body=CHUNKS),
        refused(400),
        refused(501),
    ),
    must(
        "GHSA-753j-mpmx-qq6g-length-in-no-break-space",
        "9110 8.6",
        post("Content-Length: \xa05", body=b"hello"),
        refused(400),
    ),
    should(
        "GHSA-753j-mpmx-qq6g-name-in-no-break-space",
        "9110 5.1",
        post("\xa0Transfer-Encoding: chunked", body=CHUNKS),
        refused(400),
    ),
    should(
        "GHSA-753j-mpmx-qq6g-next-line-in-value",
        "9110 5.5",
        get("X-A: 1\x85Transfer-Encoding: chunked"),
        echo(absent=["transfer-encoding"], body=b""),
        refused(400),
    ),
    # A line end inside a value, by whatever name.
    must(
        "GHSA-w235-7p84-xx57-carriage-return-in-value",
        "9112 2.2",
        get("X-A: 1\rX-B: 2"),
        refused(400),
        echo(absent=["x-b"]),
    ),
    should("CVE-2012-2374-null-in-value", "9110 5.5", get("X-A: 1\0X-B: 2"), refused(400)),
    # Costs: many fields, many one-octet chunks, one name many times, many cookies.
    should(
        "CVE-2026-82397-many-fields",
        "9110 5.4",
        get(*(f"f{n}:" for n in range(20000))),
        closed(code(431)),
        refused(400, 413),
    ),
    should(
        "CVE-2026-115927-one-octet-chunks",
        "9112 7.1",
        chunked(b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n"),
        echo(body=b"x" * 3000),
    ),
    should(
        "CVE-2025-67725-one-name-many-times",
        "9110 5.3",
        get(*["X-A: 1"] * 80),
        echo(fields={"x-a": ["1"] * 80}),
    ),
    should("CVE-2024-52804-quoted-cookie", "6265 5.4", get('Cookie: a="' + "\\" * 500), echo()),
    should(
        "CVE-2023-39326-chunk-extension-flood",
        "9112 7.1.1",
        chunked((b"1;" + b"e" * 2000 + b"\r\nx\r\n") * 300 + b"0\r\n\r\n"),
        refused(400, 413, 431),
    ),
    # Smuggling by other servers' leniency.
    must(
        "CL.TE",
        "9112 6.3",
        post(
            f"Content-Length: {len(b'0' * 5 + SMUGGLED)}",
            "Transfer-Encoding: chunked",
            body=b"0\r\n\r\n" + SMUGGLED,
        ),
        refused(400),
        last(body=b""),
    ),
    must(
        "TE.CL",
        "9112 6.3",
        post(
            "Transfer-Encoding: chunked",
            "Content-Length: 4",
            body=b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n",
        ),
        refused(400),
        last(body=SMUGGLED),
    ),
    must("CL.0", "9112 6.3", get(f"Content-Length: {len(SMUGGLED)}") + SMUGGLED, echo(body=SMUGGLED)),
    must("0.CL", "9112 5.1", get(f"Content-Length : {len(SMUGGLED)}") + SMUGGLED, refused(400)),
    should(
        "TE.TE-line-feed-in-chunk-extension",
        "9112 7.1.1",
        chunked(b"2;\nxx\r\n4c\r\n0\r\n\r\n" + SMUGGLED),
        refused(400),
    ),
    should("TERM.EXT", "9112 7.1.1", chunked(b"2;\n\r\nxx\r\n0\r\n\r\n"), refused(400)),
    should("EXT.TERM", "9112 7.1.1", chunked(b"2;a\rb\r\nxx\r\n0\r\n\r\n"), refused(400), echo(body=b"xx")),
    should("ONE.TWO-no-line-end-behind-data", "9112 7.1", chunked(b"5\r\nhelloXX0\r\n\r\n"), refused(400)),
    should(
        "TRAILER.MERGE-length",
        "9110 6.5.1",
        chunked(b"0\r\nContent-Length: 50\r\n\r\n"),
        echo(body=b"", absent=["content-length"]),
        refused(400),
    ),
    should(
        "trailer-hides-a-request",
        "9112 7.1.2",
        chunked(b"0\r\nX-T: 1\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(400),
    ),
    must(
        "host-header-injection",
        "9112 3.2",
        b"GET http://b.example/x HTTP/1.1\r\nHost: a.example@c.example\r\n\r\n",
        refused(400),
    ),
    must(
        "second-length-hidden-by-line-feed",
        "9112 6.3",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\nContent-Length: 50\r\n\r\nhello",
        refused(400),
    ),
    must(
        "coding-hidden-by-line-feed",
        "9112 6.3",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-A: 1\nTransfer-Encoding: chunked\r\n\r\n"
        + CHUNKS,
        refused(400),
        last(body=b"hello"),
    ),
    must(
        "answer-to-a-body-not-read",
        "9112 9.3",
        post("Content-Length: 5", "X-A: 1", body=b"hello") + SMUGGLED,
        opened(seen(body=b"hello"), seen(target="/smuggled")),
    ),
]
