"""The error of a transfer that libcurl could not complete."""

from __future__ import annotations

from tornado.httpclient import HTTPClientError

#: The status code of a response that never came.
NO_RESPONSE = 599


class CurlError(HTTPClientError):
    """A transfer that failed in libcurl. Its ``code`` is 599.

    :param errno: libcurl's error code, such as ``pycurl.E_OPERATION_TIMEDOUT``.
    :param message: libcurl's description.
    :ivar errno: the same error code.
    """

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(NO_RESPONSE, message)
        self.errno = errno
