"""The subjects of Tornado's security advisories, as far as they are visible from outside.

`tests/advisories` covers the advisories about CPU time and memory. The bodies here look like one or two
further requests to a parser with the old defect.
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
    # Lenient integers: int() accepts signs, underscores, whitespace and the digits of other scripts.
    *(
        must(
            f"GHSA-qppv-j76h-2rpx-length-{name}",
            "9110 8.6",
            post(f"Content-Length: {length}", body=b"hellohello" + SMUGGLED),
            refused(400),
        )
        for name, length in {"plus": "+10", "underscore": "1_0"}.items()
    ),
    *(
        must(
            f"GHSA-qppv-j76h-2rpx-chunk-{name}",
            "9112 7.1",
            chunked(size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
            refused(400),
        )
        for name, size in {"plus": b"+5", "prefix": b"0x5", "underscore": b"0_5"}.items()
    ),
    # These requests have duplicate or unknown codings, both framings, or Unicode whitespace.
    should(
        "GHSA-753j-mpmx-qq6g-duplicate-coding",
        "9112 6.1",
        post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=CHUNKS + SMUGGLED),
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
        "9112 6.1",
        post("Content-Length: 0", "Transfer-Encoding: chunked", body=CHUNKS + SMUGGLED),
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
        "9112 6.3",
        post("Content-Length: \xa05\xa0", body=b"hello" + SMUGGLED),
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
        get(f"X-A: 1\x85Content-Length: {len(SMUGGLED)}") + SMUGGLED,
        opened(seen(absent=["content-length"], body=b""), seen(target="/smuggled")),
        refused(400),
    ),
    # These values contain different line ends.
    must(
        "GHSA-w235-7p84-xx57-carriage-return-in-value",
        "9110 5.5",
        get("X-A: 1\rX-B: 2"),
        refused(400),
        echo(absent=["x-b"]),
    ),
    must(
        "CVE-2012-2374-null-in-value",
        "9110 5.5",
        get("X-A: 1\0X-B: 2"),
        refused(400),
        echo(fields={"x-a": ["1 X-B: 2"]}),
    ),
    # The grammar does not limit the size of these parts.
    should(
        "CVE-2026-82397-many-fields",
        "9110 5.4",
        get(*(f"f{n}:" for n in range(20000))),
        closed(code(431)),
        refused(400, 413),
    ),
    should(
        "CVE-2023-39326-chunk-extension-flood",
        "9112 7.1.1",
        chunked((b"1;" + b"e" * 2000 + b"\r\nx\r\n") * 300 + b"0\r\n\r\n"),
        refused(400),
        refused(413, 431),
    ),
]
