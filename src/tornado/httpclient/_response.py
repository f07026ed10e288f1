"""`HTTPResponse`, and `HTTPClientError` for requests that do not succeed."""

from __future__ import annotations

import http.client
import json
import re
from io import BytesIO
from typing import Any

from tornado import httputil
from tornado._wire.charsets import decode_text
from tornado._wire.field_parameters import parse_parameters
from tornado.httpclient._request import HTTPRequest, _RequestProxy


class HTTPClientError(Exception):
    """Raised when a fetch does not succeed.

    :param code: the response's status code, or 599 if no response was received.
    :param message: the reason; by default the standard reason phrase of the status code.
    :param response: the `HTTPResponse`, or None if no response was received.

    It is also available as `HTTPError`, its name before Tornado 5.1. `tornado.web.HTTPError` is a different
    class.
    """

    def __init__(self, code: int, message: str | None = None, response: HTTPResponse | None = None) -> None:
        self.code = code
        self.message: str = message or http.client.responses.get(code, "Unknown")
        self.response = response
        super().__init__(code, message, response)

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"

    def __repr__(self) -> str:
        # The default repr would recurse forever: it includes the response, whose repr includes this error.
        return str(self)


HTTPError = HTTPClientError


class HTTPResponse:
    """The response to a request.

    :param request: the `HTTPRequest` that was passed to the client, before any redirects.
    :param code: the status code; 599 if no response was received.
    :param headers: the header fields, an `.HTTPHeaders`.
    :param buffer: an `io.BytesIO` of the body, or the body as bytes, which is cheaper.
    :param effective_url: the URL that was fetched, after redirects.
    :param error: the error that the fetch ended with; for a status code other than 2xx, an `HTTPClientError`
        by default.
    :param request_time: seconds from the start of the request to the end of the response, without the time in
        the client's queue.
    :param time_info: the duration of each phase of the request in seconds, by the phase's name.
    :param reason: the reason phrase of the status line.
    :param start_time: when the request was started, in seconds since the epoch.

    The attributes have the names of the parameters; ``body`` is the whole body as bytes.
    """

    error: BaseException | None
    _error_is_response_code: bool

    def __init__(
        self,
        request: HTTPRequest,
        code: int,
        headers: httputil.HTTPHeaders | None = None,
        buffer: BytesIO | bytes | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: dict[str, float] | None = None,
        reason: str | None = None,
        start_time: float | None = None,
    ) -> None:
        self.request: HTTPRequest = request.request if isinstance(request, _RequestProxy) else request
        self.code = code
        self.reason: str = reason or http.client.responses.get(code, "Unknown")
        self.headers: httputil.HTTPHeaders = httputil.HTTPHeaders() if headers is None else headers
        # The body is stored in one of these attributes; the other attribute is set when it is first read.
        self._body: bytes | None = None
        self._buffer: BytesIO | None = None
        if isinstance(buffer, bytes):
            self._body = buffer
        else:
            self._buffer = buffer
        self.effective_url: str = effective_url or self.request.url
        self.request_time = request_time
        self.start_time = start_time
        self.time_info: dict[str, float] = time_info or {}
        # fetch(raise_error=False) does not raise errors that only report the status code.
        self._error_is_response_code = error is None and not 200 <= code < 300
        if self._error_is_response_code:
            error = HTTPClientError(code, message=self.reason, response=self)
        self.error = error

    @property
    def buffer(self) -> BytesIO | None:
        """The body as a file, or None for a response without a body."""
        if self._buffer is None and self._body is not None:
            self._buffer = BytesIO(self._body)
        return self._buffer

    @buffer.setter
    def buffer(self, value: BytesIO | None) -> None:
        self._buffer = value
        self._body = None

    @property
    def body(self) -> bytes:
        """The body; empty if it was passed to a ``streaming_callback``."""
        if self._body is None:
            self._body = b"" if self._buffer is None else self._buffer.getvalue()
        return self._body

    @property
    def text(self) -> str:
        """The body as text.

        The encoding is determined by a byte order mark, else by the ``charset`` of the Content-Type field;
        the default is UTF-8. Invalid bytes are replaced by U+FFFD.
        """
        content_type = self.headers.get("Content-Type")
        charset = None if content_type is None else parse_parameters(content_type)[1].get("charset")
        return decode_text(self.body, charset)

    def json(self) -> Any:
        """Return the body parsed as JSON. The Content-Type is ignored.

        The encoding is UTF-8; UTF-16, UTF-32 and a byte order mark are recognized (RFC 8259 section 8.1).

        :raises ValueError: (a `json.JSONDecodeError` or a `UnicodeDecodeError`) if the body is not JSON. The
            exception has a note with the URL, the status code and the Content-Type.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            error.add_note(
                f"in the {len(self.body)}-byte response to {_without_credentials(self.effective_url)}: "
                f"status {self.code}, Content-Type {self.headers.get('Content-Type')!r}"
            )
            raise

    def rethrow(self) -> None:
        """Raise ``error`` if it is not None."""
        if self.error is not None:
            raise self.error

    def __repr__(self) -> str:
        shown: dict[str, Any] = {
            name: value for name, value in vars(self).items() if name not in ("_body", "_buffer")
        }
        shown["buffer"] = self._buffer if self._body is None else f"<{len(self._body)} bytes>"
        return f"HTTPResponse({', '.join(f'{name}={shown[name]!r}' for name in sorted(shown))})"


def is_status_error(response: HTTPResponse) -> bool:
    """Whether ``response.error`` was created because of the status code, and the fetch itself succeeded."""
    return response._error_is_response_code


def _without_credentials(url: str) -> str:
    """Return a URL without its user name and password, for messages."""
    scheme, mark, rest = url.partition("://")
    authority = re.match(r"[^/?#]*", rest)
    if not mark or authority is None or "@" not in authority[0]:
        return url
    return scheme + mark + authority[0].rpartition("@")[2] + rest[authority.end() :]
