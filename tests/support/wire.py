"""The internals of `tornado._wire` that tests access."""

from __future__ import annotations

from typing import Any, TypeVar

from tornado._wire.h1 import Reader
from tornado._wire.headers import HTTPHeaders
from tornado._wire.multipart import MultipartParser
from tornado._wire.ws_connection import WSConnection
from tornado._wire.ws_deflate import DeflateCodec

_Headers = TypeVar("_Headers", bound=HTTPHeaders)


class CountingBuffer(bytearray):
    """A buffer that counts the bytes that are searched.

    :ivar searched: the number of these bytes.
    """

    searched = 0

    def find(self, part: Any, start: Any = 0, end: Any = None) -> int:
        self.searched += (len(self) if end is None else min(end, len(self))) - start
        return super().find(part, start, len(self) if end is None else end)


def count_searches(reader: Reader) -> CountingBuffer:
    """Replace the buffer of a reader by one that counts the bytes that are searched, and return it."""
    buffer = reader._buffer = CountingBuffer(reader._buffer)
    return buffer


def serialized(headers: HTTPHeaders) -> bytes:
    """Return the header section as it is sent."""
    return headers._serialize()


def headers_from_block(block: str, cls: type[_Headers] = HTTPHeaders) -> _Headers:  # type: ignore[assignment]
    """Return the headers of a validated header section, which is parsed on first access."""
    headers = cls._from_block(block)
    assert isinstance(headers, cls)
    return headers


def put(headers: HTTPHeaders, name: str, value: str) -> None:
    """Set a field whose name is normalized and whose value is valid."""
    headers._put(name, value)


def has_pending_input(parser: MultipartParser) -> bool:
    """Whether a parser stores input that it has not parsed."""
    return bool(parser._pending)


def is_between_frames(connection: WSConnection) -> bool:
    """Whether no incomplete frame is stored, so that the next byte begins a frame."""
    message = connection._message
    return not connection._rest and (message is None or not message.remaining)


def stores_nothing(connection: WSConnection) -> bool:
    """Whether neither an incomplete frame nor an incomplete message is stored."""
    return connection._rest == b"" and connection._message is None


def decompressed_size(connection: WSConnection) -> int:
    """Return how many bytes of the incomplete message have been decompressed."""
    message = connection._message
    return 0 if message is None else len(message._binary)


def codec_of(connection: WSConnection) -> DeflateCodec:
    """Return the codec of a connection that compresses messages."""
    codec = connection._deflate
    assert isinstance(codec, DeflateCodec)
    return codec


def has_compressor(codec: DeflateCodec) -> bool:
    """Whether a codec holds a zlib object that compresses."""
    return codec._compressor is not None


def has_inflater(codec: DeflateCodec) -> bool:
    """Whether a codec holds a zlib object that decompresses."""
    return codec._inflater is not None
