"""The opening handshake of a WebSocket, both sides (RFC 6455 section 4).

Theory of operation
-------------------
Pure functions over heads that the HTTP reader has validated. A server checks the request (`check_request`),
which gives an `Offer`: what the client would like; the application chooses, and `answer_headers` writes the
fields of the 101. A client writes its fields (`request_headers`) and checks the answer (`check_response`).
The key is an argument: 16 bytes of the caller's randomness.

What is refused, and why
------------------------
A request that is not GET or HTTP/1.1, that does not say ``Upgrade: websocket`` and ``Connection: Upgrade``,
or without a key of 16 bytes: each is how section 4.2.1 tells a WebSocket client from a form or a script that
was made to send to the server. Two keys or two versions: which of them counts is anyone's guess. Another
version than 13 is answered with 426 and the ones that are known (section 4.4); the drafts 7 and 8 frame in
the same way, and are still taken.

A client takes nothing but 101 with the very ``Sec-WebSocket-Accept`` that its key leads to, and nothing that
it has not asked for (section 4.1): otherwise a server that does not speak the protocol, or a cache, could be
taken for one that does.

Limits
------
`MAX_SUBPROTOCOLS` names offered; extensions as in `ws_extensions`; sizes are bounded by the reader of heads.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Final, Protocol

from tornado._wire.headers import is_token
from tornado._wire.start_line import shown
from tornado._wire.ws_deflate import (
    EXTENSION,
    DeflateParameters,
    DeflatePolicy,
    accept_offer,
    check_answer,
    make_offers,
)
from tornado._wire.ws_errors import HandshakeError
from tornado._wire.ws_extensions import Extension, parse_extensions

__all__ = [
    "MAX_SUBPROTOCOLS",
    "VERSIONS",
    "Offer",
    "accept_value",
    "answer_headers",
    "check_request",
    "check_response",
    "make_key",
    "request_headers",
]

#: The versions of the protocol that are taken.
VERSIONS: Final = ("13", "8", "7")
#: Subprotocols that a client may offer; real ones offer one to five.
MAX_SUBPROTOCOLS: Final = 64
#: Section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Fields(Protocol):
    """What is asked of header fields: all lines of a name, in order, whatever its case."""

    def get_list(self, name: str) -> list[str]:
        """The values of `name`, one a line; empty if there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """What a client that opens a WebSocket sends (RFC 6455 section 4.2.2, number 4).

    :ivar key: its ``Sec-WebSocket-Key``.
    :ivar version: of the protocol.
    :ivar subprotocols: in the order of its preference.
    :ivar extensions: likewise.
    """

    key: str
    version: str
    subprotocols: tuple[str, ...]
    extensions: tuple[Extension, ...]

    def deflate(self, policy: DeflatePolicy | None) -> tuple[DeflateParameters, str] | None:
        """What can be agreed about compression, with the field's value; None for no compression."""
        return None if policy is None else accept_offer(self.extensions, policy)


def make_key(nonce: bytes) -> str:
    """A ``Sec-WebSocket-Key`` of 16 random bytes.

    :raises ValueError: if there are not 16 of them.
    """
    if len(nonce) != 16:
        raise ValueError(f"a key is made of 16 bytes, not {len(nonce)}")
    return base64.b64encode(nonce).decode("ascii")


def accept_value(key: str) -> str:
    """The ``Sec-WebSocket-Accept`` for a key.

    >>> accept_value("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


# -- server --


def check_request(method: str, version: str, headers: Fields) -> Offer:
    """Check a client's handshake (RFC 6455 section 4.2.1).

    :param version: of HTTP, as in ``HTTP/1.1``.
    :raises HandshakeError: with the status to answer with.
    """
    if method != "GET" or version == "HTTP/1.0":
        raise HandshakeError(f"a WebSocket is opened by GET and HTTP/1.1, not by {shown(method)}, {version}")
    if "websocket" not in _members(headers, "Upgrade"):
        # RFC 9110 section 15.5.22 would have 426; programs know 400 from Tornado.
        raise HandshakeError('the request does not say "Upgrade: websocket"')
    if "upgrade" not in _members(headers, "Connection"):
        raise HandshakeError('the request does not say "Connection: Upgrade"')
    spoken = _only(headers, "Sec-WebSocket-Version")
    if spoken not in VERSIONS:
        known = ("Sec-WebSocket-Version", ", ".join(VERSIONS))
        raise HandshakeError(f"version {shown(spoken)} of the WebSocket protocol is not known", 426, (known,))
    key = _only(headers, "Sec-WebSocket-Key")
    _check_key(key)
    return Offer(
        key,
        spoken,
        _read_subprotocols(headers),
        tuple(parse_extensions(headers.get_list("Sec-WebSocket-Extensions"))),
    )


def answer_headers(
    offer: Offer, subprotocol: str | None = None, extensions: str | None = None
) -> list[tuple[str, str]]:
    """The fields of a server's 101 (RFC 6455 section 4.2.2, number 5).

    :param subprotocol: the one chosen.
    :param extensions: the value that `Offer.deflate` gave.
    :raises ValueError: if the subprotocol was not offered.
    """
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_value(offer.key)),
    ]
    if subprotocol is not None:
        if subprotocol not in offer.subprotocols:
            raise ValueError(f"the client has not offered the subprotocol {subprotocol!r}")
        fields.append(("Sec-WebSocket-Protocol", subprotocol))
    if extensions is not None:
        fields.append(("Sec-WebSocket-Extensions", extensions))
    return fields


def _check_key(key: str) -> None:
    try:
        decoded = base64.b64decode(key.encode("latin-1"), validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != 16:
        raise HandshakeError(f"Sec-WebSocket-Key: not 16 bytes in base64: {shown(key)}")


def _read_subprotocols(headers: Fields) -> tuple[str, ...]:
    names = [
        name.strip(" \t") for line in headers.get_list("Sec-WebSocket-Protocol") for name in line.split(",")
    ]
    names = [name for name in names if name]
    if len(names) > MAX_SUBPROTOCOLS:
        raise HandshakeError(f"Sec-WebSocket-Protocol: more than {MAX_SUBPROTOCOLS} subprotocols")
    for name in names:
        if not is_token(name):
            raise HandshakeError(f"Sec-WebSocket-Protocol: {shown(name)} is no token")
    if len(set(names)) != len(names):
        raise HandshakeError("Sec-WebSocket-Protocol: a subprotocol is named twice")
    return tuple(names)


def _members(headers: Fields, name: str) -> list[str]:
    """The members of a list, in lower case."""
    return [member.strip(" \t") for line in headers.get_list(name) for member in line.lower().split(",")]


def _only(headers: Fields, name: str) -> str:
    """The value of a field that has to be there once."""
    values = headers.get_list(name)
    if len(values) != 1:
        raise HandshakeError(f"{name}: {'more than one' if values else 'missing'}")
    return values[0].strip(" \t")


# -- client --


def request_headers(
    key: str, subprotocols: Sequence[str] = (), policy: DeflatePolicy | None = None
) -> list[tuple[str, str]]:
    """The fields that a client's request has besides those of any request (RFC 6455 section 4.1).

    :param key: from `make_key`.
    :param policy: for compression; None to offer none.
    :raises ValueError: if a subprotocol is no token, or named twice.
    """
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", VERSIONS[0]),
    ]
    if subprotocols:
        if len(set(subprotocols)) != len(subprotocols) or not all(map(is_token, subprotocols)):
            raise ValueError(f"subprotocols are different tokens, not {list(subprotocols)!r}")
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    if policy is not None:
        fields.append(("Sec-WebSocket-Extensions", make_offers(policy)))
    return fields


def check_response(
    code: int,
    headers: Fields,
    key: str,
    subprotocols: Sequence[str] = (),
    policy: DeflatePolicy | None = None,
) -> tuple[str | None, DeflateParameters | None]:
    """Check a server's answer (RFC 6455 section 4.1, after "Once the client's opening handshake").

    :param code: the status.
    :param key: what was sent, as `subprotocols` and `policy` are.
    :return: the subprotocol that the server chose, and what it agreed to about compression.
    :raises HandshakeError: if the connection must not be used.
    """
    if code != 101:
        raise HandshakeError(f"the server answers with status {code}, not 101")
    if _only(headers, "Upgrade").lower() != "websocket":
        raise HandshakeError('the answer does not say "Upgrade: websocket"')
    if "upgrade" not in _members(headers, "Connection"):
        raise HandshakeError('the answer does not say "Connection: Upgrade"')
    if _only(headers, "Sec-WebSocket-Accept") != accept_value(key):
        raise HandshakeError("Sec-WebSocket-Accept: not what the key leads to")
    chosen = None
    if headers.get_list("Sec-WebSocket-Protocol"):
        chosen = _only(headers, "Sec-WebSocket-Protocol")
        if chosen not in subprotocols:
            raise HandshakeError(f"Sec-WebSocket-Protocol: {shown(chosen)} was not offered")
    return chosen, _agreed_extension(headers, policy)


def _agreed_extension(headers: Fields, policy: DeflatePolicy | None) -> DeflateParameters | None:
    extensions = parse_extensions(headers.get_list("Sec-WebSocket-Extensions"))
    if not extensions:
        return None
    first = extensions[0]
    if policy is None or first.name != EXTENSION or len(extensions) > 1:
        names = ", ".join(extension.name for extension in extensions)
        raise HandshakeError(f"Sec-WebSocket-Extensions: {names} was not offered, or not twice")
    return check_answer(first, policy)
