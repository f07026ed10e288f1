"""permessage-deflate: what is agreed about compression, and carrying it out (RFC 7692).

Theory of operation
-------------------
Negotiation is pure. A server walks a client's offers in order and takes the first that it can live with
(`accept_offer`); a client writes offers (`make_offers`) and checks what the server made of them
(`check_answer`). Both are told by a `DeflatePolicy` what this side wants; the outcome is a
`DeflateParameters`, a value that compares by content and is shared by all connections that agreed on it.

A `Deflate` is one connection's part, and nothing but four references until something is compressed: both
contexts are made on first use. The compressor (about 256 KiB at zlib's defaults, 52 KiB with 11 bits of
window and memory level 4) may be given back at any time (`Deflate.release`): what a new one writes refers to
nothing before it, which every decompressor takes. The decompressor (about 40 KiB) may be given back only
where the peer has agreed not to refer to earlier messages, and there it goes at the end of each message.

Decompression goes in steps of a size that the caller gives, so that a few bytes that expand to many neither
take memory nor hold up the loop; what has not been read is kept by the caller.

What is refused, and why
------------------------
An offer with a parameter that is unknown, repeated or out of range is passed over, as section 7.1 asks; an
answer with one fails the connection, and so does an answer that grants what was not offered or withholds what
was required. Data behind a final block of DEFLATE, other than the padding that section 7.2.3.5 describes:
nobody writes it, and each such block would cost a new context. After a final block the next message may not
refer to earlier ones.

zlib cannot write with a window of 8 bits (256 bytes); where only that is agreed, messages leave uncompressed,
which section 6 allows.

Limits
------
The inflated size is bounded by the caller, step by step.
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
    "Deflate",
    "DeflateParameters",
    "DeflatePolicy",
    "Inflater",
    "accept_offer",
    "check_answer",
    "compress_once",
    "make_offers",
]

EXTENSION: Final = "permessage-deflate"
#: Section 7.2.1: what a message's end loses and a reader adds: an empty block without compression.
TAIL: Final = b"\x00\x00\xff\xff"
#: The most compressed data that is handed to zlib at once: what it leaves unread is copied at each step.
PIECE: Final = 64 * 1024

_SMALLEST_WINDOW: Final = 9  # zlib's for raw DEFLATE
# Sections 7.1.2.1 and 7.1.2.2: a decimal integer from 8 to 15 without leading zeros.
_window_bits = re.compile(r"[89]|1[0-5]").fullmatch

_SERVER_TAKEOVER = "server_no_context_takeover"
_CLIENT_TAKEOVER = "client_no_context_takeover"
_SERVER_BITS = "server_max_window_bits"
_CLIENT_BITS = "client_max_window_bits"


@dataclasses.dataclass(frozen=True, slots=True)
class DeflatePolicy:
    """What this side wants of compression. One for all connections; immutable.

    :raises ValueError: if a number is out of zlib's or RFC 7692's range.
    """

    #: The server compresses each message on its own: less memory, a lower ratio.
    server_no_context_takeover: bool = False
    #: The client does.
    client_no_context_takeover: bool = False
    #: The binary logarithm of the server's window in bytes, 8 to 15.
    server_max_window_bits: int = 15
    #: That of the client's; a server can ask for it only of clients that say they are able to.
    client_max_window_bits: int = 15
    #: zlib's level: 0 to 9, or -1 for its default.
    level: int = -1
    #: zlib's memory level, 1 to 9: the compressor takes 2 ** (level + 9) bytes besides the window.
    mem_level: int = 8
    #: Messages of fewer bytes are not compressed.
    threshold: int = 0

    def __post_init__(self) -> None:
        for name in (_SERVER_BITS, _CLIENT_BITS):
            if not 8 <= getattr(self, name) <= 15:
                raise ValueError(f"{name} is 8 to 15, not {getattr(self, name)}")
        if not -1 <= self.level <= 9:
            raise ValueError(f"level, that of compression, is -1 to 9, not {self.level}")
        if not 1 <= self.mem_level <= 9:
            raise ValueError(f"mem_level is 1 to 9, not {self.mem_level}")
        if self.threshold < 0:
            raise ValueError(f"threshold is a number of bytes, not {self.threshold}")


@dataclasses.dataclass(frozen=True, slots=True)
class DeflateParameters:
    """What both sides agreed on (RFC 7692 section 7.1)."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15


@functools.lru_cache(maxsize=64)
def _shared(
    server_no_takeover: bool, client_no_takeover: bool, server_bits: int, client_bits: int
) -> DeflateParameters:
    """One object for all connections that agreed on the same."""
    return DeflateParameters(server_no_takeover, client_no_takeover, server_bits, client_bits)


# -- negotiation --


def accept_offer(offers: Iterable[Extension], policy: DeflatePolicy) -> tuple[DeflateParameters, str] | None:
    """A server's choice among a client's offers.

    :return: what is agreed, and the value of the answer's ``Sec-WebSocket-Extensions``; None if there is no
        offer that can be accepted.
    """
    for offer in offers:
        if offer.name == EXTENSION:
            wanted = _read_parameters(offer, is_offer=True)
            if wanted is not None:
                return _answer(wanted, policy)
    return None


def _read_parameters(extension: Extension, is_offer: bool) -> dict[str, int | None] | None:
    """The parameters by name, checked each by itself; None if one of them is not as it should be."""
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


def _answer(wanted: dict[str, int | None], policy: DeflatePolicy) -> tuple[DeflateParameters, str]:
    server_no_takeover = policy.server_no_context_takeover or _SERVER_TAKEOVER in wanted
    client_no_takeover = policy.client_no_context_takeover or _CLIENT_TAKEOVER in wanted
    server_bits = min(policy.server_max_window_bits, wanted.get(_SERVER_BITS) or 15)
    client_bits = 15
    parameters: list[tuple[str, str | None]] = []
    if server_no_takeover:
        parameters.append((_SERVER_TAKEOVER, None))
    if client_no_takeover:
        parameters.append((_CLIENT_TAKEOVER, None))
    if server_bits < 15 or _SERVER_BITS in wanted:
        parameters.append((_SERVER_BITS, str(server_bits)))
    if _CLIENT_BITS in wanted:
        # Section 7.1.2.2: only a client that names this parameter understands it in the answer.
        client_bits = min(policy.client_max_window_bits, wanted[_CLIENT_BITS] or 15)
        if client_bits < 15:
            parameters.append((_CLIENT_BITS, str(client_bits)))
    agreed = _shared(server_no_takeover, client_no_takeover, server_bits, client_bits)
    return agreed, format_extension(Extension(EXTENSION, tuple(parameters)))


def make_offers(policy: DeflatePolicy) -> str:
    """A client's offers, the preferred one first.

    A second offer with ``client_no_context_takeover`` is for servers that take none without it. It cannot
    stand in the first: there it would be a promise, whatever the server answers (section 7.1.1.2).
    """
    required: list[tuple[str, str | None]] = []
    if policy.server_no_context_takeover:
        required.append((_SERVER_TAKEOVER, None))
    if policy.server_max_window_bits < 15:
        required.append((_SERVER_BITS, str(policy.server_max_window_bits)))
    client_bits = None if policy.client_max_window_bits == 15 else str(policy.client_max_window_bits)
    required.append((_CLIENT_BITS, client_bits))
    reluctant = Extension(EXTENSION, ((_CLIENT_TAKEOVER, None), *required))
    if policy.client_no_context_takeover:
        return format_extension(reluctant)
    return f"{format_extension(Extension(EXTENSION, tuple(required)))}, {format_extension(reluctant)}"


def check_answer(answer: Extension, policy: DeflatePolicy) -> DeflateParameters:
    """What a server agreed to, held against the offers that `make_offers` writes for the same policy.

    :raises HandshakeError: if it is not among them (section 7.1: the client fails the connection).
    """
    found = _read_parameters(answer, is_offer=False)
    if found is None:
        raise HandshakeError(f"Sec-WebSocket-Extensions: not acceptable: {format_extension(answer)}")
    if policy.server_no_context_takeover and _SERVER_TAKEOVER not in found:
        raise HandshakeError(f"Sec-WebSocket-Extensions: {_SERVER_TAKEOVER} was offered and is missing")
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
    return HandshakeError(f"Sec-WebSocket-Extensions: {name} is {bits}, offered was {offered}")


# -- compression --


def compress_once(payload: bytes, window_bits: int, policy: DeflatePolicy) -> bytes:
    """A message's payload, compressed with a context of its own that is gone afterwards."""
    compressor = _compressor(window_bits, policy)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(TAIL)]


def _compressor(window_bits: int, policy: DeflatePolicy) -> zlib._Compress:
    return zlib.compressobj(policy.level, zlib.DEFLATED, -window_bits, policy.mem_level)


class Inflater:
    """The decompressor of one direction, in steps of bounded size.

    :ivar more: the latest step ended because its output was full: there may be more of it.
    """

    __slots__ = ("_stream", "_window_bits", "more")

    def __init__(self, window_bits: int) -> None:
        # A window larger than agreed does no harm. Old versions of zlib write with 9 bits when told 8.
        self._window_bits = max(window_bits, _SMALLEST_WINDOW)
        self._stream = zlib.decompressobj(-self._window_bits)
        self.more = False

    def step(self, data: bytes, size: int) -> tuple[bytes, bytes]:
        """Decompress up to ``size`` bytes, which is more than 0.

        :return: these, and what of ``data`` has not been read.
        :raises ProtocolError: if the data is no DEFLATE, or goes on behind a final block.
        """
        stream = self._stream
        try:
            output = stream.decompress(data, size)
        except zlib.error as error:
            raise ProtocolError(f"the compressed data of a message is damaged: {error}") from None
        if stream.eof:
            # Sections 7.2.3.4 and 7.2.3.5: a final block, and one byte of padding before what `TAIL` is.
            self.more = False
            if len(stream.unused_data) > 1 + len(TAIL) or stream.unused_data.strip(b"\0\xff"):
                raise ProtocolError("a message goes on behind the final block of its compressed data")
            return output, b""
        self.more = len(output) == size
        return output, stream.unconsumed_tail

    def end_message(self) -> None:
        """A message is complete. After a final block the next one begins with a new context."""
        if self._stream.eof:
            self._stream = zlib.decompressobj(-self._window_bits)


class Deflate:
    """Compression on one connection.

    :param is_server: which side this is.
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
        """The binary logarithm of the window that this side may use for what it sends."""
        agreed = self.parameters
        return agreed.server_max_window_bits if self._is_server else agreed.client_max_window_bits

    @property
    def _no_takeover(self) -> bool:
        agreed = self.parameters
        return agreed.server_no_context_takeover if self._is_server else agreed.client_no_context_takeover

    def worthwhile(self, size: int) -> bool:
        """Whether a message of ``size`` bytes is to be compressed. An empty one never is."""
        return size >= max(self.policy.threshold, 1) and self.window_bits >= _SMALLEST_WINDOW

    def compress(self, payload: bytes) -> bytes:
        """A whole message's payload, which must not be empty, as it goes over the wire."""
        if self._no_takeover:
            return compress_once(payload, self.window_bits, self.policy)
        compressor = self._compressor
        if compressor is None:
            compressor = self._compressor = _compressor(self.window_bits, self.policy)
        return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(TAIL)]

    def inflater(self) -> Inflater:
        """The decompressor for the peer's next message, made if there is none."""
        if self._inflater is None:
            agreed = self.parameters
            bits = agreed.client_max_window_bits if self._is_server else agreed.server_max_window_bits
            self._inflater = Inflater(bits)
        return self._inflater

    def end_message(self) -> None:
        """The peer's message is complete: give back or keep the decompressor, as agreed."""
        agreed = self.parameters
        if agreed.client_no_context_takeover if self._is_server else agreed.server_no_context_takeover:
            self._inflater = None
        elif self._inflater is not None:
            self._inflater.end_message()

    def release(self) -> None:
        """Give the compressor back; the next message begins with a new one."""
        self._compressor = None
