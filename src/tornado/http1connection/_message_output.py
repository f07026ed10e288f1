"""The write side of an exchange: the framing of the message that it sends.

A `MessageOutput` decides how the end of a body is marked: by its length, by chunks, or by closing the
connection (RFC 9112 section 6). It does no I/O.
"""

from __future__ import annotations

import re

from tornado._wire import h1
from tornado._wire.errors import HTTPOutputError
from tornado.http1connection._states import OutputState
from tornado.log import app_log

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_find_framing_fields = re.compile(rb"(?im)^(?:content-length|transfer-encoding):[^\n]*\n")
# These are module globals, because looking up an enum member costs more than a transition.
_IDLE, _INTERIM, _BODY, _COMPLETE, _ = OutputState
_CHUNKED_FIELD = b"Transfer-Encoding: chunked\r\n"


class MessageOutput:
    """The framing of one message that is being sent.

    :param state: the initial state.
    :ivar state: an `OutputState`.
    :ivar chunking: whether the body is sent in the chunked transfer coding.
    :ivar body_size: the number of bytes of the body that have been written, without the framing of chunks.
    :ivar remaining_length: the number of bytes of the body that have not been written; None if the body is
        not limited by a Content-Length.
    """

    __slots__ = ("_bodiless", "_trailers", "body_size", "chunking", "remaining_length", "state")

    def __init__(self, state: OutputState = _IDLE) -> None:
        self.state: OutputState = state
        self.chunking: bool = False
        self.body_size: int = 0
        self.remaining_length: int | None = None
        self._trailers = b""
        self._bodiless = 0  # the status code of the last head if it was 204 or 1xx, otherwise 0

    def __repr__(self) -> str:
        if self.chunking:
            framing = "chunked"
        elif self.remaining_length is None:
            framing = "no length"
        else:
            framing = f"{self.remaining_length} bytes remaining"
        return f"<MessageOutput {self.state.name}, {framing}>"

    @property
    def interim_code(self) -> int:
        """The status code of the head if it was the head of an interim (1xx) response, otherwise 0."""
        return self._bodiless if self.state is _INTERIM else 0

    def begin_response(
        self, request: h1.RequestHead, code: int, block: bytes, length: int | None, framed: bool
    ) -> tuple[bytes, bool]:
        """Determine the framing of a response.

        :param request: the head of the request.
        :param block: the serialized header fields.
        :param length: the value of Content-Length in `block`, if set.
        :param framed: whether `block` has a Content-Length or Transfer-Encoding field.
        :returns: the header fields with those that the framing needs, and whether the end of the connection
            marks the end of the body.
        """
        self.state = self.state.to[_INTERIM if code < 200 else _BODY]
        if self._bodiless:  # the previous head was an interim response
            self.remaining_length, self._bodiless = None, 0
        if code < 200 or code == 204:
            return self._begin_bodiless(code, block), False
        if request.method == "HEAD" or code == 304:
            self.remaining_length = 0
        elif length is not None:
            self.remaining_length = length
        if framed or code == 304:
            return block, False
        if request.version == "HTTP/1.1":
            self.chunking = request.method != "HEAD"
            return block + _CHUNKED_FIELD, False
        return block, request.method != "HEAD"

    def _begin_bodiless(self, code: int, block: bytes) -> bytes:
        """Prepare for a response without a body (1xx or 204; RFC 9110 sections 15.2 and 15.3.5).

        :returns: the header fields without Content-Length and Transfer-Encoding, which such a response must
            not have (RFC 9110 section 8.6, RFC 9112 section 6.1). A client that relied on them would read the
            next response as a body.
        """
        self._bodiless = code
        if code == 101:
            return block  # data of another protocol follows
        self.remaining_length = 0
        return _find_framing_fields.sub(b"", block)

    def begin_tunnel(self, block: bytes) -> bytes:
        """Prepare for the data after a successful response to CONNECT (RFC 9110 section 9.3.6).

        :returns: the header fields without framing fields, which such a response must not have.
        """
        self.state = self.state.to[_BODY]
        return _find_framing_fields.sub(b"", block)

    def begin_request(self, method: str, block: bytes, length: int | None, framed: bool) -> bytes:
        """Determine the framing of a request; see `begin_response` for the arguments.

        :returns: the header fields with those that the framing needs.
        """
        self.state = self.state.to[_BODY]
        if length is not None:
            self.remaining_length = length
        elif not framed and method in _METHODS_WITH_BODY:
            self.chunking = True
            return block + _CHUNKED_FIELD
        return block

    def frame(self, chunk: bytes) -> bytes:
        """Return a part of the body as it is sent.

        :raises HTTPOutputError: if the body becomes longer than its Content-Length.
        """
        if self.remaining_length is not None:
            self.remaining_length -= len(chunk)
            if self.remaining_length < 0:
                if not self._bodiless:
                    raise HTTPOutputError("Tried to write more data than Content-Length")
                return self._discard(chunk)
        self.body_size += len(chunk)
        if self.chunking and chunk:
            return h1.serialize_chunk(chunk)
        return chunk

    def _discard(self, chunk: bytes) -> bytes:
        """Discard a part of a body that the client would read as the beginning of the next response.

        Upstream sends such a body. Here a warning is logged, and a program that writes a body after a 204
        continues to work.
        """
        self.remaining_length = 0
        app_log.warning(
            "Discarded %d bytes written after a %d response, which has no body: use another status code",
            len(chunk),
            self._bodiless,
        )
        return b""

    def frame_file(self, size: int) -> None:
        """Count `size` bytes of a file as a part of the body, which must have a Content-Length.

        :raises HTTPOutputError: if the body becomes longer than its Content-Length.
        """
        if self.remaining_length is None or size > self.remaining_length:
            raise HTTPOutputError("Tried to write more data than Content-Length")
        self.remaining_length -= size
        self.body_size += size

    def truncate(self) -> None:
        """End the body as it is, without a last chunk and although it may be shorter than announced."""
        self.chunking = False
        self.remaining_length = None

    def last_bytes(self) -> bytes:
        """Return the bytes that mark the end of the body.

        :raises HTTPOutputError: if less was written than the Content-Length.
        """
        if self.remaining_length:
            raise HTTPOutputError(f"Tried to write {self.remaining_length} bytes less than Content-Length")
        if self._trailers and self.chunking:
            return h1.LAST_CHUNK[:-2] + self._trailers + b"\r\n"
        return h1.LAST_CHUNK if self.chunking else b""

    def set_trailers(self, block: bytes) -> None:
        """Send serialized trailer fields after the last chunk (RFC 9112 section 7.1.2). A body that is not
        chunked has none, so they are discarded.
        """
        self._trailers = block

    def end(self) -> None:
        """Record that the message is complete."""
        self.state = self.state.to[_COMPLETE]
