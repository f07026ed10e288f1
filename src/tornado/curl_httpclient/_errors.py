"""`CurlError`: the error of a transfer that failed in libcurl."""

from __future__ import annotations

from tornado.httpclient import HTTPClientError

#: The status code of an error that ends a fetch without a response.
NO_RESPONSE = 599


class CurlError(HTTPClientError):
    """Raised when a transfer fails in libcurl. The ``code`` is 599.

    :param errno: libcurl's error code, such as ``pycurl.E_OPERATION_TIMEDOUT``.
    :param message: libcurl's description.
    :ivar errno: the same error code.
    """

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(NO_RESPONSE, message)
        self.errno = errno
