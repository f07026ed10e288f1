"""Generator of requests and responses that are valid or nearly valid, based on `Choices`.

Random bytes are almost never a valid request line. The generated messages begin with a mostly valid start
line, and contain a few deviations in places where parsers have disagreed.
"""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.support.choices import Choices

LINE_ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n", b"")
SPACES = (b" ", b" ", b" ", b"", b"  ", b"\t", b"\x0b", b"\xa0")
VERSIONS = (
    b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.01", b"HTTP/0.9",
    b"HTTP/ 1.1", b"HTTP/+1.1", b"",
)  # fmt: skip
METHODS = (
    b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"get", b"PROPFIND", b"FOO", b"G-T", b"CONNECT", b"P\xd6ST",
    b"G(T", b"", b"PRI",
)  # fmt: skip
TARGETS = (
    b"/", b"/a?b=c", b"*", b"http://a/b", b"http://b:80", b"/a#b", b"/%41%zz", b"/\xe4", b"//x", b"a",
    b"/a b", b"http://u@a/", b"https://[::1]/", b"/?\x00", b"a:443", b"/a|b{}", b"", b"http:///x", b"/\\x",
    b"ftp://a/",
)  # fmt: skip
CODES = (
    b"200",
    b"204",
    b"304",
    b"100",
    b"101",
    b"404",
    b"099",
    b"1000",
    b"20",
    b"+20",
    b"2 0",
    b"599",
    b"700",
)
REASONS = (b" OK", b"", b" ", b" Not\tFound", b" \xe4", b"  x", b" a\x00b", b" a\rb", b"OK")
NAMES = (
    b"X-A", b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade", b"host",
    b"CONTENT-LENGTH", b"Content_Length", b"transfer-encoding", b"Content-Length ", b" Content-Length", b"",
    b"X\x00", b"\xc4", b"X(A", b"Transfer-Encoding\t", b"Cookie", b"Trailer", b"Content\xadLength",
)  # fmt: skip
VALUES = (
    b"a", b"5", b"chunked", b"close", b"keep-alive", b"0", b"a:80", b"100-continue", b"h2c", b"", b"5, 5",
    b"5,6", b"+5", b"0x5", b"5_0", b"\xa05", b"\xb2", b"05", b"-1", b"18446744073709551616", b"Chunked",
    b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked;a=b", b"x\x00y", b"x\ry",
    b"x\x7fy", b"\xe4", b"[::1]", b"[::1", b"a:b", b"a:99999", b"a, b", b"\x0bchunked", b"chunked\x0c",
    b"5 5",    b"Upgrade, close", b'"chunked"', b",chunked", b"chunked,", b"\x85", b"5\x00",
)  # fmt: skip
SIZES = (
    b"5", b"005", b"0", b"1", b"5;a=b", b"5;a", b"5 ;a", b"5 ", b" 5", b"+5", b"0x5", b"5_", b"-5", b"", b"A",
    b'5;a="\\""', b"5;\x00", b"5;a\rb", b"fffffffffffffffff", b"5;" + b"x" * 50, b"5\t;a", b"5,",
)  # fmt: skip
DATA = (b"hello", b"hell", b"hello!", b"", b"x", b"he\r\no", b"0\r\n\r\n")
TRAILERS = (
    b"", b"", b"A: b\r\n", b"A: b\n", b"Content-Length: 5\r\n", b" a\r\n", b"a\r\n", b"A : b\r\n",
    b"A: b\rc\r\n",
)  # fmt: skip


def request_line(choices: Choices) -> bytes:
    """Return a request line without its line end."""
    pick = choices.pick
    return pick(METHODS) + pick(SPACES) + pick(TARGETS) + pick(SPACES) + pick(VERSIONS)


def status_line(choices: Choices) -> bytes:
    """Return a status line without its line end."""
    pick = choices.pick
    return pick(VERSIONS) + pick(SPACES) + pick(CODES) + pick(REASONS)


def field(choices: Choices) -> bytes:
    """Return a field line with its line end."""
    pick = choices.pick
    colon = pick((b": ", b": ", b":", b" : ", b"", b":\t"))
    fold = pick((b"",) * 12 + (b"\r\n ", b"\n\t"))
    return pick(NAMES) + colon + fold + pick(VALUES) + pick((b"", b"", b"", b" ", b"\t")) + pick(LINE_ENDS)


def chunked(choices: Choices) -> bytes:
    """Return a body in the chunked coding."""
    pick = choices.pick
    body = b""
    for _ in range(pick((1, 0, 2, 3))):
        body += pick(SIZES) + pick(LINE_ENDS) + pick(DATA) + pick(LINE_ENDS)
    return body + pick((b"0", b"0", b"00", b"0;a", b"")) + pick(LINE_ENDS) + pick(TRAILERS) + pick(LINE_ENDS)


FRAMINGS = (
    b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n",
    b"Content-Length: 5\r\nContent-Length: 5\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: 5, 5\r\n", b"Transfer-Encoding: Chunked\r\n", b"Content-Length: 05\r\n",
)  # fmt: skip


def message(choices: Choices, start_line: bytes, framing: bytes) -> bytes:
    """Return a message with the given start line and framing fields."""
    pick = choices.pick
    data = pick((b"",) * 9 + (b"\r\n", b"\n", b"\r\n\r\n", b" ")) + start_line + pick(LINE_ENDS)
    data += pick((b"Host: a\r\n",) * 6 + (b"", b"Host: a\n", b"Host: a\r\nHost: a\r\n", b"Host:\r\n"))
    for _ in range(pick((0, 0, 1, 2, 4))):
        data += field(choices)
    data += framing + pick(LINE_ENDS)
    if b"hunked" in framing:
        return data + chunked(choices)
    return data + pick(DATA) if framing else data + pick((b"",) * 6 + (b"hello",))


def mutated(choices: Choices, data: bytes) -> bytes:
    """Return `data` with up to three bytes inserted, removed or changed."""
    changed = bytearray(data)
    for _ in range(choices.pick((0, 0, 0, 1, 1, 2, 3))):
        at = choices.below(len(changed) + 1)
        kind = choices.pick((0, 1, 2))
        new = [choices.byte()] if kind != 1 else []
        changed[at : at + (kind != 0)] = new
    return bytes(changed)


def _several(choices: Choices, line: object, framings: Sequence[bytes]) -> bytes:
    data = b""
    for _ in range(choices.pick((1, 2, 1, 3))):
        start = line(choices)  # type: ignore[operator]
        data += message(choices, start, choices.pick(framings))
    return mutated(choices, data)


def requests(choices: Choices) -> bytes:
    """Return one to three pipelined requests."""
    return _several(choices, request_line, FRAMINGS)


def responses(choices: Choices) -> bytes:
    """Return one to three consecutive responses."""
    return _several(choices, status_line, FRAMINGS)
