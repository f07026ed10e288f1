"""permessage-deflate: the negotiation of compression, the compressor and the decompressor (RFC 7692).

Theory of operation
-------------------
The negotiation consists of pure functions. A server checks the offers of a client in order and accepts the
first valid one (`accept_offer`). A client makes offers (`make_offers`) and checks the response of the server
(`check_extension_response`). A `DeflatePolicy` contains the settings of this side. The result is a
`DeflateParameters`, which compares by content; all connections with the same parameters share one instance.

A `DeflateCodec` contains the state of one connection. The compressor and the decompressor are created on
first use; until then, it contains only a few references. The compressor (about 256 KiB with zlib's defaults,
52 KiB with a window of 11 bits and memory level 4) may be released at any time (`DeflateCodec.release`): the
output of a new compressor does not refer to earlier data, and every decompressor accepts that. The
decompressor (about 40 KiB) can be released only if the peer has agreed not to refer to earlier messages. If
so, it is released at the end of each message.

The caller sets the size of each decompression step, so a small input with a large output neither exhausts
memory nor blocks the event loop. The caller also keeps the input that has not been consumed.

Rejected input
--------------
A server ignores an offer with an unknown, repeated or invalid parameter, as section 7.1 requires. A client
fails the connection if the response has such a parameter, accepts more than the client offered, or lacks a
parameter that the client required. Data after a final block of DEFLATE, other than the padding of section
7.2.3.5, is rejected: no known program sends it, and each such block would cost a new context. After a final
block, the next message must not refer to earlier messages.

zlib cannot compress with a window of 8 bits (256 bytes). If the peer does not permit a larger window,
messages are sent uncompressed, which section 6 allows.

Limits
------
The caller limits the size of the decompressed data, step by step.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import zlib
from collections.abc import Iterable
from typing import Final

from tornado._wire.ws_errors import HandshakeError, ProtocolError
from tornado._wire.ws_extensions import Extension, format_extension

__all__ = [
    "EXTENSION",
    "DeflateCodec",
    "DeflateParameters",
    "DeflatePolicy",
    "Inflater",
    "accept_offer",
    "check_extension_response",
    "compress_once",
    "make_offers",
]

EXTENSION: Final = "permessage-deflate"
#: Section 7.2.1: the last four bytes of an empty uncompressed block. The sender removes them from the end of
#: each message, and the receiver appends them.
TAIL: Final = b"\x00\x00\xff\xff"
#: The maximum size of compressed data passed to zlib in one step, in bytes. zlib copies the part that a step
#: does not consume.
MAX_STEP_INPUT: Final = 64 * 1024

_SMALLEST_WINDOW: Final = 9  # the minimum of zlib for raw DEFLATE
# Sections 7.1.2.1 and 7.1.2.2: a decimal integer from 8 to 15 without leading zeros.
_window_bits = re.compile(r"[89]|1[0-5]").fullmatch

_SERVER_TAKEOVER = "server_no_context_takeover"
_CLIENT_TAKEOVER = "client_no_context_takeover"
_SERVER_BITS = "server_max_window_bits"
_CLIENT_BITS = "client_max_window_bits"


@dataclasses.dataclass(frozen=True, slots=True)
class DeflatePolicy:
    """The compression settings of this side. The object is immutable: share it among all connections.

    :raises ValueError: if a number is outside the range of zlib or RFC 7692.
    """

    #: Whether the server compresses each message separately, which saves memory but lowers the compression
    #: ratio.
    server_no_context_takeover: bool = False
    #: Whether the client compresses each message separately.
    client_no_context_takeover: bool = False
    #: The base-2 logarithm of the server's window size in bytes, 8 to 15.
    server_max_window_bits: int = 15
    #: The base-2 logarithm of the client's window size in bytes, 8 to 15. A server can limit it only for
    #: clients that announce support for this parameter.
    client_max_window_bits: int = 15
    #: The compression level of zlib: 0 to 9, or -1 for the default.
    level: int = -1
    #: The memory level of zlib, 1 to 9: the compressor uses 2 ** (mem_level + 9) bytes plus the window.
    mem_level: int = 8
    #: The minimum size of a message to compress, in bytes.
    threshold: int = 0

    def __post_init__(self) -> None:
        for name in (_SERVER_BITS, _CLIENT_BITS):
            if not 8 <= getattr(self, name) <= 15:
                raise ValueError(f"{name} must be between 8 and 15, got {getattr(self, name)}")
        if not -1 <= self.level <= 9:
            raise ValueError(f"level (compression_level) must be between -1 and 9, got {self.level}")
        if not 1 <= self.mem_level <= 9:
            raise ValueError(f"mem_level must be between 1 and 9, got {self.mem_level}")
        if self.threshold < 0:
            raise ValueError(f"threshold must be a non-negative number of bytes, got {self.threshold}")


@dataclasses.dataclass(frozen=True, slots=True)
class DeflateParameters:
    """The parameters that both sides agreed on (RFC 7692 section 7.1)."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15


@functools.lru_cache(maxsize=64)
def _shared(
    server_no_takeover: bool, client_no_takeover: bool, server_bits: int, client_bits: int
) -> DeflateParameters:
    """Return the object that all connections with these parameters share."""
    return DeflateParameters(server_no_takeover, client_no_takeover, server_bits, client_bits)


# -- negotiation --


def accept_offer(offers: Iterable[Extension], policy: DeflatePolicy) -> tuple[DeflateParameters, str] | None:
    """Choose among the offers of a client.

    :returns: the parameters, and the value of ``Sec-WebSocket-Extensions`` in the response; None if there is
        no acceptable offer.
    """
    for offer in offers:
        if offer.name == EXTENSION:
            offered = _read_parameters(offer, is_offer=True)
            if offered is not None:
                return _accept(offered, policy)
    return None


def _read_parameters(extension: Extension, is_offer: bool) -> dict[str, int | None] | None:
    """Return the parameters by name; None if one of them is invalid. Combinations are not checked."""
    found: dict[str, int | None] = {}
    for name, value in extension.parameters:
        if name in found:
            return None
        if name in (_SERVER_TAKEOVER, _CLIENT_TAKEOVER):
            if value is not None:
                return None
            found[name] = None
        elif name == _CLIENT_BITS and value is None and is_offer:
            found[name] = None
        elif name in (_SERVER_BITS, _CLIENT_BITS):
            if value is None or _window_bits(value) is None:
                return None
            found[name] = int(value)
        else:
            return None
    return found


def _accept(offered: dict[str, int | None], policy: DeflatePolicy) -> tuple[DeflateParameters, str]:
    server_no_takeover = policy.server_no_context_takeover or _SERVER_TAKEOVER in offered
    client_no_takeover = policy.client_no_context_takeover or _CLIENT_TAKEOVER in offered
    server_bits = min(policy.server_max_window_bits, offered.get(_SERVER_BITS) or 15)
    client_bits = 15
    parameters: list[tuple[str, str | None]] = []
    if server_no_takeover:
        parameters.append((_SERVER_TAKEOVER, None))
    if client_no_takeover:
        parameters.append((_CLIENT_TAKEOVER, None))
    if server_bits < 15 or _SERVER_BITS in offered:
        parameters.append((_SERVER_BITS, str(server_bits)))
    if _CLIENT_BITS in offered:
        # Section 7.1.2.2: the server may send this parameter only if the client has offered it.
        client_bits = min(policy.client_max_window_bits, offered[_CLIENT_BITS] or 15)
        if client_bits < 15:
            parameters.append((_CLIENT_BITS, str(client_bits)))
    agreed = _shared(server_no_takeover, client_no_takeover, server_bits, client_bits)
    return agreed, format_extension(Extension(EXTENSION, tuple(parameters)))


def make_offers(policy: DeflatePolicy) -> str:
    """Return the offers of a client, with the preferred offer first.

    Some servers accept only offers with ``client_no_context_takeover``; the second offer is for them. The
    first offer must not contain this parameter, because the parameter would bind the client regardless of the
    response (section 7.1.1.2).
    """
    required: list[tuple[str, str | None]] = []
    if policy.server_no_context_takeover:
        required.append((_SERVER_TAKEOVER, None))
    if policy.server_max_window_bits < 15:
        required.append((_SERVER_BITS, str(policy.server_max_window_bits)))
    client_bits = None if policy.client_max_window_bits == 15 else str(policy.client_max_window_bits)
    required.append((_CLIENT_BITS, client_bits))
    fallback = Extension(EXTENSION, ((_CLIENT_TAKEOVER, None), *required))
    if policy.client_no_context_takeover:
        return format_extension(fallback)
    return f"{format_extension(Extension(EXTENSION, tuple(required)))}, {format_extension(fallback)}"


def check_extension_response(answer: Extension, policy: DeflatePolicy) -> DeflateParameters:
    """Check the response of a server against the offers that `make_offers` made for the same policy.

    :returns: the parameters agreed on.
    :raises HandshakeError: if the response matches no offer (section 7.1: the client fails the connection).
    """
    found = _read_parameters(answer, is_offer=False)
    if found is None:
        raise HandshakeError(f"Sec-WebSocket-Extensions: invalid parameters: {format_extension(answer)}")
    if policy.server_no_context_takeover and _SERVER_TAKEOVER not in found:
        raise HandshakeError(f"Sec-WebSocket-Extensions: the server did not accept {_SERVER_TAKEOVER}")
    server_bits = found.get(_SERVER_BITS) or 15
    if server_bits > policy.server_max_window_bits:
        raise _too_many_bits(_SERVER_BITS, server_bits, policy.server_max_window_bits)
    client_bits = found.get(_CLIENT_BITS) or 15
    if _CLIENT_BITS in found and client_bits > policy.client_max_window_bits:
        raise _too_many_bits(_CLIENT_BITS, client_bits, policy.client_max_window_bits)
    return _shared(
        _SERVER_TAKEOVER in found,
        policy.client_no_context_takeover or _CLIENT_TAKEOVER in found,
        server_bits,
        min(client_bits, policy.client_max_window_bits),
    )


def _too_many_bits(name: str, bits: int, offered: int) -> HandshakeError:
    return HandshakeError(f"Sec-WebSocket-Extensions: {name} must not exceed {offered}, got {bits}")


# -- compression --


def compress_once(payload: bytes, window_bits: int, policy: DeflatePolicy) -> bytes:
    """Compress the payload of one message, without reference to other messages."""
    compressor = _compressor(window_bits, policy)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(TAIL)]


def _compressor(window_bits: int, policy: DeflatePolicy) -> zlib._Compress:
    return zlib.compressobj(policy.level, zlib.DEFLATED, -window_bits, policy.mem_level)


class Inflater:
    """A decompressor that works in steps of bounded size.

    :ivar more: whether the latest step filled its output, so that more output may follow.
    """

    __slots__ = ("_stream", "_window_bits", "more")

    def __init__(self, window_bits: int) -> None:
        # A larger window than agreed is harmless. Old versions of zlib compress with 9 bits when 8 are set.
        self._window_bits = max(window_bits, _SMALLEST_WINDOW)
        self._stream = zlib.decompressobj(-self._window_bits)
        self.more = False

    def step(self, data: bytes, size: int) -> tuple[bytes, bytes]:
        """Decompress one piece.

        :param size: the maximum size of the output, in bytes; positive.
        :returns: the output, and the part of ``data`` that has not been consumed.
        :raises ProtocolError: if the data is not valid DEFLATE, or continues after a final block.
        """
        stream = self._stream
        try:
            output = stream.decompress(data, size)
        except zlib.error as error:
            raise ProtocolError(f"cannot decompress a message: {error}") from None
        if stream.eof:
            # Sections 7.2.3.4 and 7.2.3.5: a byte of padding may occur between a final block and `TAIL`.
            self.more = False
            if len(stream.unused_data) > 1 + len(TAIL) or stream.unused_data.strip(b"\0\xff"):
                raise ProtocolError("cannot decompress a message: data after the final block")
            return output, b""
        self.more = len(output) == size
        return output, stream.unconsumed_tail

    def end_message(self) -> None:
        """Finish a message. If it ended with a final block, create a new context for the next one."""
        if self._stream.eof:
            self._stream = zlib.decompressobj(-self._window_bits)


class DeflateCodec:
    """The compressor and the decompressor of one connection.

    :param is_server: whether this side is the server.
    """

    __slots__ = ("_compressor", "_inflater", "_is_server", "parameters", "policy")

    def __init__(self, parameters: DeflateParameters, policy: DeflatePolicy, is_server: bool) -> None:
        self.parameters = parameters
        self.policy = policy
        self._is_server = is_server
        self._compressor: zlib._Compress | None = None
        self._inflater: Inflater | None = None

    @property
    def window_bits(self) -> int:
        """Return the base-2 logarithm of the maximum window of this side's compressor."""
        agreed = self.parameters
        return agreed.server_max_window_bits if self._is_server else agreed.client_max_window_bits

    @property
    def _no_takeover(self) -> bool:
        agreed = self.parameters
        return agreed.server_no_context_takeover if self._is_server else agreed.client_no_context_takeover

    def should_compress(self, size: int) -> bool:
        """Whether to compress a message of ``size`` bytes. An empty message is never compressed."""
        return size >= max(self.policy.threshold, 1) and self.window_bits >= _SMALLEST_WINDOW

    def compress(self, payload: bytes) -> bytes:
        """Compress the payload of a complete message, which must not be empty."""
        if self._no_takeover:
            return compress_once(payload, self.window_bits, self.policy)
        compressor = self._compressor
        if compressor is None:
            compressor = self._compressor = _compressor(self.window_bits, self.policy)
        return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(TAIL)]

    def inflater(self) -> Inflater:
        """Return the decompressor for the peer's next message; create it if necessary."""
        if self._inflater is None:
            agreed = self.parameters
            bits = agreed.client_max_window_bits if self._is_server else agreed.server_max_window_bits
            self._inflater = Inflater(bits)
        return self._inflater

    def end_message(self) -> None:
        """Finish a message of the peer: release or keep the decompressor, as agreed."""
        agreed = self.parameters
        if agreed.client_no_context_takeover if self._is_server else agreed.server_no_context_takeover:
            self._inflater = None
        elif self._inflater is not None:
            self._inflater.end_message()

    def release(self) -> None:
        """Release the compressor; the next message creates a new one."""
        self._compressor = None
