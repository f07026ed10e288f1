"""What came back: HTTPResponse, and the error for what is not a success."""

from __future__ import annotations

import http.client
from io import BytesIO
from typing import Any

from tornado import httputil
from tornado.httpclient._request import HTTPRequest, _RequestProxy


class HTTPClientError(Exception):
    """A fetch that did not succeed.

    :param code: the response's status code, or 599 when there was no response.
    :param message: the reason; by default the status code's usual one.
    :param response: the `HTTPResponse`, where there is one.

    Also available as `HTTPError`, its name before Tornado 5.1; not to be confused with
    `tornado.web.HTTPError`.
    """

    def __init__(self, code: int, message: str | None = None, response: HTTPResponse | None = None) -> None:
        self.code = code
        self.message = message or http.client.responses.get(code, "Unknown")
        self.response = response
        super().__init__(code, message, response)

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"

    def __repr__(self) -> str:
        # The default one would show the response, which shows its error, which is this one.
        return str(self)


HTTPError = HTTPClientError


class HTTPResponse:
    """The answer to a request.

    :param request: the `HTTPRequest` that was passed to the client, before any redirects.
    :param code: the status code; 599 when there was no response.
    :param headers: an `.HTTPHeaders`.
    :param buffer: a `io.BytesIO` of the body.
    :param effective_url: the address that answered, after redirects.
    :param error: what went wrong; an `HTTPClientError` is made for status codes other than 2xx.
    :param request_time: seconds from the start of the request to the end of the response, time in the
        client's queue not included.
    :param time_info: (curl client) seconds for parts of the request, by name.
    :param reason: the reason phrase of the status line.
    :param start_time: when the request was started, in seconds since the epoch.

    The attributes bear the names of the parameters; ``body`` is the whole body as bytes.
    """

    error: BaseException | None
    _error_is_response_code: bool

    def __init__(
        self,
        request: HTTPRequest,
        code: int,
        headers: httputil.HTTPHeaders | None = None,
        buffer: BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: dict[str, float] | None = None,
        reason: str | None = None,
        start_time: float | None = None,
    ) -> None:
        self.request: HTTPRequest = request.request if isinstance(request, _RequestProxy) else request
        self.code = code
        self.reason = reason or http.client.responses.get(code, "Unknown")
        self.headers = httputil.HTTPHeaders() if headers is None else headers
        self.buffer = buffer
        self.effective_url = effective_url or self.request.url
        self.request_time = request_time
        self.start_time = start_time
        self.time_info = time_info or {}
        self._body: bytes | None = None
        # fetch(raise_error=False) keeps this kind of error back and raises the others.
        self._error_is_response_code = error is None and not 200 <= code < 300
        if self._error_is_response_code:
            error = HTTPClientError(code, message=self.reason, response=self)
        self.error = error

    @property
    def body(self) -> bytes:
        """The body; empty where it went to a ``streaming_callback``."""
        if self._body is None:
            self._body = b"" if self.buffer is None else self.buffer.getvalue()
        return self._body

    def rethrow(self) -> None:
        """Raise the error that the response stands for; do nothing after a success."""
        if self.error is not None:
            raise self.error

    def __repr__(self) -> str:
        shown: dict[str, Any] = dict(sorted(vars(self).items()))
        return f"HTTPResponse({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
