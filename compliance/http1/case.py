"""A case: the octets to send, and the permitted responses of a server.

A case is data. Its outcomes are described with the functions of this module::

    must("two-hosts", "9112 3.2", get("Host: b.example"), refused(400))
    should("double-space", "9112 3", head("GET  /x HTTP/1.1", HOST), refused(400), echo(target="/x"))

`must` is for cases that the clause decides by a MUST; `should` is for those that it decides by a SHOULD, by
its grammar, or by describing what a recipient MAY do. If several outcomes are allowed, Waterspout's is the
first one or the one given as ``ours``::

    should("version-empty", "9112 2.3", head("GET /x", HOST), refused(400, 505), ours=refused(400))

The test of Waterspout requires that outcome, which therefore has one status for each response and one end.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: The Host field of all cases that do not test this field.
HOST: Final = "Host: a.example"


class End(enum.Enum):
    """Whether the connection stays open after the responses."""

    OPEN = "open"  #: a further request on it gets a response
    CLOSED = "closed"  #: the server closed it, without a response to anything after the case
    EITHER = "open or closed"


class Wait(enum.Enum):
    """A mark among the parts of a case: the parts after it are sent after one more response."""

    ANSWER = "answer"


ANSWER: Final = Wait.ANSWER


@dataclass(frozen=True)
class Answer:
    """A response.

    :ivar codes: the permitted statuses.
    :ivar seen: how the echo handler must have understood the request: ``method``, ``target``, ``version``,
        ``host``, ``body`` (bytes), ``fields`` (lower-case name -> values in order), ``absent`` (names that
        must be absent).
    :ivar says: fields that the response must have; a value is compared in lower case, None allows any value.
    :ivar bodiless: whether it responds to a HEAD request, so that no body follows regardless of its length.
    :ivar lacks: lower-case names of fields that it must not have.
    """

    codes: frozenset[int]
    seen: Mapping[str, Any] = field(default_factory=dict)
    says: Mapping[str, str | None] = field(default_factory=dict)
    bodiless: bool = False
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """All responses to a case, and the resulting state of the connection."""

    answers: tuple[Answer, ...]
    end: End


Part = bytes | Wait


@dataclass(frozen=True)
class Case:
    """A case of the corpus.

    :ivar parts: octets to send, and marks to wait at.
    :ivar clause: the RFC and section that decides the case, such as ``"9112 6.3"``, or another source.
    :ivar outcomes: the permitted outcomes.
    :ivar ours: the outcome of Waterspout.
    :ivar binding: whether the clause decides by a MUST.
    :ivar half_close: whether the sending side is closed after the case; otherwise another request follows.
    :ivar only: names of the servers whose settings or handlers the case tests; empty for all servers.
    :ivar tls: True for TLS only, False for TCP only, None for both.
    :ivar group: the module of the case.
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
        """The group and the name."""
        return f"{self.group}/{self.name}"

    def bodiless(self, index: int) -> bool:
        """Whether the response at ``index`` is for a HEAD request."""
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
    """Return a case that the clause decides by a MUST."""
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
    """Return a case that the clause decides by a SHOULD, by its grammar, or by what it permits a recipient to
    do.
    """
    return Case(name, clause, _parts(data), outcomes, ours or outcomes[0], False, half_close, only, tls)


def _parts(data: bytes | tuple[Part, ...]) -> tuple[Part, ...]:
    return (data,) if isinstance(data, bytes) else data


# Outcomes


def seen(lacks: tuple[str, ...] = (), **expected: Any) -> Answer:
    """Return a response of the handler, which understood the request as `expected`; see `Answer`."""
    return Answer(frozenset({200}), expected, lacks=lacks)


def code(*codes: int, bodiless: bool = False, lacks: tuple[str, ...] = (), **says: str | None) -> Answer:
    """Return a response with one of these statuses and with these fields (``_`` is replaced by ``-``)."""
    fields = {name.replace("_", "-"): value for name, value in says.items()}
    return Answer(frozenset(codes), says=fields, bodiless=bodiless, lacks=lacks)


def opened(*answers: Answer) -> Outcome:
    """Return the outcome: the server sends these responses, and the connection stays open."""
    return Outcome(answers, End.OPEN)


def closed(*answers: Answer) -> Outcome:
    """Return the outcome: the server sends exactly these responses and closes the connection."""
    return Outcome(answers, End.CLOSED)


def either(*answers: Answer) -> Outcome:
    """Return the outcome: the server sends these responses; the connection may stay open or be closed."""
    return Outcome(answers, End.EITHER)


def echo(**expected: Any) -> Outcome:
    """Return the outcome: the server understands one request as `expected`, and the connection stays open."""
    return opened(seen(**expected))


def last(**expected: Any) -> Outcome:
    """Return the outcome: the server understands one request as `expected`, and closes the connection."""
    return closed(seen(**expected))


def refused(*codes: int) -> Outcome:
    """Return the outcome: the server responds with one of these statuses, and closes the connection."""
    return closed(code(*codes))


# Requests


def octets(text: str | bytes) -> bytes:
    """Return the octets of a line; text is encoded as Latin-1, one octet per character."""
    return text.encode("latin-1") if isinstance(text, str) else text


def head(*lines: str | bytes) -> bytes:
    """Return a request line and field lines, each with CR LF, followed by the empty line."""
    return b"\r\n".join([*map(octets, lines), b"", b""])


def framed(method: str, target: str, body: bytes, *fields: str, chunked: bool = False) -> bytes:
    """Return a request with a Host field and a body, either with Content-Length or as one chunk."""
    if chunked:
        framing, body = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        framing = f"Content-Length: {len(body)}"
    return head(f"{method} {target} HTTP/1.1", HOST, framing, *fields) + body


def get(*fields: str | bytes, target: str = "/x", version: str = "HTTP/1.1") -> bytes:
    """Return a GET request with a Host field and the given fields."""
    return head(f"GET {target} {version}", HOST, *fields)


def post(*fields: str | bytes, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    """Return a POST request with a Host field, the given fields, and the octets after its head."""
    return head(f"POST /x {version}", HOST, *fields) + body


def sized(body: bytes, *fields: str | bytes, version: str = "HTTP/1.1") -> bytes:
    """Return a POST request with Content-Length."""
    return post(f"Content-Length: {len(body)}", *fields, body=body, version=version)


def chunked(body: bytes, *fields: str | bytes, version: str = "HTTP/1.1") -> bytes:
    """Return a POST request with the chunked coding; ``body`` is already encoded."""
    return post("Transfer-Encoding: chunked", *fields, body=body, version=version)
