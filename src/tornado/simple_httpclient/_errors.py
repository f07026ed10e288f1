"""What happens to a client's request other than a response."""

from __future__ import annotations

from tornado.httpclient import HTTPClientError

#: The status code of a response that never came.
NO_RESPONSE = 599


class HTTPTimeoutError(HTTPClientError):
    """A request that took too long; the message names the phase it was in. Its ``code`` is 599.

    :ivar url: what was fetched, without user information and query; None where that is not known. Tracebacks
        show it.
    """

    def __init__(self, message: str, url: str | None = None) -> None:
        super().__init__(NO_RESPONSE, message=message)
        self.url = url
        # Not in the message: programs compare some of these.
        if url is not None and url not in message:
            self.add_note(f"(fetching {url})")

    def __str__(self) -> str:
        return self.message or "Timeout"


class HTTPStreamClosedError(HTTPClientError):
    """A connection that ended before the response did, with no error to tell why. Its ``code`` is 599.

    Where there is such an error, the request fails with that one (an OSError as a rule).
    """

    def __init__(self, message: str) -> None:
        super().__init__(NO_RESPONSE, message=message)

    def __str__(self) -> str:
        return self.message or "Stream closed"


class HTTPProxyError(HTTPClientError):
    """A proxy that does not connect to the server. Its ``code`` is 599: there is no response of the server.

    :ivar proxy_code: the status of the proxy's own answer: 407 where it wants a name and a password, 403
        where it does not go to that host or port, 502 to 504 where it could not.
    """

    def __init__(self, proxy_code: int, message: str) -> None:
        super().__init__(NO_RESPONSE, message=message)
        self.proxy_code = proxy_code

    def __str__(self) -> str:
        return self.message
