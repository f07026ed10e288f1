"""A case: what is sent, and what a server may answer.

A case is data. Its outcomes are told in the words of this module::

    must("two-hosts", "9112 3.2", get("Host: b.example"), refused(400))
    should("double-space", "9112 3", head("GET  /x HTTP/1.1", HOST), refused(400), echo(target="/x"))

`must` says that the clause decides the case by a MUST, `should` that it does so by a SHOULD, by its grammar
or by naming what a recipient MAY do. Of several outcomes that are allowed Waterspout's is the first one, or
the one that ``ours`` names::

    should("version-empty", "9112 2.3", head("GET /x", HOST), refused(400, 505), ours=refused(400))

Its own test holds it to that one, which therefore has one status for each answer and one end.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: The Host field of the cases that are not about it.
HOST: Final = "Host: a.example"


class End(enum.Enum):
    """What is true of the connection when the answers have come."""

    OPEN = "open"  #: a further request on it is answered
    CLOSED = "closed"  #: the server closed it, and answered nothing that came behind
    EITHER = "open or closed"


class Wait(enum.Enum):
    """A mark among the parts of a case: the rest is sent when one more answer has come."""

    ANSWER = "answer"


ANSWER: Final = Wait.ANSWER


@dataclass(frozen=True)
class Answer:
    """One response.

    :ivar codes: the statuses it may have.
    :ivar seen: what the echoing handler has to have understood: ``method``, ``target``, ``version``,
        ``host``, ``body`` (bytes), ``fields`` (lower-case name -> its values in order), ``absent`` (names
        that must not be there).
    :ivar says: fields the response must have; a value is compared in lower case, None allows any.
    :ivar bodiless: it answers a HEAD request: whatever its length says, no body follows.
    :ivar lacks: fields that it must not have, in lower case.
    """

    codes: frozenset[int]
    seen: Mapping[str, Any] = field(default_factory=dict)
    says: Mapping[str, str | None] = field(default_factory=dict)
    bodiless: bool = False
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The responses to a case, all of them, and what becomes of the connection."""

    answers: tuple[Answer, ...]
    end: End


Part = bytes | Wait


@dataclass(frozen=True)
class Case:
    """One case of the corpus.

    :ivar parts: octets to send, and marks to wait at.
    :ivar clause: the RFC and its section that decide, such as ``"9112 6.3"``, or another source.
    :ivar outcomes: what is allowed.
    :ivar ours: what Waterspout does.
    :ivar binding: the clause decides by a MUST.
    :ivar half_close: nothing follows, and the sending side is closed; else a further request follows.
    :ivar only: names of the servers whose settings or handlers the case is about; empty for any server.
    :ivar tls: it is sent under TLS alone, or over TCP alone; None for both.
    :ivar group: the module it stands in.
    """

    name: str
    clause: str
    parts: tuple[Part, ...]
    outcomes: tuple[Outcome, ...]
    ours: Outcome
    binding: bool
    half_close: bool = False
    only: tuple[str, ...] = ()
    tls: bool | None = None
    group: str = ""

    @property
    def title(self) -> str:
        """Group and name."""
        return f"{self.group}/{self.name}"

    def bodiless(self, index: int) -> bool:
        """Whether the response at ``index`` answers a HEAD request."""
        return any(index < len(each.answers) and each.answers[index].bodiless for each in self.outcomes)


def must(
    name: str,
    clause: str,
    data: bytes | tuple[Part, ...],
    *outcomes: Outcome,
    ours: Outcome | None = None,
    half_close: bool = False,
    only: tuple[str, ...] = (),
    tls: bool | None = None,
) -> Case:
    """A case that the clause decides by a MUST."""
    return Case(name, clause, _parts(data), outcomes, ours or outcomes[0], True, half_close, only, tls)


def should(
    name: str,
    clause: str,
    data: bytes | tuple[Part, ...],
    *outcomes: Outcome,
    ours: Outcome | None = None,
    half_close: bool = False,
    only: tuple[str, ...] = (),
    tls: bool | None = None,
) -> Case:
    """A case that the clause decides by a SHOULD, by its grammar, or by what it lets a recipient do."""
    return Case(name, clause, _parts(data), outcomes, ours or outcomes[0], False, half_close, only, tls)


def _parts(data: bytes | tuple[Part, ...]) -> tuple[Part, ...]:
    return (data,) if isinstance(data, bytes) else data


# Outcomes


def seen(lacks: tuple[str, ...] = (), **expected: Any) -> Answer:
    """The handler was reached and understood this; see `Answer`."""
    return Answer(frozenset({200}), expected, lacks=lacks)


def code(*codes: int, bodiless: bool = False, lacks: tuple[str, ...] = (), **says: str | None) -> Answer:
    """A response with one of these statuses, and these fields (``_`` stands for ``-``)."""
    fields = {name.replace("_", "-"): value for name, value in says.items()}
    return Answer(frozenset(codes), says=fields, bodiless=bodiless, lacks=lacks)


def opened(*answers: Answer) -> Outcome:
    """These responses, and the connection goes on."""
    return Outcome(answers, End.OPEN)


def closed(*answers: Answer) -> Outcome:
    """These responses, no others, and the connection is closed."""
    return Outcome(answers, End.CLOSED)


def either(*answers: Answer) -> Outcome:
    """These responses; the connection may go on or be closed."""
    return Outcome(answers, End.EITHER)


def echo(**expected: Any) -> Outcome:
    """One request understood so, and the connection goes on."""
    return opened(seen(**expected))


def last(**expected: Any) -> Outcome:
    """One request understood so, and the connection is closed after it."""
    return closed(seen(**expected))


def refused(*codes: int) -> Outcome:
    """One response with one of these statuses, and the connection is closed."""
    return closed(code(*codes))


# Requests


def octets(text: str | bytes) -> bytes:
    """A line's octets; text is Latin-1, one octet a character."""
    return text.encode("latin-1") if isinstance(text, str) else text


def head(*lines: str | bytes) -> bytes:
    """A request line and field lines, each ended by CR LF, and the empty line."""
    return b"\r\n".join([*map(octets, lines), b"", b""])


def framed(method: str, target: str, body: bytes, *fields: str, chunked: bool = False) -> bytes:
    """A request with a Host field and a body, whose length is told, or which is one chunk."""
    if chunked:
        framing, body = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        framing = f"Content-Length: {len(body)}"
    return head(f"{method} {target} HTTP/1.1", HOST, framing, *fields) + body


def get(*fields: str | bytes, target: str = "/x", version: str = "HTTP/1.1") -> bytes:
    """A GET request with a Host field and these."""
    return head(f"GET {target} {version}", HOST, *fields)


def post(*fields: str | bytes, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    """A POST request with a Host field and these, and what stands behind its head."""
    return head(f"POST /x {version}", HOST, *fields) + body


def sized(body: bytes, *fields: str | bytes, version: str = "HTTP/1.1") -> bytes:
    """A POST request with a Content-Length."""
    return post(f"Content-Length: {len(body)}", *fields, body=body, version=version)


def chunked(body: bytes, *fields: str | bytes, version: str = "HTTP/1.1") -> bytes:
    """A POST request in the chunked coding; ``body`` is in that coding already."""
    return post("Transfer-Encoding: chunked", *fields, body=body, version=version)
