"""The known kinds of request smuggling.

The name of a case shows how the two servers, the front one first, find the end of the request: by the length
(CL), the coding (TE), or not at all (0). TERM and EXT are about the end of a chunk size line: the server ends
it at octets that are not a line end (TERM), or accepts these in an extension (EXT). Each case is valid for a
server that has the defect; ``tests/compliance/faulty.py`` has such a server for each.
"""

from __future__ import annotations

from compliance.http1.case import (
    ANSWER,
    Case,
    chunked,
    closed,
    code,
    echo,
    framed,
    get,
    head,
    last,
    must,
    opened,
    post,
    refused,
    should,
)
from compliance.http1.readings import second_if_early, second_if_late

CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = get(target="/smuggled")
#: Octets that end like a chunk. They are also a request whose body consists of the following octets.
OPEN = head("POST /smuggled HTTP/1.1", "Host: a.example", "Content-Length: 7")
#: Octets that a server may mistake for the end of a size line, by their names in the cases.
_MARKS = {"LF": b"\n", "CR": b"\r"}


def _terminators() -> list[Case]:
    cases = []
    for name, mark in _MARKS.items():
        for title, reading in (
            ("TERM.EXT", second_if_late(mark)),
            ("EXT.TERM", second_if_early(mark)),
        ):
            if name == "LF":
                cases.append(should(f"{title}-{name}", "9112 7.1.1", reading.data, refused(400)))
            else:  # a CR may also be replaced by a space, and then does not end the line
                cases.append(must(f"{title}-{name}", "9112 2.2", reading.data, refused(400), reading.late))
    return cases


CASES: list[Case] = [
    must(
        "CL.TE",
        "9112 6.1",
        post(f"Content-Length: {len(CHUNKS) + 1}", "Transfer-Encoding: chunked", body=CHUNKS + b"G"),
        refused(400),
        last(body=b"hello"),
    ),
    must(
        "TE.CL",
        "9112 6.1",
        post(
            "Transfer-Encoding: chunked",
            "Content-Length: 4",
            body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(OPEN), OPEN),
        ),
        refused(400),
        last(body=OPEN),
    ),
    should(
        "TE.TE-first",
        "9112 6.1",
        post("Transfer-Encoding: x, chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
        refused(400),
        refused(501),
    ),
    must(
        "TE.TE-last",
        "9112 6.3",
        post(
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: x",
            body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
        ),
        refused(400),
        refused(501),
    ),
    must(
        "CL.CL",
        "9112 6.3",
        post("Content-Length: 0", f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED),
        refused(400),
    ),
    must("CL.0", "9112 6.3", framed("GET", "/x", SMUGGLED), echo(method="GET", body=SMUGGLED)),
    must(
        "TE.0",
        "9112 6.3",
        framed("OPTIONS", "/x", SMUGGLED, chunked=True),
        echo(method="OPTIONS", body=SMUGGLED),
    ),
    # The response is sent before the body is received: the following octets are the body, or are not read.
    must(
        "0.CL",
        "9112 9.3",
        (framed("POST", "/unread/early", SMUGGLED)[: -len(SMUGGLED)], ANSWER, SMUGGLED),
        closed(code(403)),
        opened(code(403)),
        ours=closed(code(403)),
    ),
    *_terminators(),
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
        chunked(b"0\r\nX-T: 1\n\n" + SMUGGLED),
        refused(400),
    ),
    must(
        "second-length-hidden-by-line-feed",
        "9112 6.3",
        head("POST /x HTTP/1.1", "Host: a", "Content-Length: 0\nContent-Length: 5") + b"hello" + SMUGGLED,
        refused(400),
    ),
    must(
        "coding-hidden-by-line-feed",
        "9112 6.1",
        head(
            "POST /x HTTP/1.1",
            "Host: a",
            f"Content-Length: {len(CHUNKS)}",
            "X-A: 1\nTransfer-Encoding: chunked",
        )
        + CHUNKS,
        refused(400),
        last(body=b"hello"),
    ),
]
