"""Errors of a fetch that ends without a response."""

from __future__ import annotations

from tornado.httpclient import HTTPClientError

#: The status code of an error that ends a fetch without a response.
NO_RESPONSE = 599


class HTTPTimeoutError(HTTPClientError):
    """Raised when a request times out. The message names the phase of the request. The ``code`` is 599.

    :ivar url: the URL, without user information and query, or None if it is not known; also shown in
        tracebacks.
    :param limits: the timeouts that applied, such as "request_timeout=20", also shown in tracebacks.
    """

    def __init__(self, message: str, url: str | None = None, limits: str = "") -> None:
        super().__init__(NO_RESPONSE, message=message)
        self.url = url
        # The URL is added as a note, because programs compare some of these messages.
        if url is not None and url not in message:
            self.add_note(f"(fetching {url})")
        if limits:
            self.add_note(f"({limits})")

    def __str__(self) -> str:
        return self.message or "Timeout"


class HTTPStreamClosedError(HTTPClientError):
    """Raised when the connection ends before the response is complete. The ``code`` is 599.

    If the operating system reports an error, that error is raised instead (usually an OSError).
    """

    def __init__(self, message: str) -> None:
        super().__init__(NO_RESPONSE, message=message)

    def __str__(self) -> str:
        return self.message or "Stream closed"


class HTTPProxyError(HTTPClientError):
    """Raised when a proxy does not connect to the server. The ``code`` is 599.

    :ivar proxy_code: the status code of the proxy's response: 407 if it requires a user name and password,
        403 if it does not allow that host or port, 502 to 504 if it could not connect.
    """

    def __init__(self, proxy_code: int, message: str) -> None:
        super().__init__(NO_RESPONSE, message=message)
        self.proxy_code = proxy_code

    def __str__(self) -> str:
        return self.message
