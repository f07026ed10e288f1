"""Comparison of our reader with h11 and llhttp, and the differences that are intended."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuzz.support.peers import Message, Reading, read_h11, read_llhttp, read_ours
from tornado._wire.h1 import Role


@dataclass(frozen=True)
class Deviation:
    """Input that our reader accepts although h11 or llhttp does not.

    :ivar name: a description of the input.
    :ivar pattern: matches the input in the head or the body of one message.
    :ivar plain: a replacement that all parsers accept.
    :ivar reason: why our reader accepts the input.
    :ivar in_body: whether `pattern` applies to the body, including its chunk framing, not the head.
    """

    name: str
    pattern: re.Pattern[bytes]
    plain: bytes
    reason: str
    in_body: bool = False


DEVIATIONS = [
    Deviation(
        "empty lines before a request",
        re.compile(rb"\A(?:\r?\n)+"),
        b"",
        "RFC 9112 section 2.2: a robust server ignores them; llhttp does so too, h11 does not",
    ),
    Deviation(
        "content of a CONNECT request",
        re.compile(rb"\ACONNECT [^ ]+"),
        b"POST /",
        "RFC 9112 section 6.3 frames it like any other content; llhttp treats it as data of the tunnel",
    ),
    Deviation(
        "Host beside an absolute target",
        re.compile(rb"(?i)\A([^ ]+ )https?://[^/? ]*/?"),
        rb"\1/",
        "RFC 9112 section 3.2.2: the target's authority replaces Host; the others leave that to the program",
    ),
    Deviation(
        "octets from 0x80 up in a target",
        re.compile(rb"[\x80-\xff](?=[^\r\n ]* HTTP/1\.[0-9]\r?\n)"),
        b"x",
        "not in RFC 3986, but browsers and old servers send them; Tornado accepts them as Latin-1",
    ),
    Deviation(
        "whitespace before a chunk extension",
        re.compile(rb"(?m)^([0-9A-Fa-f]+)[ \t]+(?=;)"),
        rb"\1",
        "RFC 9112 section 7.1.1: BWS; neither h11 nor llhttp implements this part of the grammar",
        in_body=True,
    ),
    Deviation(
        "fields about framing among the trailers",
        re.compile(rb"(?im)^(?:Transfer-Encoding|Content-Length|Host)(?=:)"),
        b"X-Field",
        "RFC 9110 section 6.5.1: trailers are separate and do not affect framing; h11 and llhttp check them",
        in_body=True,
    ),
]


class Difference(AssertionError):
    """Raised if only our reader accepts a message, or if it parses the message differently."""


def compare(data: bytes, role: Role) -> Reading:
    """Compare the messages that our reader returns for `data` with those of h11 and llhttp.

    Each message that our reader accepts must be accepted by at least one of them, and all parsers that accept
    it must return the same message. If a message differs, intended deviations are replaced before it is
    compared again.

    :returns: the result of our reader.
    :raises Difference: if a message differs.
    """
    ours = read_ours(data, role)
    if not ours.messages:
        return ours
    start = 0
    for index, message in enumerate(ours.messages):
        rest = data[start:]
        fault = _difference(message, rest, role)
        if fault is not None:
            plain = without_deviations(rest, ours.heads[index] - start, ours.ends[index] - start)
            again = read_ours(plain, role).messages
            if plain == rest or not again or len(again[0].body) != len(message.body):
                raise Difference(f"{fault}\ninput: {rest!r}")
            fault = _difference(again[0], plain, role)
            if fault is not None:
                raise Difference(f"{fault}\ninput: {rest!r}\nwithout deviations: {plain!r}")
        start = ours.ends[index]
    return ours


def without_deviations(data: bytes, head_end: int, end: int) -> bytes:
    """Return the input with all intended deviations in its first message replaced."""
    head, body = data[:head_end], data[head_end:end]
    for deviation in DEVIATIONS:
        if deviation.in_body:
            body = deviation.pattern.sub(deviation.plain, body)
        else:
            head = deviation.pattern.sub(deviation.plain, head)
    return head + body + data[end:]


def _difference(message: Message, data: bytes, role: Role) -> str | None:
    """Return how our first message in `data` differs from those of h11 and llhttp, or None."""
    readings = {"h11": read_h11(data, role), "llhttp": read_llhttp(data, role)}
    agreed = False
    for name, reading in readings.items():
        if reading.messages:
            if reading.messages[0] != message:
                return f"ours {message}, {name} {reading.messages[0]}"
            agreed = True
    if agreed:
        return None
    reasons = "; ".join(f"{name}: {reading.refused or 'incomplete'}" for name, reading in readings.items())
    return f"only our reader accepts {message} ({reasons})"
