"""Ours against h11 and llhttp: where they differ, and which differences are meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuzz.support.peers import Message, Reading, read_h11, read_llhttp, read_ours
from tornado._wire.h1 import Role


@dataclass(frozen=True)
class Deviation:
    """Something that we take although h11 or llhttp does not.

    :ivar name: what it is.
    :ivar pattern: finds it, in the head or the body of one message.
    :ivar plain: what it is replaced with to be out of the way: others take that.
    :ivar reason: why we take it.
    :ivar in_body: it is in the coding of a body, not in the head.
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
        "RFC 9112 section 6.3 frames it like any other; llhttp takes whatever follows for the tunnel's",
    ),
    Deviation(
        "Host beside an absolute target",
        re.compile(rb"(?i)\A([^ ]+ )https?://[^/? ]*/?"),
        rb"\1/",
        "RFC 9112 section 3.2.2: the target's authority replaces it; the others leave that to the program",
    ),
    Deviation(
        "octets from 0x80 up in a target",
        re.compile(rb"[\x80-\xff](?=[^\r\n ]* HTTP/1\.[0-9]\r?\n)"),
        b"x",
        "not in RFC 3986, but browsers and old servers send them; Tornado takes them, as Latin-1",
    ),
    Deviation(
        "white space before a chunk extension",
        re.compile(rb"(?m)^([0-9A-Fa-f]+)[ \t]+(?=;)"),
        rb"\1",
        "RFC 9112 section 7.1.1: BWS; neither h11 nor llhttp reads the grammar so far",
        in_body=True,
    ),
    Deviation(
        "fields about framing among the trailers",
        re.compile(rb"(?im)^(?:Transfer-Encoding|Content-Length|Host)(?=:)"),
        b"X-Field",
        "RFC 9110 section 6.5.1: trailers are kept apart and decide nothing; h11 and llhttp judge them",
        in_body=True,
    ),
]


class Difference(AssertionError):
    """We take what nobody else takes, or read what is accepted in another way; the message tells all."""


def compare(data: bytes, role: Role) -> Reading:
    """Hold what we make of `data` against what the peers make of it.

    Each message that we take must be taken by one of them at least, and be the same message to all that take
    it. Deviations that are meant are taken out first where they matter.

    :returns: what we make of it.
    :raises Difference: if that is not so.
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
    """The input with everything replaced that we are known to take in its first message and others not."""
    head, body = data[:head_end], data[head_end:end]
    for deviation in DEVIATIONS:
        if deviation.in_body:
            body = deviation.pattern.sub(deviation.plain, body)
        else:
            head = deviation.pattern.sub(deviation.plain, head)
    return head + body + data[end:]


def _difference(message: Message, data: bytes, role: Role) -> str | None:
    """How what we read as the first message in `data` differs from what others read there."""
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
    return f"only we take {message} ({reasons})"
