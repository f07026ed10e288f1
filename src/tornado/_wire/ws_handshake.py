"""The opening handshake of a WebSocket, on the server and in the client (RFC 6455 section 4).

Theory of operation
-------------------
This module consists of pure functions on message heads that the HTTP reader has validated. A server checks
the request with `check_request`, which returns the `Offer` of the client. The application chooses among the
offered options, and `response_headers` returns the header fields of the 101 response. A client adds the
fields of `request_headers` to its request and checks the response with `check_response`. The caller supplies
the 16 random bytes of the key.

Rejected input
--------------
A server rejects a request that is not a GET in HTTP/1.1, that lacks ``Upgrade: websocket`` or ``Connection:
Upgrade``, or that has no key of 16 bytes. These requirements of section 4.2.1 prevent HTML forms, and HTTP
requests sent by scripts, from opening a WebSocket. Two keys or two versions are rejected as ambiguous. The
response to an unsupported version has status 426 and lists the supported versions (section 4.4): 13, and the
draft versions 7 and 8, which use the same framing.

A client accepts only a 101 response whose ``Sec-WebSocket-Accept`` matches its key, and only options that it
has offered (section 4.1). Otherwise a server or a cache that does not implement the protocol could appear to
accept the handshake.

Limits
------
A client may offer at most `MAX_SUBPROTOCOLS` subprotocols; `ws_extensions` limits the extensions. The length
of the fields is bounded by the limit on the size of the head.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from tornado._wire.headers import FieldNames, is_token
from tornado._wire.start_line import shown
from tornado._wire.ws_deflate import (
    EXTENSION,
    DeflateParameters,
    DeflatePolicy,
    accept_offer,
    check_extension_response,
    make_offers,
)
from tornado._wire.ws_errors import HandshakeError
from tornado._wire.ws_extensions import Extension, parse_extensions

__all__ = [
    "MAX_SUBPROTOCOLS",
    "VERSIONS",
    "Offer",
    "accept_value",
    "check_request",
    "check_response",
    "make_key",
    "request_headers",
    "response_block",
    "response_headers",
]

#: The supported versions of the protocol.
VERSIONS: Final = ("13", "8", "7")
#: The maximum number of subprotocols that a client may offer; real clients offer one to five.
MAX_SUBPROTOCOLS: Final = 64
try:
    # For a few bytes, this function takes half the time of hashlib.sha1; the digest is the same.
    from _sha1 import sha1 as _sha1  # type: ignore[import-not-found]
except ImportError:

    def _sha1(data: bytes) -> Any:
        return hashlib.sha1(data, usedforsecurity=False)


#: The fields of every 101 response, up to the value of the last one.
_UPGRADE_FIELDS: Final = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-Websocket-Accept: "
# The GUID defined in section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class HeaderFields(Protocol):
    """A collection of header fields, such as `.HTTPHeaders`."""

    def get(self, name: str) -> str | None:
        """Return the values of all fields called `name`, joined with commas, or None if there is none; the
        case of the name is ignored.
        """

    def get_list(self, name: str) -> list[str]:
        """Return the values of all fields called `name`, in order."""


class Offer(NamedTuple):
    """The options that a client offers in its handshake (RFC 6455 section 4.2.2, number 4).

    :ivar key: the value of ``Sec-WebSocket-Key``.
    :ivar version: the version of the protocol.
    :ivar subprotocols: the offered subprotocols, in the client's order of preference.
    :ivar extensions: the offered extensions, in the client's order of preference.
    """

    key: str
    version: str
    subprotocols: tuple[str, ...]
    extensions: tuple[Extension, ...]

    def deflate(self, policy: DeflatePolicy | None) -> tuple[DeflateParameters, str] | None:
        """Negotiate compression; see `accept_offer`. Return None for no compression."""
        return None if policy is None else accept_offer(self.extensions, policy)


def make_key(nonce: bytes) -> str:
    """Return the ``Sec-WebSocket-Key`` for 16 random bytes.

    :raises ValueError: if `nonce` does not have 16 bytes.
    """
    if len(nonce) != 16:
        raise ValueError(f"nonce must be 16 bytes, got {len(nonce)}")
    return base64.b64encode(nonce).decode("ascii")


def accept_value(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` for a ``Sec-WebSocket-Key``.

    >>> accept_value("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = _sha1(key.encode("latin-1") + _GUID).digest()
    return binascii.b2a_base64(digest, newline=False).decode("ascii")


# -- server --

#: The fields of a client's handshake.
_request_fields: Final = FieldNames(
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
)


def check_request(method: str, version: str, headers: HeaderFields) -> Offer:
    """Check the request of a client's handshake (RFC 6455 section 4.2.1).

    :param version: the HTTP version, such as ``HTTP/1.1``.
    :raises HandshakeError: if the request is not a valid handshake; the error has the response's status code.
    """
    if method != "GET" or version == "HTTP/1.0":
        raise HandshakeError(f"WebSocket handshake requires GET and HTTP/1.1, got {shown(method)}, {version}")
    upgrade, connection, ws_version, key, subprotocols, extensions = _request_fields.values_in(headers)
    if not _has_element(upgrade, "websocket"):
        # RFC 9110 section 15.5.22 suggests 426, but programs expect Tornado's 400.
        raise HandshakeError('the request lacks the header field "Upgrade: websocket"')
    if not _has_element(connection, "upgrade"):
        raise HandshakeError('the request lacks the header field "Connection: Upgrade"')
    ws_version = _single_value(headers, "Sec-WebSocket-Version", ws_version)
    if ws_version not in VERSIONS:
        known = ("Sec-WebSocket-Version", ", ".join(VERSIONS))
        raise HandshakeError(f"Sec-WebSocket-Version: unsupported version {shown(ws_version)}", 426, (known,))
    key = _single_value(headers, "Sec-WebSocket-Key", key)
    _check_key(key)
    return Offer(
        key,
        ws_version,
        () if subprotocols is None else _read_subprotocols(subprotocols),
        () if extensions is None else tuple(parse_extensions((extensions,))),
    )


def response_headers(
    offer: Offer, subprotocol: str | None = None, extensions: str | None = None
) -> list[tuple[str, str]]:
    """Return the header fields of a server's 101 response (RFC 6455 section 4.2.2, number 5), with names in
    the form in which `.HTTPHeaders` sends them.

    :param subprotocol: the chosen subprotocol, None for none.
    :param extensions: the field value that `Offer.deflate` returned, None for none.
    :raises ValueError: if the client did not offer the subprotocol.
    """
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-Websocket-Accept", accept_value(offer.key)),
    ]
    if subprotocol is not None:
        if subprotocol not in offer.subprotocols:
            offered = ", ".join(offer.subprotocols) or "none"
            raise ValueError(f"subprotocol must be one of those offered ({offered}), got {subprotocol!r}")
        fields.append(("Sec-Websocket-Protocol", subprotocol))
    if extensions is not None:
        fields.append(("Sec-Websocket-Extensions", extensions))
    return fields


def response_block(offer: Offer, subprotocol: str | None = None, extensions: str | None = None) -> bytes:
    """Return the header fields of `response_headers`, serialized, and the empty line."""
    if subprotocol is None and extensions is None:
        return _UPGRADE_FIELDS + accept_value(offer.key).encode("ascii") + b"\r\n\r\n"
    fields = response_headers(offer, subprotocol, extensions)
    return ("".join([f"{name}: {value}\r\n" for name, value in fields]) + "\r\n").encode("latin-1")


def _check_key(key: str) -> None:
    try:
        decoded = binascii.a2b_base64(key.encode("latin-1"), strict_mode=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != 16:
        raise HandshakeError(f"Sec-WebSocket-Key: expected 16 bytes in Base64, got {shown(key)}")


def _read_subprotocols(value: str) -> tuple[str, ...]:
    names = [name for each in value.split(",") if (name := each.strip(" \t"))]
    if len(names) > MAX_SUBPROTOCOLS:
        raise HandshakeError(f"Sec-WebSocket-Protocol: more than {MAX_SUBPROTOCOLS} subprotocols")
    for name in names:
        if not is_token(name):
            raise HandshakeError(f"Sec-WebSocket-Protocol: {shown(name)} is not a token")
    if len(set(names)) != len(names):
        raise HandshakeError("Sec-WebSocket-Protocol: duplicate subprotocol")
    return tuple(names)


def _has_element(value: str | None, element: str) -> bool:
    """Whether the value of a list-based field has an element.

    :param value: the value; None if the field is absent.
    :param element: the element in lower case; the case of the field is ignored.
    """
    if value is None:
        return False
    value = value.lower()
    return value == element or element in [each.strip(" \t") for each in value.split(",")]


def _single_value(headers: HeaderFields, name: str, value: str | None) -> str:
    """Return the value of a field that must occur exactly once.

    :param value: the result of ``headers.get(name)``.
    """
    if value is None:
        raise HandshakeError(f"{name}: missing")
    if "," in value and len(headers.get_list(name)) > 1:
        raise HandshakeError(f"{name}: more than one value")
    return value.strip(" \t")


# -- client --


def request_headers(
    key: str, subprotocols: Sequence[str] = (), policy: DeflatePolicy | None = None
) -> list[tuple[str, str]]:
    """Return the header fields that a client adds to the request of its handshake (RFC 6455 section 4.1).

    :param key: the key from `make_key`.
    :param policy: the compression policy; None to offer no compression.
    :raises ValueError: if a subprotocol is not a token, or occurs twice.
    """
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", VERSIONS[0]),
    ]
    if subprotocols:
        if len(set(subprotocols)) != len(subprotocols) or not all(map(is_token, subprotocols)):
            raise ValueError(f"subprotocols must be distinct tokens, got {list(subprotocols)!r}")
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    if policy is not None:
        fields.append(("Sec-WebSocket-Extensions", make_offers(policy)))
    return fields


def check_response(
    code: int,
    headers: HeaderFields,
    key: str,
    subprotocols: Sequence[str] = (),
    policy: DeflatePolicy | None = None,
) -> tuple[str | None, DeflateParameters | None]:
    """Check the response of a server (RFC 6455 section 4.1, after "Once the client's opening handshake").

    :param code: the status code.
    :param key: the key that was passed to `request_headers`. `subprotocols` and `policy` must be those passed
        to it, too.
    :returns: the subprotocol that the server chose, None for none, and the compression parameters, None for
        no compression.
    :raises HandshakeError: if the response is invalid, so that the connection must not be used.
    """
    if code != 101:
        raise HandshakeError(f"expected status code 101 (Switching Protocols), got {code}")
    if _single_value(headers, "Upgrade", headers.get("Upgrade")).lower() != "websocket":
        raise HandshakeError('the response lacks the header field "Upgrade: websocket"')
    if not _has_element(headers.get("Connection"), "upgrade"):
        raise HandshakeError('the response lacks the header field "Connection: Upgrade"')
    accept = headers.get("Sec-WebSocket-Accept")
    if _single_value(headers, "Sec-WebSocket-Accept", accept) != accept_value(key):
        raise HandshakeError("Sec-WebSocket-Accept: does not match the Sec-WebSocket-Key of the request")
    chosen = None
    if headers.get_list("Sec-WebSocket-Protocol"):
        chosen = _single_value(headers, "Sec-WebSocket-Protocol", headers.get("Sec-WebSocket-Protocol"))
        if chosen not in subprotocols:
            raise HandshakeError(f"Sec-WebSocket-Protocol: {shown(chosen)} was not offered")
    return chosen, _agreed_extension(headers, policy)


def _agreed_extension(headers: HeaderFields, policy: DeflatePolicy | None) -> DeflateParameters | None:
    extensions = parse_extensions(headers.get_list("Sec-WebSocket-Extensions"))
    if not extensions:
        return None
    first = extensions[0]
    if policy is None or first.name != EXTENSION or len(extensions) > 1:
        names = ", ".join(extension.name for extension in extensions)
        raise HandshakeError(
            f"Sec-WebSocket-Extensions: expected only offered extensions, each once, got {names}"
        )
    return check_extension_response(first, policy)
