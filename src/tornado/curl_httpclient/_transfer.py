"""`Transfer`: one request and its response in libcurl.

libcurl delivers the header section line by line and the body in chunks. This module detects responses that
are not for the program: interim responses, responses from proxies, and redirects that the client follows.
"""

from __future__ import annotations

import contextvars
import enum
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pycurl

from tornado.curl_httpclient._callback_queue import CallbackQueue
from tornado.curl_httpclient._errors import CurlError
from tornado.curl_httpclient._interface import CurlClient
from tornado.httputil import HTTPHeaders, HTTPInputError

# HTTP/2 has no reason phrase.
_STATUS_LINE = re.compile(r"HTTP/[0-9.]+ ([0-9]{3})(?: (.*))?")


class _TransferState(enum.Enum):
    """The state of the response."""

    HEAD = "head"  #: receiving a header section
    BODY = "body"  #: receiving the body
    ENDED = "ended"  #: complete in libcurl; callbacks may be pending
    CLOSED = "closed"  #: nothing is called any more


class Transfer:
    """The response to one request.

    :param client: the client.
    :param curl: the handle.
    :param wake: makes the event loop call libcurl in its next iteration.
    :param streaming_callback: called with the chunks of the body; without it they are collected in
        ``buffer``.
    :param header_callback: called with the lines of the header section.
    :param max_body_size: the maximum size of the body in bytes, after decompression; None for no limit.
    :param context: the context in which the callbacks run.
    :param is_final: called with a status code and header fields; returns whether this response is for the
        program, so no further hop follows.
    :param complete: called once, when the transfer has ended in libcurl and the program's callbacks are done.
    """

    def __init__(
        self,
        client: CurlClient,
        curl: pycurl.Curl,
        *,
        wake: Callable[[], object],
        streaming_callback: Callable[[bytes], Any] | None,
        header_callback: Callable[[str], Any] | None,
        max_body_size: int | None,
        context: contextvars.Context,
        is_final: Callable[[int, HTTPHeaders], bool],
        complete: Callable[[], None],
    ) -> None:
        self._streaming_callback = streaming_callback
        self._header_callback = header_callback
        self._max_body_size = max_body_size
        self._is_final = is_final
        self._complete = complete
        self._stream = CallbackQueue(
            client,
            curl,
            streaming_callback,
            wake=wake,
            max_body_size=max_body_size,
            context=context,
            drained=self._drained,
        )
        self._state = _TransferState.HEAD
        self._lines: list[str] = []
        self._size = 0
        self.code = 0
        self.reason: str | None = None
        self.headers = HTTPHeaders()
        self.buffer = BytesIO()
        #: The error for which this client has aborted the transfer, or None.
        self.error: BaseException | None = None
        curl.setopt(pycurl.HEADERFUNCTION, self.header_received)
        curl.setopt(pycurl.WRITEFUNCTION, self.body_received)

    # -- called by libcurl

    def header_received(self, octets: bytes) -> int | None:
        """Process a line of a header section or trailer section, possibly of an interim response."""
        line = octets.decode("latin-1")
        if line.startswith("HTTP/") and not self._size:
            # The previous head was that of an interim response, or of a challenge that libcurl has handled.
            self._state = _TransferState.HEAD
            self._lines.clear()
            self.headers.clear()
        elif self._state is not _TransferState.HEAD:
            return None  # a trailer section, which is kept separate (RFC 9110 section 6.5)
        self._lines.append(line)
        return None if line.rstrip("\r\n") else self._head_received()

    def _head_received(self) -> int | None:
        status = _STATUS_LINE.fullmatch(self._lines[0].rstrip("\r\n "))
        try:
            if status is None:
                raise HTTPInputError(f"malformed status line {self._lines[0][:80]!r}")
            self.code, self.reason = int(status[1]), status[2]
            for line in self._lines[1:-1]:
                self.headers.parse_line(line)
        except HTTPInputError as error:
            return self._abort(error)
        self._state = _TransferState.BODY
        return None

    def body_received(self, data: bytes) -> int | None:
        """Process a chunk of the body."""
        if not self._is_final(self.code, self.headers):
            self._size += len(data)
            return None
        if not self._size:
            length = self.headers.get("Content-Length", "")
            limit = self._max_body_size
            if limit is not None and length.isascii() and length.isdigit() and int(length) > limit:
                return self._reject("Content-Length too long")
            self._call_header_callback()
        if self._streaming_callback is not None:
            written = self._stream.write(data)
            if self._stream.body_too_large:
                return self._reject_large_body()
            if written == len(data):
                self._size += written
            return written
        self._size += len(data)
        if self._max_body_size is not None and self._size > self._max_body_size:
            return self._reject_large_body()
        self.buffer.write(data)
        return None

    def _reject_large_body(self) -> int:
        return self._reject(
            "decompressed body too large" if "Content-Encoding" in self.headers else "body too large"
        )

    def _reject(self, reason: str) -> int:
        return self._abort(
            CurlError(
                pycurl.E_FILESIZE_EXCEEDED,
                f"{reason}: over the limit of {self._max_body_size} bytes (max_body_size)",
            )
        )

    def _abort(self, error: BaseException) -> int:
        """Record the error and return the value that makes libcurl stop."""
        if self.error is None:
            self.error = error
        return 0

    # -- called by the fetch

    def end(self, failed: bool) -> None:
        """Process the end of the transfer in libcurl."""
        if self._state is _TransferState.CLOSED:
            return
        self._state = _TransferState.ENDED
        self._stream.finish()
        if not failed:
            if self.code and self._is_final(self.code, self.headers):
                self._call_header_callback()
        else:
            # Deliver the received data without waiting for awaitables.
            self._stream.flush()
        if failed or self._stream.is_idle:
            self._finish()

    def close(self) -> None:
        """Stop all calls, and drop the references to the fetch, which form a reference cycle."""
        self._state = _TransferState.CLOSED
        self._stream.close()
        self._is_final, self._complete = _never_final, _do_nothing

    def _call_header_callback(self) -> None:
        """Call ``header_callback`` with the header section, which is now known to be the final one."""
        lines, self._lines = self._lines, []
        if self._header_callback is not None:
            for line in lines:
                self._stream.call(self._header_callback, line)

    def _drained(self) -> None:
        if self._state is _TransferState.ENDED:
            self._finish()

    def _finish(self) -> None:
        if self._state is _TransferState.ENDED:
            self._state = _TransferState.CLOSED
            self.buffer.seek(0)
            self._complete()


def _never_final(code: int, headers: HTTPHeaders) -> bool:
    return False


def _do_nothing() -> None:
    pass
